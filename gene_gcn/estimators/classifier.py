"""`GeneGCNClassifier`: scikit-learn's contract around the models and their training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from gene_gcn.cells import (
    CellBlocks,
    Expression,
    NormalizedBlocks,
    are_references,
    as_cells,
    settle_scale,
    stays_on_disk,
)
from gene_gcn.errors import Argument, ArgumentError, LabelWarning, MissingGenesWarning, warn
from gene_gcn.estimators.card import HeldOut, ModelCard, Provenance, described_cells
from gene_gcn.estimators.combining import CombinableClassifier
from gene_gcn.estimators.fit_state import FitState, fingerprint
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.estimators.fitting import TrainingCells, fit_model, head_refit
from gene_gcn.estimators.hierarchy import GivenHierarchy
from gene_gcn.estimators.joined_blocks import JoinedBlocks
from gene_gcn.estimators.model_settings import ModelSettings
from gene_gcn.estimators.saved_checks import reading
from gene_gcn.estimators.saving import SavedClassifier
from gene_gcn.estimators.targets import Targets
from gene_gcn.estimators.training_input import TrainingInput, read_stored_targets
from gene_gcn.genes.names import match_names
from gene_gcn.networks import GeneNetwork, resolve_network
from gene_gcn.training.distributed import (
    agreed,
    in_turn,
    num_processes,
    process_rank,
    same_everywhere,
    were_started,
)
from gene_gcn.training.options import LinearHeadOptions, TrainingOptions
from gene_gcn.training.reproducibility import count_threads
from gene_gcn.training.sampling import draw_sample

if TYPE_CHECKING:
    import networkx as nx

    from gene_gcn.estimators.base import CellsLike
    from gene_gcn.estimators.hierarchy import Parents
    from gene_gcn.nn.gene_gcn import GeneGCN
    from gene_gcn.storage.download import ProgressBar


class GeneGCNClassifier(CombinableClassifier):
    r"""Annotate the types of cells by a graph network whose nodes are genes.

    The expression of each gene is combined with that of the genes it interacts with, in a graph that
    attention learns from each cell and in a gene network that all cells share; the result is added to the
    expression, and fully connected layers classify it:

    .. math:: \hat y = \mathrm{MLP}(X + \mathrm{ReLU}((G(X) + A) X W))

    By default the attention graph G and the hidden layers are left out, since they cost more than they gain
    (docs/benchmarks/attention_accuracy.md). What remains is convex and is fitted to convergence, in seconds;
    how much of the network A to take, which may be nothing, is chosen by cross-validation.

    Parameters
    ----------
    network : None, GeneNetwork, "coexpression", "string", "biogrid", DataFrame, networkx graph or path
        The global graph A; None leaves it out. "coexpression" is computed from the training cells. "string"
        and "biogrid" are downloaded once and matched to the genes, whatever kind of names these have
        (`gene_gcn.networks.for_genes`). Other networks are aligned to the genes by name, or by position if X
        has no gene names.
    organism : str or int, optional
        Name or taxonomy id of the training cells' species, for "string", "biogrid" and their files, and for
        queries of another species; by default inferred from the gene names or the file.
    normalization : {"auto", "sqrt", "log1p", "none"}
        "auto" takes the square root of counts scaled to the median depth of the training cells. Negative
        values, as in scaled data, are refused if genes have names and used unchanged if they have none.
    layer : str, optional
        Layer of an AnnData to read, of queries as well; by default `X`.
    use_raw : bool
        Read `raw` of an AnnData, of queries as well.
    gene_column : str, optional
        Column of `var` that names the genes, of queries as well; by default the index.
    scale : {None, "counts", "cp10k", "log1p", "log2p1", "log10p1", "sqrt"}
        The scale of the expression values: raw counts, other linear values (CP10k, CPM, TPM), logarithms of x
        + 1 to the base e, 2 or 10, square roots. None infers it, for queries too. A scale stated for training
        is used for queries as well, unless their values show that they are on another; set another with
        `set_params` to state that of a query.
    diagonal : {0, 1}
        Weight of the edge from each gene to itself in the global graph.
    network_normalization : {"sym", "max"}
        "sym" divides an edge by the square root of both degrees. "max" divides scores by the largest one, as
        the paper does.
    attention : {"embedded_dot", "dot", "additive"} or None
        Function of the attention graph; None, the default, leaves that graph out.
    heads : int
        Number of attention graphs, each with its own weights.
    learn_mixing : bool
        Learn how much of each of the two graphs to take, see `mixing_`.
    residual : bool
        Add the expression to the result of the graphs.
    channels : int
        Features of a gene. With 1 a gene is its expression; with more, a learned vector times its expression.
    num_layers : int
        Number of interaction layers.
    hidden_channels : sequence of int
        Widths of the hidden layers of the head, such as (128, 64); none by default.
    dropout : float
        Probability of dropping a hidden unit of the head in training.
    head_init : {"pca", "autoencoder", "random"}
        Initialization of the head, see `gene_gcn.training.gradient.initialize_head`.
    missing_genes : {"impute", "refit", "zero"}
        Whether genes that a query lacks get their expectation given those it has, by probabilistic principal
        component analysis of the training cells, or zero. "refit" also fits the head again to the genes that
        the query has, from sums of the training cells that the model keeps (docs/guide/panels.md).
    optimizer : {"auto", "lbfgs", "sgd", "adam"}
        "lbfgs" fits a head without hidden layers exactly (`gene_gcn.training.linear_head.fit_linear_head`);
        it needs one channel, at most one layer and no attention. "sgd" is stochastic gradient descent with
        Nesterov momentum, "adam" the paper's choice. "auto" is "lbfgs" where possible, otherwise "sgd".
        `learning_rate` to `validation_fraction` below, except `class_weight`, are parameters of gradient
        descent.
    learning_rate : float, optional
        By default chosen by the scale of the data, see `gene_gcn.training.options.TrainingOptions`.
    weight_decay : float
        L2 penalty of the optimizer.
    class_weight : "balanced", None or dict of label to weight
        Weights of the types in the loss. With "balanced", the default, all types count the same however many
        cells they have, and probabilities are those for a query with equal shares of all types.
    batch_size : int
        Cells in a step; of each process, if there are several.
    max_epochs : int
        Passes over the training cells, at most.
    patience : int
        Epochs without a better validation loss after which training stops.
    validation_fraction : float
        Share of the training cells, drawn evenly from all types, that is set aside to stop training early. 0
        trains on all cells for `max_epochs`, as happens if the share has fewer than five cells per type.
    n_jobs : int, optional
        Threads that `fit` uses on the CPU: None is 1, -1 all cores. The exact fit gives the same result with
        any number; gradient descent with several threads differs from that with one by accumulated rounding.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps"…
    random_state : int, RandomState or None
        Seed of what is drawn: validation cells, samples, initial weights. The same seed gives the same bits.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    classes_ : ndarray, shape (K,)
        The types, in the order of the columns of `predict_proba`.
    prior_ : ndarray, shape (K,)
        Probabilities of the types of a cell about which nothing is known: equal ones with
        `class_weight="balanced"`, without it the shares of the types in the training cells.
    genes_ : tuple of str, or None
        The N training genes; None if X had no gene names.
    network_ : GeneNetwork or None
        The global graph aligned to the genes, before the diagonal and the normalization.
    gene_match_ : gene_gcn.networks.GeneMatch or None
        How the genes were found in "string" or "biogrid": print it. None for other networks and after `load`.
    normalizer_ : gene_gcn.cells.Normalizer
        Brings cells to the scale of the model.
    fitted_ : gene_gcn.estimators.fitted.LinearModel or GradientModel
        What computes the logits.
    imputer_ : gene_gcn.training.imputation.PPCAImputer or None
        Imputes missing genes; None without gene names or with `missing_genes="zero"`.
    hierarchy_ : gene_gcn.ontology.Hierarchy or None
        The nodes above the types, if `fit` was told of any.
    batches_ : tuple of str
        Names of the batches that the model can `forget`; empty if it keeps none apart.
    card_ : gene_gcn.ModelCard
        What the training cells say of themselves, and what `save` was told.
    provenance_ : gene_gcn.estimators.card.Provenance or None
        When and with what the model was fitted; None for models saved without it.
    history_ : DataFrame
        Losses: of each epoch, or with "lbfgs" of each member of the ensemble and of the cross-validation.
    n_features_in_ : int
        N.
    feature_names_in_ : ndarray of str, only if X is a DataFrame with such column names

    References
    ----------
    The model: "Single cell RNA Sequence Classification with Neural Networks". Its parts: Wu et al. 2019,
    doi:10.1109/CVPR.2019.01020 (attention), Kipf & Welling 2017, arXiv:1609.02907 (graph convolution).

    Examples
    --------
    >>> import scanpy as sc
    >>> from gene_gcn import GeneGCNClassifier
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> clf = GeneGCNClassifier(network="coexpression", use_raw=True, random_state=0)
    >>> clf = clf.fit(adata[::2], "bulk_labels")
    >>> clf.predict(adata[1::2]).shape
    (350,)
    """

    def __init__(
        self,
        network: GeneNetwork | str | Path | pd.DataFrame | nx.Graph | None = None,
        *,
        organism: str | int | None = None,
        normalization: Literal["auto", "sqrt", "log1p", "none"] = "auto",
        layer: str | None = None,
        use_raw: bool = False,
        gene_column: str | None = None,
        scale: str | None = None,
        diagonal: Literal[0, 1] = 0,
        network_normalization: Literal["sym", "max"] = "sym",
        attention: Literal["embedded_dot", "dot", "additive"] | None = None,
        heads: int = 1,
        learn_mixing: bool = False,
        residual: bool = True,
        channels: int = 1,
        num_layers: int = 1,
        hidden_channels: Sequence[int] = (),
        dropout: float = 0.0,
        head_init: Literal["pca", "autoencoder", "random"] = "pca",
        missing_genes: Literal["impute", "refit", "zero"] = "impute",
        optimizer: Literal["auto", "lbfgs", "sgd", "adam"] = "auto",
        learning_rate: float | None = None,
        weight_decay: float = 0.0,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = "balanced",
        batch_size: int = 64,
        max_epochs: int = 100,
        patience: int = 8,
        validation_fraction: float = 0.1,
        n_jobs: int | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.network = network
        self.organism = organism
        self.normalization = normalization
        self.layer = layer
        self.use_raw = use_raw
        self.gene_column = gene_column
        self.scale = scale
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
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def paper(cls, network: GeneNetwork | str | Path | None = None, **changes: Any) -> GeneGCNClassifier:
        """Return a classifier with the paper's settings, such as Adam and batches of one cell.

        Without a graph the paper's batch is 64. It does not give widths of the head, normalization and
        stopping rule; these are chosen here.

        Parameters
        ----------
        network : GeneNetwork, str or path, optional
            The global graph, as in `GeneGCNClassifier`.
        **changes
            Other parameters, instead of the paper's.

        Returns
        -------
        GeneGCNClassifier
            Not fitted.
        """
        settings: dict[str, Any] = {
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

    # ---- fitting ----

    def fit(
        self,
        X: CellsLike | Sequence[CellsLike],
        y: str | Sequence[Any] | None = None,
        unlabelled: CellsLike | None = None,
        *,
        batch: str | Sequence[Any] | None = None,
        parents: Parents | None = None,
        checkpoint: str | Path | None = None,
    ) -> GeneGCNClassifier:
        """Learn from labeled cells, and from unlabeled ones if there are any.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, N)
            Expression: counts, or values on a scale that `gene_gcn.cells.detect_scale` knows. Or the path of
            a file that `gene_gcn.cells.read_cells` reads, as wherever cells are expected. Or a list of
            references (AnnData, DataFrames or paths), which are joined on the genes that all of them have,
            each from its own scale. Types may be in some of them only.
            Or cells that stay on disk and are read block by block: `gene_gcn.cells.open_cells`, backed
            AnnData, large files, objects like LightGBM's `Sequence` (docs/guide/on_disk.md).
        y : str or array-like, shape (B,)
            The name of a column of `X.obs`, or the labels. With "lbfgs" and `head_init="autoencoder"`, which
            learn from unlabeled cells too, labels may be missing (None, NaN, empty text). A list of columns,
            from coarse to fine (for several references, a list of such lists), makes a hierarchy: the types
            are those of the last column.
        unlabelled : AnnData, DataFrame, sparse matrix or array, optional
            Cells without labels, such as those to annotate. Their genes are matched as in `predict`; the
            model uses only genes that they have. Labels spread to them after their shift is removed, see
            `annotate`.
        batch : str or array-like, shape (B,), optional
            The name of a column of `X.obs`, or the batch of each cell, such as its donor, technology or
            laboratory; several references are batches of their own. For the exact fit only: cross-validation
            leaves whole batches out, so that λ, confidence, `novelty` and `predict_set` are validated on
            batches that the model has not seen (types of a single batch are held out in parts), and
            `annotate` compares a query with the mean of a type over batches. Training by gradients ignores
            from which reference a cell is.
        parents : dict, DataFrame, path of a .csv or .tsv file, Hierarchy or OntologyMap, optional
            The hierarchy of the types (docs/guide/hierarchy.md): from each type or node to what is directly
            above it; or a table with the columns "name" and "parent"; or, as `gene_gcn.ontology.map_names`
            makes it, with "name" and "id", the ids of terms of the Cell Ontology
            (`gene_gcn.ontology.read_map` reads it with an ontology of your own). If `y` has columns from
            coarse to fine, the table gives ids only. The model is the same with a hierarchy as without one.
        checkpoint : path, optional
            Folder for the state of gradient training after each epoch, or of a fit to cells on disk after
            each step. If `fit` is killed, the same call, with a `random_state`, goes on from there and gives
            what it would have given. At the end the state is deleted. Several processes that train by
            gradients need a folder that all of them share.

        Returns
        -------
        self

        Raises
        ------
        ArgumentError
            A parameter out of its range; cells, genes or labels that cannot be used; a network without an
            edge between these genes. All of this is checked before training.
        """
        self.check_parameters()
        new = self._unfitted_copy()
        new._learn(X, y, unlabelled, batch, checkpoint, GivenHierarchy.of(parents))
        return self._take_over(new)

    def _learn(
        self,
        X: CellsLike | Sequence[CellsLike],
        y: str | Sequence[Any] | None,
        unlabelled: CellsLike | None,
        batch: str | Sequence[Any] | None,
        checkpoint: str | Path | None,
        given_hierarchy: GivenHierarchy,
    ) -> None:
        if self._learns_from_disk(X, unlabelled):
            self._learn_from_disk(X, y, batch, checkpoint, given_hierarchy)
            return
        X, y = given_hierarchy.take_levels(X, y)
        if checkpoint is not None and self._settings.chosen_optimizer == "lbfgs":
            problem = " is used by gradient training, and by the exact fit for cells on disk; leave it out."
            raise ArgumentError("checkpoint", Argument("checkpoint"), problem)
        unlabelled = as_cells(unlabelled)
        uses_unlabeled = self._settings.uses_unlabeled
        if unlabelled is not None and not uses_unlabeled:
            ways = (Argument("optimizer", "lbfgs"), " or ", Argument("head_init", "autoencoder"))
            problem = " holds cells without labels, which are used only with "
            raise ArgumentError("unlabelled", Argument("unlabelled"), problem, *ways, "; leave it out.")
        if batch is not None and self._settings.chosen_optimizer != "lbfgs":
            problem = " is used by the exact fit only; leave it out, or use "
            raise ArgumentError("batch", Argument("batch"), problem, Argument("optimizer", "lbfgs"), ".")
        given = self._read_input(X, y, batch, allow_missing=uses_unlabeled)
        expression, targets = given.expression, Targets.of(given.labels, self.class_weight)
        unlabeled = None
        if unlabelled is not None:
            with _about("unlabelled"):
                unlabeled = self._read(unlabelled)
            expression = self._keep_shared_genes(expression, unlabeled)
        seed = self._seed()
        self.batches_ = given.batch_names
        self.classes_, self.prior_, self.genes_ = targets.classes, targets.prior, expression.genes
        self.hierarchy_ = given_hierarchy.build(self.classes_)
        self.card_ = given.card
        matrix = self._normalize_training(expression)
        self.network_, self.gene_match_ = resolve_network(
            self.network, expression.genes, num_genes=matrix.shape[1], organism=self.organism, cells=matrix
        )
        others = None if unlabeled is None else self._match_unlabeled(unlabeled)
        self._fit(TrainingCells.of(matrix, targets, given.batch, others, self.network_), seed, checkpoint)

    def _learns_from_disk(self, X: Any, unlabelled: Any) -> bool:
        """Say whether cells are read block by block, which only the exact fit to labeled cells can."""
        possible = unlabelled is None and self.can_learn_from_disk
        return (possible or isinstance(X, CellBlocks)) and stays_on_disk(X, self.layer, self.use_raw)

    @property
    def can_learn_from_disk(self) -> bool:
        """Whether `fit` reads cells block by block where they are many: the exact fit does."""
        return self._settings.chosen_optimizer == "lbfgs"

    def _learn_from_disk(
        self, X: Any, y: Any, batch: Any, checkpoint: str | Path | None, given_hierarchy: GivenHierarchy
    ) -> None:
        if were_started():
            from gene_gcn.training.ranks import join_processes  # with lightning, which takes long to load

            join_processes(self.device)
        with agreed():
            cells = self._open_training(X)
            y = given_hierarchy.take_stored_levels(cells, y)
            labels, batches, self.batches_ = read_stored_targets(cells, y, batch)
            targets = Targets.of(labels, self.class_weight)
        kept = targets.is_labeled
        if not kept.all():
            what = f"{np.count_nonzero(~kept):,} of {len(kept):,} cells have no label"
            warn(LabelWarning(f"{what}; cells on disk are learned from only if they have one."))
            batches = None if batches is None else batches[kept]
            targets = replace(targets, is_labeled=kept[kept])  # blocks yield only these
        seed = same_everywhere(self._seed())
        self.classes_, self.prior_, self.genes_ = targets.classes, targets.prior, cells.genes
        self.hierarchy_ = given_hierarchy.build(self.classes_)
        self.card_ = described_cells(cells.frames)
        place = process_rank(), num_processes()
        cells, self.normalizer_ = cells.fit_normalizer(self.normalization, *place, in_turn)
        blocks = JoinedBlocks(cells, self.normalizer_, kept, *place)
        sample = draw_sample(blocks, targets.y, LinearHeadOptions().sample_cells, seed)
        matrix: sparse.csr_matrix | NormalizedBlocks = blocks
        if sample is None:  # so few that they are in memory
            matrix = blocks.take(np.arange(len(targets.y)))
        seen = matrix if sample is None else sample.X
        with agreed():
            self._warn_of_panels(Expression(seen, cells.genes))
            self.network_, self.gene_match_ = resolve_network(
                self.network, cells.genes, num_genes=cells.n_genes, organism=self.organism, cells=seen
            )
        training = TrainingCells.of(matrix, targets, batches, None, self.network_, sample)
        if checkpoint is None:
            self._fit(training, seed)
            return
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "network"}
        state = FitState(
            checkpoint,
            fingerprint(parameters | {"network": self.network_}, self.normalizer_, targets.y, seed),
        )
        state.load()  # what is wrong is said before cells are read again
        self._fit(training, seed, state=state)
        state.remove()

    def _fit(
        self,
        cells: TrainingCells,
        seed: int,
        checkpoint: str | Path | None = None,
        state: FitState | None = None,
    ) -> None:
        self.fitted_, history = fit_model(
            self._settings,
            cells,
            self._training_options(),
            impute=self.missing_genes != "zero" and self.genes_ is not None,
            can_shift=self.normalizer_.method != "none",
            validation_fraction=self.validation_fraction,
            threads=count_threads(self.n_jobs),
            seed=seed,
            checkpoint=checkpoint,
            state=state,
            refit=head_refit(self.missing_genes, self.prior_, self.normalizer_),
        )
        self.imputer_, self.history_ = self.fitted_.imputer, pd.DataFrame(history)
        self.provenance_ = Provenance.now(_held_out(cells))
        if not isinstance(self.fitted_, LinearModel) or len(self.fitted_.reference.moments.counts) == 1:
            self.batches_ = ()  # whose sums are not kept apart

    def _keep_shared_genes(self, expression: Expression, unlabeled: Expression) -> Expression:
        """Leave out genes that unlabeled cells lack: zeros there would look like a difference of types."""
        if expression.genes is None or unlabeled.genes is None:
            return expression
        shared = np.isin(np.arange(len(expression.genes)), match_names(expression.genes, unlabeled.genes))
        lacking = len(shared) - np.count_nonzero(shared)
        if not lacking or not shared.any():  # without any, matching says what is wrong
            return expression
        what = f" lacks {lacking:,} of the {len(shared):,} genes of X; the model uses the others only."
        warn(MissingGenesWarning(Argument("unlabelled"), what))
        self.n_features_in_ = int(shared.sum())
        self.__dict__.pop("feature_names_in_", None)
        genes = tuple(np.array(expression.genes, dtype=object)[shared])
        return replace(expression, X=expression.X[:, np.flatnonzero(shared)], genes=genes)

    def _match_unlabeled(self, unlabeled: Expression) -> sparse.csr_matrix:
        with _about("unlabelled"):
            query = self._match_query(unlabeled, consequence="little is learned from them")
            absent = np.count_nonzero(~query.measured)
            if absent:
                problem = f"{absent:,} genes were not measured in some of these cells; leave out these genes"
                raise ArgumentError("unlabelled", f"{problem} or these cells.")
        return query.matrix

    def _read_settled(self, X: CellsLike) -> Expression:
        return settle_scale(self._read_reference(X))

    def _read_input(self, X: Any, y: Any, batch: Any, *, allow_missing: bool) -> TrainingInput:
        if not are_references(X):
            return TrainingInput.read(X, y, batch, self._read_training, allow_missing=allow_missing)
        read = self._read_reference if self.normalization == "none" else self._read_settled
        given = TrainingInput.read_several(X, y, batch, read, allow_missing=allow_missing)
        self.n_features_in_ = given.expression.X.shape[1]
        return given

    @property
    def _settings(self) -> ModelSettings:
        return ModelSettings.of(self)

    def _training_options(self) -> TrainingOptions:
        shared = {f.name: getattr(self, f.name) for f in fields(TrainingOptions) if hasattr(self, f.name)}
        return TrainingOptions(
            **shared | {"optimizer": self._settings.chosen_optimizer}, progress=bool(self.verbose)
        )

    def check_parameters(self) -> None:
        """Refuse parameters that cannot be used, as `fit` does."""
        super().check_parameters()
        self._check_whole_numbers("channels", "heads")
        self._check_whole_numbers("num_layers", least=0)
        self._settings.check()
        if self.missing_genes not in ("impute", "refit", "zero"):
            self._refuse("missing_genes", "must be 'impute', 'refit' or 'zero'")
        if self.missing_genes == "refit" and self._settings.chosen_optimizer != "lbfgs":
            self._refuse("missing_genes", "needs the exact fit; use 'impute' where training is by gradients")
        if self.learn_mixing and (self.attention is None or self.network is None):
            self._refuse("learn_mixing", "needs both graphs: an attention and a network")
        if self.learning_rate is not None and not self.learning_rate > 0:
            self._refuse("learning_rate", "must be positive; leave it out to have it chosen by the data")
        if not self.weight_decay >= 0:
            self._refuse("weight_decay", "must not be negative")

    # ---- what was learned ----

    @property
    def model_(self) -> GeneGCN:
        """The fitted model as a torch module."""
        return self.fitted_.module()

    @property
    def mixing_(self) -> pd.DataFrame:
        """Weights "individual" and "global" of the two graphs, a row per layer; with one channel times W."""
        weights = self.fitted_.mixing()
        return pd.DataFrame(weights, columns=["individual", "global"]).rename_axis("layer")

    # ---- saving ----

    def save(self, path: str | Path, card: ModelCard | Mapping[str, Any] | str | Path | None = None) -> None:
        """Write the fitted classifier and a model card, whole or not at all.

        The card, README.md, says what the model was fitted to, how well it did on held-out cells, and what it
        cannot tell (docs/guide/sharing_models.md). A model that is already there is replaced.

        Parameters
        ----------
        path : str or path
            A folder; or a file that ends in .zip, to share it.
        card : gene_gcn.ModelCard, dict or path of a YAML file, optional
            What the card should say besides what `card_` has from the cells; it prevails over that.

        Raises
        ------
        ArgumentError
            The card has unknown fields; the path is something other than a model; or the classifier was
            changed after `fit` such that `load` would refuse it: other parameters, weights that are not
            finite, repeated types.
        """
        check_is_fitted(self)
        self.check_parameters()
        given = ModelCard.of(card)
        SavedClassifier(
            parameters={name: getattr(self, name) for name in GeneGCNClassifier._get_param_names()},
            classes=self.classes_,
            prior=self.prior_,
            normalizer=self.normalizer_,
            network=self.network_,
            fitted=self.fitted_,
            imputer=self.imputer_,
            hierarchy=self.hierarchy_,
            history=self.history_,
            batches=self.batches_,
            feature_names=getattr(self, "feature_names_in_", None),
            card=self.card_.updated(given),
            provenance=self.provenance_,
        ).write(path)

    @classmethod
    def load(cls, path: str | Path, *, progress: bool | ProgressBar = False) -> GeneGCNClassifier:
        """Read a classifier that `save` wrote; it predicts the same, bit for bit.

        No code in the model is run. A `GeneNetwork` comes back aligned to the training genes.

        Parameters
        ----------
        path : str or path
            A folder or a .zip; or an address: ``"https://…/model.zip"``, ``"https://…/folder/"``, or
            ``"hf://owner/name@revision/subfolder"`` on the Hugging Face Hub. A model that was downloaded
            stays in the cache and works offline (docs/guide/sharing_models.md).
        progress : bool or ProgressBar
            Whether to show a progress bar of a download.

        Returns
        -------
        GeneGCNClassifier
            Fitted.

        Raises
        ------
        FileNotFoundError
            There is nothing at the path.
        gene_gcn.networks.DownloadError
            The model cannot be downloaded, and is not in the cache.
        ArgumentError
            It is not a model, is damaged, differs from what was asked for, or was written by a newer version.
        """
        saved = SavedClassifier.read(path, GeneGCNClassifier._get_param_names(), progress)
        clf = cls(**saved.parameters)
        with reading(path):
            clf.check_parameters()
        clf.classes_, clf.prior_ = saved.classes, saved.prior
        clf.normalizer_ = saved.normalizer
        clf.genes_, clf.n_features_in_ = saved.normalizer.genes, saved.normalizer.n_genes
        clf.network_, clf.gene_match_ = saved.network, None
        clf.fitted_, clf.imputer_ = saved.fitted, saved.imputer
        clf.history_, clf.hierarchy_, clf.batches_ = saved.history, saved.hierarchy, saved.batches
        clf.card_, clf.provenance_ = saved.card, saved.provenance
        if saved.feature_names is not None:
            clf.feature_names_in_ = saved.feature_names
        return clf


def _held_out(cells: TrainingCells) -> HeldOut:
    if cells.unlabeled is not None:
        return "labeled"
    return "cells" if cells.batch is None else "batches"


@contextmanager
def _about(argument: str) -> Iterator[None]:
    """Say of errors about cells which argument has these cells."""
    try:
        yield
    except ArgumentError as error:
        raise ArgumentError(argument, Argument(argument), ": ", *error.parts) from error
