"""`CellEmbedding`: the autoencoder alone, as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags

from gene_gcn.cells import Normalizer, as_cells, is_anndata
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators.base import CellEstimator
from gene_gcn.estimators.validation_split import split
from gene_gcn.nn.autoencoder import GeneAutoEncoder
from gene_gcn.training.data import CellDataset
from gene_gcn.training.distributed import same_everywhere
from gene_gcn.training.gradient import train_autoencoder
from gene_gcn.training.inference import encode
from gene_gcn.training.options import TrainingOptions
from gene_gcn.training.ranks import join_processes
from gene_gcn.training.reproducibility import count_threads, exclusive, seeded

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn.estimators.base import CellsLike


class CellEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CellEstimator):
    r"""Embed cells in a few dimensions from which their expression can be reconstructed.

    An autoencoder of fully connected layers, :math:`\hat x = \psi(\phi(x))`, learns to reconstruct the
    normalized expression of all genes without labels; the code :math:`\phi(x)` is the embedding. The same
    kind of encoder initializes the head of `GeneGCNClassifier(head_init="autoencoder")`.

    Parameters
    ----------
    hidden_channels : sequence of int
        Widths of the encoder's layers; the last one is that of the code. The decoder is its mirror image.
    normalization, layer, use_raw, gene_column, scale, batch_size, max_epochs, patience
        As in `GeneGCNClassifier`.
    validation_fraction : float
        Share of the cells that is set aside to stop training early. 0 trains on all cells for `max_epochs`,
        as happens if the share is less than ten cells.
    n_jobs, device, random_state, verbose
        As in `GeneGCNClassifier`.

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

    genes_: tuple[str, ...] | None
    normalizer_: Normalizer
    model_: GeneAutoEncoder
    history_: pd.DataFrame

    def __init__(
        self,
        hidden_channels: Sequence[int] = (128, 64),
        *,
        normalization: Literal["auto", "sqrt", "log1p", "none"] = "auto",
        layer: str | None = None,
        use_raw: bool = False,
        gene_column: str | None = None,
        scale: str | None = None,
        batch_size: int = 64,
        max_epochs: int = 100,
        patience: int = 8,
        validation_fraction: float = 0.1,
        n_jobs: int | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.hidden_channels = hidden_channels
        self.normalization = normalization
        self.layer = layer
        self.use_raw = use_raw
        self.gene_column = gene_column
        self.scale = scale
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.model_.encoder.out_channels

    def fit(self, X: CellsLike, y: object = None) -> CellEmbedding:
        """Learn from cells.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, N)
            Expression, or the path of a file of cells, as `GeneGCNClassifier.fit` takes it.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ArgumentError
            A parameter out of its range; cells or genes that cannot be used.
        """
        self.check_parameters()
        new = self._unfitted_copy()
        new._learn(X)
        return self._take_over(new)

    def _learn(self, X: CellsLike) -> None:
        expression = self._read_training(as_cells(X))
        join_processes(self.device)
        seed = same_everywhere(self._seed())
        self.genes_ = expression.genes
        matrix = self._normalize_training(expression)
        training, validation = split(matrix.shape[0], self.validation_fraction, seed)
        options = TrainingOptions(
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            device=self.device,
            progress=bool(self.verbose),
        )
        with exclusive(count_threads(self.n_jobs)):
            with seeded(seed):
                self.model_ = GeneAutoEncoder(matrix.shape[1], tuple(self.hidden_channels))
            history = train_autoencoder(
                self.model_,
                CellDataset(matrix[training], group=False),
                CellDataset(matrix[validation], group=False) if len(validation) else None,
                options=options,
                seed=seed,
            )
        self.history_ = pd.DataFrame(history)

    def transform(self, X: CellsLike) -> np.ndarray:
        """Return the code of each cell.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, any number of genes)
            Genes are matched by name, as in `GeneGCNClassifier.predict`. EmptyCellsWarning says how many
            cells express too few of the model's genes for their codes to mean much.

        Returns
        -------
        ndarray of float32, shape (B, hidden_channels[-1])
            Not negative, as it comes from a ReLU.

        Raises
        ------
        ArgumentError
            X cannot be read, or shares too few genes with the training set.
        """
        matrix = self._read_query(X, "their codes are unreliable").matrix
        if not matrix.shape[0]:
            return np.empty((0, self._n_features_out), np.float32)
        return encode(self.model_, CellDataset(matrix, group=False), self.device).numpy()

    def annotate(self, adata: AnnData, key_added: str = "X_gene_gcn") -> None:
        """Write the codes of an AnnData's cells into `adata.obsm[key_added]`, where scanpy finds them.

        Continue with `scanpy.pp.neighbors(adata, use_rep="X_gene_gcn")`.

        Parameters
        ----------
        adata : AnnData
            B cells, as in `transform`.
        key_added : str
            Name of the (B, C) codes in `obsm`.

        Raises
        ------
        ArgumentError
            `adata` is not an AnnData, or as in `transform`.
        """
        if not is_anndata(adata):
            kind = type(adata).__name__
            raise ArgumentError(
                "adata", f"annotate takes an AnnData, but adata is a {kind}; use transform instead."
            )
        adata.obsm[key_added] = self.transform(adata)

    def check_parameters(self) -> None:
        """Refuse parameters that cannot be used, as `fit` does."""
        super().check_parameters()
        if not len(self.hidden_channels) or min(self.hidden_channels) < 1:
            self._refuse("hidden_channels", "must hold one or more positive widths")
