"""`GeneGCNClassifier`: the scikit-learn contract around the model and its training."""

from __future__ import annotations

import copy
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from gene_gcn import networks
from gene_gcn.cells.expression import (
    SMALLEST_OVERLAP,
    Expression,
    Normalizer,
    is_anndata,
    is_missing,
    read_labels,
)
from gene_gcn.estimators.base import CellEstimator
from gene_gcn.networks import GeneNetwork
from gene_gcn.nn import GeneGCN, GlobalGraph
from gene_gcn.nn.attention import ATTENTIONS
from gene_gcn.storage.model_folder import read_model, write_model
from gene_gcn.training.gradient import CellDataset, TrainingOptions, choose_device, predict_logits, train
from gene_gcn.training.imputation import LowRankGenes
from gene_gcn.training.linear_head import fit_linear_head, learn_low_rank_genes

VALIDATION_CELLS_PER_TYPE = 5  # on average; with fewer, early stopping follows noise


class GeneGCNClassifier(ClassifierMixin, CellEstimator):
    r"""Name the types of cells by a graph network over their genes.

    Each gene of a cell is a node. Its expression is combined with that of the genes it interacts with, in a
    graph that attention learns from the cell itself and in a gene network that all cells share; the result is
    added to the expression, and fully connected layers name the type:

    .. math:: \hat y = \mathrm{MLP}(X + \mathrm{ReLU}((G(X) + A) X W))

    By default the attention graph and the hidden layers are left out, since they cost more than they bring
    (docs/accuracy.md): what remains is convex and is fitted exactly, in seconds, with W (how much of the
    network to take, which may be nothing) chosen by cross-validation.

    Parameters
    ----------
    network : None, GeneNetwork, "coexpression", "string", "biogrid" or path of a file
        The global graph A. None leaves it out; "coexpression" is computed from the training cells; "string"
        and "biogrid" are fetched once and brought to the genes whatever kind of names they have
        (`gene_gcn.networks.for_genes`). Others are aligned to the genes by name, or by position where X has no
        gene names.
    organism : str or int, optional
        Name or taxonomy id, for "string", "biogrid" and their files; by default told by the names of the
        genes, or by the file.
    normalization : {"auto", "sqrt", "log1p", "none"}
        "auto" is the square root of counts scaled to the median depth of the training cells. Negative values
        (scaled data) are refused with names of genes, and taken as they are from an array.
    layer, use_raw, gene_column
        Which matrix of an AnnData to read and which column of `var` names its genes; for queries as well.
    diagonal : {0, 1}
        Weight of a gene's edge to itself in the global graph.
    network_normalization : {"sym", "max"}
        "sym" divides an edge by the root of both degrees, "max" leaves the weights as scores divided by the
        largest score, as the paper does.
    attention : {"embedded_dot", "dot", "additive"} or None
        The function of the attention graph; None, the default, leaves that graph out.
    heads : int
        Attention graphs in parallel, each with weights of its own.
    learn_mixing : bool
        Learn how much of each of the two graphs to take; `mixing_` tells.
    residual : bool
        Whether the expression is added to the result of the graphs.
    channels : int
        Features of a gene. With 1, a gene is its expression; with more, a learned vector times it.
    num_layers : int
        Interaction layers in a line.
    hidden_channels : sequence of int
        Widths of the hidden layers of the head, such as (128, 64); none by default.
    dropout : float
        Probability of dropping a hidden unit of the head in training.
    head_init : {"pca", "autoencoder", "random"}
        How the head starts, see `gene_gcn.training.gradient.initialize_head`.
    missing_genes : {"fill", "zero"}
        What stands for genes that a query lacks: their expectation given those it has, by the principal
        components of the training cells, or zero.
    optimizer : {"auto", "lbfgs", "sgd", "adam"}
        "lbfgs" fits a head without hidden layers exactly, see `gene_gcn.training.linear_head.fit_linear_head`; with one
        channel, at most one layer and no attention. "sgd" is stochastic gradient descent with Nesterov
        momentum, "adam" the paper's. "auto" is "lbfgs" where that can be, otherwise "sgd". The parameters that
        follow, but for `class_weight`, `device` and `random_state`, are those of gradient descent.
    learning_rate : float, optional
        By default chosen by the scale of the data, see `gene_gcn.training.gradient.TrainingOptions`.
    weight_decay : float
    class_weight : "balanced", None or dict of label to weight
        Weights of the types in the loss. "balanced", the default, lets all types count the same, however many
        cells they have, so that probabilities are those of a query with equal shares.
    batch_size : int
    max_epochs : int
    patience : int
        Epochs without a better validation loss after which training stops.
    validation_fraction : float
        Share of the training cells, drawn evenly from all types, that is kept to stop training early. 0
        trains on all cells for `max_epochs`, as happens when the share has under five cells per type.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps"…
    random_state : int, RandomState or None
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    classes_ : ndarray, shape (K,)
        The types, in the order of the columns of `predict_proba`.
    genes_ : tuple of str, or None
        The training genes, N of them; None where X had no names.
    network_ : GeneNetwork or None
        The global graph aligned to the genes, before diagonal and normalisation.
    gene_match_ : gene_gcn.networks.GeneMatch or None
        How the genes were found in "string" or "biogrid": print it. None for other networks and after `load`.
    normalizer_ : Normalizer
    model_ : gene_gcn.nn.GeneGCN
    mixing_ : DataFrame
        Weights "individual" and "global" of the two graphs, a row for each layer, with one channel times W.
    low_rank_genes_ : gene_gcn.training.imputation.LowRankGenes or None
        From which missing genes are filled in; None without gene names.
    history_ : DataFrame
        Losses of each epoch; of "lbfgs" the loss of each "path" of the head, and that of cells held out from it
        ("held out"; for each weight of the global graph that was tried).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, only if X is a DataFrame with such column names

    References
    ----------
    The model: "Single cell RNA Sequence Classification with Neural Networks". The parts: Wu et al. 2019,
    doi:10.1109/CVPR.2019.01020 (attention), Kipf & Welling 2017, arXiv:1609.02907 (graph convolution).

    Examples
    --------
    >>> import scanpy as sc
    >>> from gene_gcn import GeneGCNClassifier
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> clf = GeneGCNClassifier(network="coexpression", use_raw=True, max_epochs=5, random_state=0)
    >>> clf = clf.fit(adata[::2], "bulk_labels")
    >>> clf.predict(adata[1::2]).shape
    (350,)
    """

    def __init__(
        self,
        network=None,
        *,
        organism=None,
        normalization="auto",
        layer=None,
        use_raw=False,
        gene_column=None,
        diagonal=0,
        network_normalization="sym",
        attention=None,
        heads=1,
        learn_mixing=False,
        residual=True,
        channels=1,
        num_layers=1,
        hidden_channels=(),
        dropout=0.0,
        head_init="pca",
        missing_genes="fill",
        optimizer="auto",
        learning_rate=None,
        weight_decay=0.0,
        class_weight="balanced",
        batch_size=64,
        max_epochs=100,
        patience=8,
        validation_fraction=0.1,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.network = network
        self.organism = organism
        self.normalization = normalization
        self.layer = layer
        self.use_raw = use_raw
        self.gene_column = gene_column
        self.diagonal = diagonal
        self.network_normalization = network_normalization
        self.attention = attention
        self.heads = heads
        self.learn_mixing = learn_mixing
        self.residual = residual
        self.channels = channels
        self.num_layers = num_layers
        self.hidden_channels = hidden_channels
        self.dropout = dropout
        self.head_init = head_init
        self.missing_genes = missing_genes
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def paper(cls, network=None, **changes) -> GeneGCNClassifier:
        """The settings of the paper: scores divided by the largest, random head, Adam, one cell a batch.

        The paper's batch is 64 without a graph. Widths of the head, normalisation and stopping rule are not
        in it; they are ours here.
        """
        settings = {
            "normalization": "log1p",
            "network_normalization": "max",
            "attention": "embedded_dot",
            "hidden_channels": (128, 64),
            "head_init": "random",
            "missing_genes": "zero",
            "optimizer": "adam",
            "class_weight": None,
            "batch_size": 1,
        }
        return cls(network, **settings | changes)

    # ---- learning ----

    def fit(self, X, y=None, unlabelled=None) -> GeneGCNClassifier:
        """Learn from labelled cells, and from unlabelled ones as well where there are any.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, N)
            Expression: counts, or values that `gene_gcn.cells.expression.detect_scale` knows.
        y : str or array-like, shape (B,)
            The name of a column of `X.obs`, or the labels. Where unlabelled cells are of use, labels may be
            missing (None, NaN, empty text).
        unlabelled : what X may be, optional
            Cells without labels, such as those to be named: for the components of "lbfgs", or the autoencoder
            of `head_init="autoencoder"`. Their genes are matched as in `predict`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter out of its range; cells, genes or labels that cannot be used; a network without an
            edge between these genes. Nothing is trained before all of this is checked.
        """
        self.check_parameters()
        expression, labels, unlabelled = self._read_all(X, y, unlabelled)
        seed = self._seed()

        missing = is_missing(labels)
        labels = labels[~missing]
        self.classes_, target = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "Classifier can't train when only one class is present: the labels are "
                f"{list(self.classes_)}."
            )
        class_weight = self._class_weights(labels)
        self.genes_ = expression.genes
        self.normalizer_ = Normalizer.fit(expression, self.normalization)
        matrix = self.normalizer_.transform(expression)
        self.network_ = self._aligned_network(matrix, expression)
        others = [] if unlabelled is None else [self.normalizer_.transform(unlabelled)]
        if missing.any():
            others.append(matrix[missing])
            matrix = matrix[~missing]
        self.model_ = self._build_model(seed)
        self.low_rank_genes_ = None
        if self.missing_genes == "fill" and self.genes_ is not None:
            self.low_rank_genes_ = learn_low_rank_genes(
                sparse.vstack([matrix, *others], "csr"), seed=seed, device=choose_device(self.device)
            )
        fit_head = self._fit_exactly if self._optimizer() == "lbfgs" else self._train
        self.history_ = pd.DataFrame(fit_head(matrix, target, others, class_weight, seed))
        return self

    def _fit_exactly(self, matrix, target, others, class_weight, seed) -> list[dict[str, Any]]:
        graph = self._graph()
        if graph is not None and matrix.nnz and matrix.data.min() < 0:
            warnings.warn(
                "X has negative values, for which the layer is not linear: the network is left out. "
                "Pass optimizer='sgd' to train with it.",
                UserWarning,
                stacklevel=3,
            )
            graph = None
        return fit_linear_head(
            self.model_,
            matrix,
            target,
            graph=graph,
            class_weight=class_weight,
            unlabelled=sparse.vstack(others, "csr") if others else None,
            device=choose_device(self.device),
            seed=seed,
        )

    def _train(self, matrix, target, others, class_weight, seed) -> list[dict[str, Any]]:
        training, validation = self._split(target, seed)
        pretraining = self._dataset(sparse.vstack([matrix[training], *others], "csr")) if others else None
        return train(
            self.model_,
            self._dataset(matrix[training], target[training]),
            self._dataset(matrix[validation], target[validation]) if len(validation) else None,
            graph=self._graph(),
            class_weight=class_weight,
            pretraining=pretraining,
            options=self._options(),
            seed=seed,
        )

    def _needs_gradients(self) -> list[str]:
        """Parameters for which the head cannot be fitted exactly."""
        needs = {
            "attention": self.attention is not None,
            "channels": self.channels != 1,
            "num_layers": self.num_layers > 1,
            "residual": not self.residual,
            "dropout": self.dropout > 0,
            "hidden_channels": len(self.hidden_channels) > 0,
            "head_init": self.head_init != "pca",
        }
        return [name for name, needed in needs.items() if needed]

    def _optimizer(self) -> str:
        if self.optimizer != "auto":
            return self.optimizer
        return "sgd" if self._needs_gradients() else "lbfgs"

    def check_parameters(self) -> None:
        super().check_parameters()
        choices = {
            "diagonal": (0, 1),
            "network_normalization": ("sym", "max"),
            "missing_genes": ("fill", "zero"),
            "optimizer": ("auto", "lbfgs", "sgd", "adam"),
            "head_init": ("pca", "autoencoder", "random"),
            "attention": (*ATTENTIONS, None),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                self._refuse(name, f"must be one of {allowed}")
        self._check_whole_numbers("channels", "heads")
        self._check_whole_numbers("num_layers", least=0)
        if not 0 <= self.dropout < 1:
            self._refuse("dropout", "must be at least 0 and below 1")
        if self.attention == "dot" and self.channels % self.heads:
            self._refuse(
                "heads", f"does not divide channels={self.channels}; the graphs of attention='dot' share them"
            )
        if self.learn_mixing and (self.attention is None or self.network is None):
            self._refuse("learn_mixing", "needs both graphs: an attention and a network")
        if self.learning_rate is not None and not self.learning_rate > 0:
            self._refuse("learning_rate", "must be positive; by default it is chosen by the data")
        if not self.weight_decay >= 0:
            self._refuse("weight_decay", "must not be negative")
        if min(self.hidden_channels, default=1) < 1:
            self._refuse("hidden_channels", "must hold positive widths, or nothing")
        if self.head_init == "autoencoder" and not len(self.hidden_channels):
            self._refuse(
                "head_init", "initialises hidden layers, and there are none: pass hidden_channels=(128, 64)"
            )
        if self.optimizer == "lbfgs" and (others := self._needs_gradients()):
            settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in others)
            self._refuse("optimizer", f"fits a linear head and cannot train {settings}; pass 'sgd' or 'adam'")

    def _read_all(self, X, y, unlabelled) -> tuple[Expression, np.ndarray, Expression | None]:
        pretrains = self.head_init == "autoencoder" or self._optimizer() == "lbfgs"
        if unlabelled is not None and not pretrains:
            raise ValueError(
                "unlabelled cells are learned from by optimizer='lbfgs' and head_init='autoencoder' "
                f"only, but optimizer={self._optimizer()!r} and head_init={self.head_init!r}; change "
                "one, or leave unlabelled out."
            )
        expression = self._read_training(X)
        if is_anndata(X):
            labels = read_labels(X, y, allow_missing=pretrains)
        else:
            if y is not None and not isinstance(y, str):  # else read_labels says what is wrong
                y = column_or_1d(y, warn=True)
            labels = read_labels(X if isinstance(y, str) else expression.X, y, allow_missing=pretrains)
            check_classification_targets(labels[~is_missing(labels)])
        return expression, labels, None if unlabelled is None else self._read(unlabelled)

    def _class_weights(self, labels: np.ndarray) -> torch.Tensor | None:
        if self.class_weight is None:
            return None
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=labels)
        return torch.tensor(weights, dtype=torch.float32)

    def _aligned_network(self, matrix, expression: Expression) -> GeneNetwork | None:
        network = self.network
        self.gene_match_ = None
        if network is None:
            return None
        genes = expression.genes or tuple(map(str, range(matrix.shape[1])))
        if isinstance(network, str) and network == "coexpression":
            return networks.coexpression(matrix, genes=genes, counts=False)
        if isinstance(network, str) and network in ("string", "biogrid"):
            network, self.gene_match_ = networks.for_genes(network, genes, self.organism)
            return network
        if not isinstance(network, GeneNetwork):
            is_path = isinstance(network, (str, Path))
            try:
                network = (
                    networks.from_file(network, organism=self.organism) if is_path else networks.read(network)
                )
            except (TypeError, ValueError) as error:
                raise ValueError(f"network={network!r:.80} cannot be read: {error}") from error
        if expression.genes is None:
            if network.num_genes != len(genes):
                raise ValueError(
                    f"network has {network.num_genes:,} genes, X {len(genes):,} columns without "
                    "names. Pass X as an AnnData or DataFrame to match them by name."
                )
            return network
        aligned = network.align(genes)
        shared = len(set(network.genes).intersection(genes))
        if shared < SMALLEST_OVERLAP * min(network.num_genes, len(genes)) or not aligned.num_edges:
            raise ValueError(
                f"network and X share {shared:,} genes and {aligned.num_edges:,} edges between "
                f"them: the network's genes are like {network.genes[:3]}, those of X like "
                f"{genes[:3]}. Is one of them of another species, or does gene_column= name "
                "the same kind of genes?"
            )
        return aligned

    def _build_model(self, seed: int = 0) -> GeneGCN:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return GeneGCN(
                self.normalizer_.n_genes,
                len(self.classes_),
                self.channels,
                self._num_layers(),
                tuple(self.hidden_channels),
                attention=self.attention,
                heads=self.heads,
                learn_mixing=self.learn_mixing,
                residual=self.residual,
                dropout=self.dropout,
            )

    @property
    def mixing_(self) -> pd.DataFrame:
        weights = [conv.effective_mixing().tolist() for conv in self.model_.convs]
        return pd.DataFrame(weights, columns=["individual", "global"]).rename_axis("layer")

    def _num_layers(self) -> int:
        """Without any graph nothing is left of the layers."""
        return self.num_layers if self.attention is not None or self.network_ is not None else 0

    def _split(self, target: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the training and of the validation cells; the latter may be none."""
        cells, counts = np.arange(len(target)), np.bincount(target)
        divisible = counts[target] >= 2  # a type's only cell is for training
        n_validation = int(self.validation_fraction * divisible.sum())
        if n_validation < VALIDATION_CELLS_PER_TYPE * len(counts):
            return cells, cells[:0]
        training, validation = train_test_split(
            cells[divisible], test_size=n_validation, random_state=seed, stratify=target[divisible]
        )
        return np.concatenate([training, cells[~divisible]]), validation

    def _options(self) -> TrainingOptions:
        shared = {f.name: getattr(self, f.name) for f in fields(TrainingOptions) if hasattr(self, f.name)}
        return TrainingOptions(**shared | {"optimizer": self._optimizer()}, progress=bool(self.verbose))

    def _dataset(self, matrix, target: np.ndarray | None = None) -> CellDataset:
        group = self.attention is not None and self._num_layers() > 0
        return CellDataset(matrix, target, self.channels, group)

    def _graph(self) -> GlobalGraph | None:
        if self.network_ is None:
            return None
        network = self.network_.with_diagonal(self.diagonal).normalized(self.network_normalization)
        return GlobalGraph(network.adj_t).prepare()

    def _model_and_graph(self) -> tuple[GeneGCN, GlobalGraph | None]:
        """To name cells by; without layers where W is 0 and they would add 0 × the network."""
        model = self.model_
        takes_network = self.attention is not None or any(conv.lin.weight.any() for conv in model.convs)
        if self.network_ is None or takes_network or not self.residual:
            return model, self._graph()
        model = copy.deepcopy(model)
        model.convs = torch.nn.ModuleList()
        return model, None

    # ---- naming ----

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each type.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, any number of genes)
            Genes are matched by name in any order; missing ones are filled in (see `missing_genes`), with a
            warning. Without names the columns must be those of the training set.

        Returns
        -------
        ndarray of float32, shape (B, K)
            Columns in the order of `classes_`.

        Raises
        ------
        ValueError
            X cannot be read, or shares too few genes with the training set.
        """
        expression = self._read_query(X)
        place = self.normalizer_.match(expression)
        cells = self._dataset(self.normalizer_.transform(expression, place))
        genes = present = None
        if self.low_rank_genes_ is not None:
            present = torch.from_numpy(np.isin(np.arange(self.normalizer_.n_genes), place))
            genes = None if present.all() else self.low_rank_genes_
        model, graph = self._model_and_graph()
        logits = predict_logits(model, cells, graph, self.device, genes, present)
        return logits.softmax(1).numpy()

    def predict(self, X) -> np.ndarray:
        """The most probable type of each cell, shape (B,), in the labels' own dtype; X as `predict_proba`."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def score(self, X, y, sample_weight=None) -> float:
        """Accuracy on labelled cells; `y` may name a column of `X.obs`."""
        return super().score(X, read_labels(X, y), sample_weight)

    def annotate(self, adata, key_added: str = "gene_gcn") -> None:
        """Write the types of an AnnData's cells into it.

        Writes `obs[key_added]` (categorical), `obs[key_added + "_confidence"]` (probability of that type),
        `obsm[key_added + "_proba"]` (DataFrame of all types) and `uns[key_added]` (how they were made).

        Parameters
        ----------
        adata : AnnData
        key_added : str
        """
        from gene_gcn import __version__

        if not is_anndata(adata):
            raise ValueError(
                f"adata is a {type(adata).__name__}; annotate takes an AnnData, predict the rest."
            )
        probability = self.predict_proba(adata)
        best = probability.argmax(1)
        source = self.network_.source if self.network_ is not None else None
        adata.obs[key_added] = pd.Categorical.from_codes(best, categories=self.classes_)
        adata.obs[f"{key_added}_confidence"] = probability.max(1)
        adata.obsm[f"{key_added}_proba"] = pd.DataFrame(
            probability, index=adata.obs_names, columns=[str(label) for label in self.classes_]
        )
        adata.uns[key_added] = {
            "version": __version__,
            "normalization": self.normalizer_.method,
            "network": str(source or self.network_ or "none"),
        }

    # ---- files ----

    def save(self, path: str | Path) -> None:
        """Write the fitted classifier into a folder of safetensors and JSON, whole or not at all.

        A model that is there already is replaced.

        Raises
        ------
        ValueError
            The path is something else than a model; labels of a dtype that JSON cannot hold.
        """
        check_is_fitted(self)
        config = {
            "parameters": self._saved_parameters(),
            "classes": _labels_to_dict(self.classes_),
            "normalizer": self.normalizer_.to_dict(),
            "network": None if self.network_ is None else self.network_.to_dict(),
            "feature_names_in": getattr(self, "feature_names_in_", np.array([])).tolist(),
            "history": self.history_.to_dict("list"),
        }
        parts = {
            "model": self.model_.state_dict(),
            "normalizer": self.normalizer_.arrays(),
            "network": {} if self.network_ is None else self.network_.arrays(),
            "low_rank_genes": {} if self.low_rank_genes_ is None else vars(self.low_rank_genes_),
        }
        write_model(
            path,
            config,
            {f"{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()},
        )

    @classmethod
    def load(cls, path: str | Path) -> GeneGCNClassifier:
        """Read a classifier that `save` wrote; it predicts the same, bit for bit. No code of the file runs.

        A `GeneNetwork` comes back aligned to the training genes.

        Raises
        ------
        FileNotFoundError
            There is nothing at the path.
        ValueError
            The folder is not a model, is damaged, or is of a newer version.
        """
        config, tensors = read_model(path)
        parts: dict[str, dict[str, Any]] = {
            "model": {},
            "normalizer": {},
            "network": {},
            "low_rank_genes": {},
        }
        for name, value in tensors.items():
            part, _, key = name.partition(".")
            parts[part][key] = value

        parameters = config["parameters"]
        clf = cls(**parameters)
        clf.hidden_channels = tuple(clf.hidden_channels)
        if isinstance(clf.class_weight, list):
            clf.class_weight = dict(map(tuple, clf.class_weight))
        clf.classes_ = _labels_from_dict(config["classes"])
        clf.normalizer_ = Normalizer.from_dict(config["normalizer"], _arrays(parts["normalizer"]))
        clf.genes_, clf.n_features_in_ = clf.normalizer_.genes, clf.normalizer_.n_genes
        clf.network_ = clf.gene_match_ = None
        if config["network"] is not None:
            genes = clf.genes_ or tuple(map(str, range(clf.n_features_in_)))
            clf.network_ = GeneNetwork.from_dict(genes, config["network"], _arrays(parts["network"]))
            clf.network = clf.network if isinstance(clf.network, str) else clf.network_
        if config["feature_names_in"]:
            clf.feature_names_in_ = np.array(config["feature_names_in"], dtype=object)
        clf.low_rank_genes_ = LowRankGenes(**parts["low_rank_genes"]) if parts["low_rank_genes"] else None
        clf.history_ = pd.DataFrame(config["history"])
        clf.model_ = clf._build_model()
        clf.model_.load_state_dict(parts["model"])
        clf.model_.eval()
        return clf

    def _saved_parameters(self) -> dict[str, Any]:
        """Parameters as JSON; a network object is saved by its edges, a device belongs to a machine."""
        parameters = self.get_params(deep=False) | {"device": "auto"}
        if not isinstance(self.network, str):
            parameters["network"] = None
        if not isinstance(self.random_state, (int, np.integer)):
            parameters["random_state"] = None
        if isinstance(self.class_weight, dict):
            parameters["class_weight"] = [
                [_plain(label), weight] for label, weight in self.class_weight.items()
            ]
        return parameters | {"hidden_channels": list(map(int, self.hidden_channels))}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _labels_to_dict(labels: np.ndarray) -> dict[str, Any]:
    values = labels.tolist()
    if not all(isinstance(value, (str, bool, int, float)) for value in values):
        raise ValueError(
            f"Labels of type {type(values[0]).__name__} cannot be saved; fit with text or numbers."
        )
    return {"dtype": labels.dtype.str, "values": values}


def _labels_from_dict(saved: dict[str, Any]) -> np.ndarray:
    return np.array(saved["values"], dtype=np.dtype(saved["dtype"]))


def _arrays(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
