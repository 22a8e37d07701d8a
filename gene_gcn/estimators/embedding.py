"""`CellEmbedding`: the autoencoder alone, as a scikit-learn transformer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.model_selection import train_test_split

from gene_gcn.cells.expression import Normalizer, is_anndata
from gene_gcn.estimators.base import CellEstimator
from gene_gcn.nn import GeneAutoEncoder
from gene_gcn.training.gradient import CellDataset, TrainingOptions, encode, train_autoencoder

SMALLEST_VALIDATION = 10  # cells; with fewer, early stopping follows noise


class CellEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CellEstimator):
    r"""Describe cells by a few numbers from which their expression can be given back.

    An autoencoder of fully connected layers, :math:`\hat x = \psi(\phi(x))`, learns to reconstruct the
    normalised expression of all genes; the code :math:`\phi(x)` is the embedding. It is the encoder from
    which `GeneGCNClassifier(head_init="autoencoder")` starts its head, and knows no labels.

    Parameters
    ----------
    hidden_channels : sequence of int
        Widths of the encoder's layers; the last one is that of the code. The decoder is its mirror image.
    normalization, layer, use_raw, gene_column, batch_size, max_epochs, patience, device, random_state, verbose
        As in `GeneGCNClassifier`.
    validation_fraction : float
        Share of the cells that is kept to stop training early. 0 trains on all cells for `max_epochs`, as
        happens when the share is less than ten cells.

    Attributes
    ----------
    genes_, normalizer_, n_features_in_, feature_names_in_
        As in `GeneGCNClassifier`.
    model_ : gene_gcn.nn.GeneAutoEncoder
    history_ : DataFrame
        Mean squared error of each epoch.

    References
    ----------
    Hinton & Zemel 1994, "Autoencoders, minimum description length and Helmholtz free energy", NIPS 6.

    Examples
    --------
    >>> import scanpy as sc
    >>> from gene_gcn import CellEmbedding
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> CellEmbedding((64, 16), use_raw=True, max_epochs=5, random_state=0).fit(adata).annotate(adata)
    >>> adata.obsm["X_gene_gcn"].shape
    (700, 16)
    """

    def __init__(
        self,
        hidden_channels=(128, 64),
        *,
        normalization="auto",
        layer=None,
        use_raw=False,
        gene_column=None,
        batch_size=64,
        max_epochs=100,
        patience=8,
        validation_fraction=0.1,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.hidden_channels = hidden_channels
        self.normalization = normalization
        self.layer = layer
        self.use_raw = use_raw
        self.gene_column = gene_column
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.model_.encoder.out_channels

    def fit(self, X, y=None) -> CellEmbedding:
        """Learn from cells.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, N)
            Expression, as `GeneGCNClassifier.fit` takes it.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter out of its range; cells or genes that cannot be used.
        """
        self.check_parameters()
        expression = self._read_training(X)
        seed = self._seed()
        self.genes_ = expression.genes
        self.normalizer_ = Normalizer.fit(expression, self.normalization)
        matrix = self.normalizer_.transform(expression)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model_ = GeneAutoEncoder(matrix.shape[1], tuple(self.hidden_channels))
        training, validation = np.arange(matrix.shape[0]), None
        held_out = int(self.validation_fraction * len(training))
        if held_out >= SMALLEST_VALIDATION:
            training, validation = train_test_split(training, test_size=held_out, random_state=seed)
        options = TrainingOptions(
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            device=self.device,
            progress=bool(self.verbose),
        )
        history = train_autoencoder(
            self.model_,
            CellDataset(matrix[training], group=False),
            None if validation is None else CellDataset(matrix[validation], group=False),
            options=options,
            seed=seed,
        )
        self.history_ = pd.DataFrame(history)
        return self

    def transform(self, X) -> np.ndarray:
        """The code of each cell.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, any number of genes)
            Genes are matched by name, as `GeneGCNClassifier.predict` does it.

        Returns
        -------
        ndarray of float32, shape (B, hidden_channels[-1])
            Not negative, as it comes from a ReLU.

        Raises
        ------
        ValueError
            X cannot be read, or shares too few genes with the training set.
        """
        expression = self._read_query(X)
        matrix = self.normalizer_.transform(expression)
        return encode(self.model_, CellDataset(matrix, group=False), self.device).numpy()

    def annotate(self, adata, key_added: str = "X_gene_gcn") -> None:
        """Write the codes of an AnnData's cells into `adata.obsm[key_added]`, where scanpy finds them.

        `scanpy.pp.neighbors(adata, use_rep="X_gene_gcn")` goes on from there.
        """
        if not is_anndata(adata):
            raise ValueError(
                f"adata is a {type(adata).__name__}; annotate takes an AnnData, transform the rest."
            )
        adata.obsm[key_added] = self.transform(adata)

    def check_parameters(self) -> None:
        super().check_parameters()
        if not len(self.hidden_channels) or min(self.hidden_channels) < 1:
            self._refuse("hidden_channels", "must hold one or more positive widths")
