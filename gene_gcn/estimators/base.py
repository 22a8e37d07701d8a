"""`CellEstimator`: what the classifier and the embedding share of scikit-learn's contract."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeAlias

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from gene_gcn.cells import (
    CellBlocks,
    Expression,
    Normalizer,
    as_cells,
    check_scale,
    is_anndata,
    open_cells,
    read_expression,
)
from gene_gcn.cells.gene_panels import GenePanels
from gene_gcn.errors import Argument, ArgumentError, EmptyCellsWarning, warn
from gene_gcn.estimators.evidence import Evidence
from gene_gcn.estimators.other_species import OtherSpecies
from gene_gcn.genes.orientation import genes_in_rows
from gene_gcn.training.device import choose_device

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    CellsLike: TypeAlias = (
        "AnnData | pd.DataFrame | sparse.spmatrix | sparse.sparray | np.ndarray | str | os.PathLike[str]"
    )

MOST_GENES = 100_000  # no matrix has more
LEARNED_ZEROS = (
    "these zeros are learned as if they were measured. To train on the genes of all panels only, join them "
    "with anndata.concat(join='inner')"
)


@dataclass(frozen=True, eq=False)
class Query:
    """Cells brought to the genes and the scale of the training cells.

    Attributes
    ----------
    matrix : csr_matrix of float32, shape (B, N)
    panels : GenePanels
        The genes that were measured in each cell.
    evidence : Evidence
        How far the expression of each cell can be trusted.
    """

    matrix: sparse.csr_matrix
    panels: GenePanels
    evidence: Evidence

    @property
    def measured(self) -> np.ndarray:
        """Genes that were measured in all cells, a mask (N,)."""
        return np.logical_and.reduce([genes for _, genes in self.panels])

    @classmethod
    def empty(cls, n_genes: int) -> Query:
        """Return a query of no cells."""
        panels = GenePanels.single(np.ones(n_genes, bool), 0)
        return cls(sparse.csr_matrix((0, n_genes), dtype=np.float32), panels, Evidence(np.empty(0, int), 0.0))


class CellEstimator(BaseEstimator):
    """An estimator whose X is cells.

    They are a matrix, an AnnData read by `layer`, `use_raw` and `gene_column`, or the path of a file.
    """

    layer: str | None
    use_raw: bool
    gene_column: str | None
    normalization: str
    scale: str | None
    batch_size: int
    max_epochs: int
    patience: int
    validation_fraction: float
    n_jobs: int | None
    device: str
    random_state: Any
    verbose: bool
    genes_: tuple[str, ...] | None
    n_features_in_: int
    normalizer_: Normalizer

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _unfitted_copy(self) -> Self:
        """Return the same estimator, with the same parameter objects, as it is before `fit`.

        `fit` learns into it and takes over all that was learned at once, so that a fit that is interrupted
        leaves the estimator as it was.
        """
        other = copy(self)
        other.__dict__ = {name: value for name, value in vars(self).items() if not name.endswith("_")}
        return other

    def _take_over(self, fitted: Self) -> Self:
        self.__dict__ = dict(vars(fitted))  # one assignment, which no interrupt divides
        return self

    def check_parameters(self) -> None:
        """Refuse parameters out of their range, as `fit` does before it reads any cells.

        Raises
        ------
        ArgumentError
            Its `argument` is the parameter.
        """
        check_scale(self.scale)
        self._check_whole_numbers("batch_size", "max_epochs", "patience")
        if not 0 <= self.validation_fraction < 1:
            self._refuse("validation_fraction", "must be at least 0 and below 1")
        if self.n_jobs is not None and (not _is_whole(self.n_jobs) or self.n_jobs == 0):
            self._refuse("n_jobs", "must be a number of threads, -1 for all cores, or None for one")
        choose_device(self.device)

    def _check_whole_numbers(self, *names: str, least: int = 1) -> None:
        for name in names:
            value = getattr(self, name)
            if not _is_whole(value) or value < least:
                self._refuse(name, f"must be a whole number, {least} or more")

    def _refuse(self, name: str, *problem: str | Argument) -> NoReturn:
        raise ArgumentError(name, Argument(name, getattr(self, name)), " ", *problem, ".")

    def _read(self, X: CellsLike) -> Expression:
        if is_anndata(X):
            return read_expression(X, self.layer, self.use_raw, self.gene_column, self.scale)
        return read_expression(X, scale=self.scale)

    def _read_training(self, X: CellsLike) -> Expression:
        """Read cells and set `n_features_in_` and `feature_names_in_`."""
        expression = self._read_reference(X)
        if is_anndata(X):
            self.n_features_in_ = expression.X.shape[1]
            self.__dict__.pop("feature_names_in_", None)
        else:
            validate_data(self, X, skip_check_array=True)
        return expression

    def _read_reference(self, X: CellsLike) -> Expression:
        """Read cells of which each row is one."""
        expression = self._read(X)
        _check_orientation(expression.cells or (), expression.genes)
        return expression

    def _how_to_read(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("layer", "use_raw", "gene_column", "scale")}

    def _open_training(self, X: Any) -> CellBlocks:
        """Open cells that stay on disk, and set `n_features_in_`."""
        cells = open_cells(X, **self._how_to_read(), normalize=self.normalization != "none")
        for frame in cells.frames:
            if is_anndata(frame):
                _check_orientation(tuple(map(str, frame.obs_names[:MOST_GENES])), cells.genes)
        self.n_features_in_ = cells.n_genes
        self.__dict__.pop("feature_names_in_", None)
        return replace(cells, progress=bool(self.verbose))

    def _normalize_training(self, expression: Expression) -> sparse.csr_matrix:
        """Set `normalizer_` and return the training cells normalized (B, N); warn if panels were joined."""
        self.normalizer_ = Normalizer.fit(expression, self.normalization)
        self._warn_of_panels(expression)
        return self.normalizer_.transform(expression)

    def _warn_of_panels(self, expression: Expression) -> None:
        self.normalizer_.find_panels(expression, np.arange(expression.X.shape[1]), LEARNED_ZEROS)

    def _read_query(self, X: CellsLike | OtherSpecies, consequence: str) -> Query:
        """Read cells and bring them to the training genes.

        Parameters
        ----------
        X
            Cells, or the path of a file of cells, perhaps of another species.
        consequence : str
            What a warning says about cells with few genes: "their confidence is lowered".
        """
        check_is_fitted(self)
        species = X if isinstance(X, OtherSpecies) else None
        X = as_cells(X if species is None else species.cells)
        if has_no_cells(X):
            warn(EmptyCellsWarning("X contains no cells, so the result is empty."))
            return Query.empty(self.normalizer_.n_genes)
        expression = self._read(X)
        if not is_anndata(X) and (expression.genes is None or self.genes_ is None):
            validate_data(self, X, reset=False, skip_check_array=True)
        if species is None:
            return self._match_query(expression, consequence=consequence)
        return self._match_query(*species.mapped(expression, self.normalizer_), consequence=consequence)

    def _match_query(
        self,
        expression: Expression,
        indexer: np.ndarray | None = None,
        depth: np.ndarray | None = None,
        *,
        consequence: str,
    ) -> Query:
        """Bring cells that were read to the training genes; see `_read_query`.

        Parameters
        ----------
        indexer : ndarray of int, optional
            The training gene of each column; by default found by name.
        depth : ndarray, shape (B,), optional
            As for `Normalizer.rescale`.
        """
        normalizer = self.normalizer_
        indexer = normalizer.match(expression) if indexer is None else indexer
        panels = normalizer.find_panels(expression, indexer)
        matrix = normalizer.transform(expression, indexer, panels, depth)
        present = np.isin(np.arange(normalizer.n_genes), indexer)
        evidence = Evidence.of(matrix, normalizer, present)
        evidence.warn_of_few(consequence)
        return Query(matrix, panels, evidence)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))


def _check_orientation(cells: tuple[str, ...], genes: tuple[str, ...] | None) -> None:
    found = genes_in_rows(cells[:MOST_GENES], genes or ())
    if found:
        text = f"X has genes as rows ({found}), but rows must be cells and columns genes; transpose it (X.T)."
        raise ArgumentError("X", text)


def has_no_cells(X: CellsLike) -> bool:
    shape: tuple[int, ...] = getattr(X, "shape", ())
    return len(shape) == 2 and shape[0] == 0


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer))
