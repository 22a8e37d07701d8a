"""What came in: the cells, as a classifier reads them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells import UNASSIGNED, Expression, open_cells, read_expression
from gene_gcn.cells.scale import LINEAR
from gene_gcn.errors import Argument, GeneGCNWarning
from gene_gcn.plots.types import as_types

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier

MOST_CELLS = 4_000  # in figures and explanations; up to 4,095, scanpy finds exact neighbors without compiling


@dataclass(frozen=True)
class Spread:
    """The 5th percentile, the median and the 95th percentile of a number over cells."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread | None:
        """Return None if there are no values."""
        return cls(*np.percentile(values, (5, 50, 95)).tolist()) if len(values) else None


@dataclass(frozen=True)
class CellsRead:
    """Cells of a query, in numbers.

    Attributes
    ----------
    n_cells : int
    n_measured : int
        Cells of which depth and genes per cell are; fewer than all if these stay on disk.
    n_genes : int
    scale : str
        What the values are, and how that is known.
    scale_is_certain : bool
    n_model_genes, n_matched : int
        Genes of the model, and how many of them the cells have.
    depth : Spread or None
        Counts of a cell; None if values are not counts.
    genes_per_cell : Spread or None
        Genes that a cell expresses.
    n_empty : int
        Cells that express none of the model's genes.
    notes : tuple of str
        Warnings of reading the cells, or up to 4,000 of them.
    """

    n_cells: int
    n_measured: int
    n_genes: int
    scale: str
    scale_is_certain: bool
    n_model_genes: int
    n_matched: int
    depth: Spread | None
    genes_per_cell: Spread | None
    n_empty: int
    notes: tuple[str, ...]

    @property
    def n_missing(self) -> int:
        return self.n_model_genes - self.n_matched


@dataclass(frozen=True, eq=False)
class Sample:
    """Cells for figures and explanations: all of them, or 4,000 drawn at random.

    Attributes
    ----------
    adata : AnnData
        A copy, in memory.
    X : csr_matrix of float32, shape (cells, N)
        Their normalized expression in the genes of the model.
    measured : ndarray of bool, shape (N,)
        Genes of the model that all of them have.
    names : dict of str to str
        What genes of the model are called in `adata`, where that differs.
    is_all : bool
    """

    adata: AnnData
    X: sparse.csr_matrix
    measured: np.ndarray
    names: dict[str, str]
    is_all: bool


def read(
    clf: GeneGCNClassifier, adata: AnnData, X: Any = None, key: str = "gene_gcn"
) -> tuple[CellsRead, Sample | None]:
    """Read cells again, as `annotate` did; no sample is drawn of no cells.

    Of cells X that stay on disk, of which `adata` has the tables, the sample alone is read.
    """
    if X is None:
        return _read_all(clf, adata)
    rows = _draw(adata.n_obs)
    facts, sample = _read_all(clf, _take(clf, adata, X, rows))
    n_empty = int((as_types(adata.obs[key]) == UNASSIGNED).sum())
    facts = replace(facts, n_cells=adata.n_obs, n_empty=n_empty, n_measured=len(rows))
    return facts, None if sample is None else replace(sample, is_all=len(rows) == adata.n_obs)


def _read_all(clf: GeneGCNClassifier, adata: AnnData) -> tuple[CellsRead, Sample | None]:
    n_model = clf.normalizer_.n_genes
    if not adata.n_obs:
        return CellsRead(0, 0, adata.n_vars, "no values", True, n_model, 0, None, None, 0, ()), None
    rows = _draw(adata.n_obs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        everything = read_expression(adata, clf.layer, clf.use_raw, clf.gene_column, clf.scale)
        indexer = clf.normalizer_.match(everything)
        of_sample = replace(everything, X=everything.X[rows])
        panels = clf.normalizer_.find_panels(of_sample, indexer)
        X = clf.normalizer_.transform(of_sample, indexer, panels)
    notes = dict.fromkeys(_text(w.message) for w in caught if isinstance(w.message, GeneGCNWarning))
    expressed = np.diff(everything.X.indptr)
    facts = CellsRead(
        n_cells=adata.n_obs,
        n_measured=adata.n_obs,
        n_genes=everything.X.shape[1],
        scale=_describe_scale(of_sample),
        scale_is_certain=of_sample.scale_is_certain,
        n_model_genes=n_model,
        n_matched=len(np.unique(indexer[indexer >= 0])),
        depth=Spread.of(_depth(everything)) if of_sample.scale in LINEAR[:1] else None,
        genes_per_cell=Spread.of(expressed),
        n_empty=_count_empty(everything, indexer) if clf.normalizer_.input_scale != "scaled" else 0,
        notes=tuple(notes),
    )
    measured = np.logical_and.reduce([genes for _, genes in panels])
    return facts, Sample(
        _copy(adata, rows), X, measured, _other_names(clf, everything, indexer), len(rows) == adata.n_obs
    )


def _draw(n_cells: int) -> np.ndarray:
    """Return the positions of the cells of the sample, sorted."""
    if n_cells <= MOST_CELLS:
        return np.arange(n_cells)
    return np.sort(np.random.default_rng(0).choice(n_cells, MOST_CELLS, replace=False))


def _take(clf: GeneGCNClassifier, adata: AnnData, X: Any, rows: np.ndarray) -> AnnData:
    """Read some cells on disk where `clf` reads them, with their part of the tables in `adata`."""
    from anndata import AnnData

    with warnings.catch_warnings(action="ignore", category=GeneGCNWarning):  # annotate has told them
        stored = open_cells(
            X, layer=clf.layer, use_raw=clf.use_raw, gene_column=clf.gene_column, normalize=False
        )
    values, part = stored.take(rows), adata[rows]
    var = pd.DataFrame(index=pd.Index(stored.genes or map(str, range(stored.n_genes))))
    if clf.gene_column is not None:
        var[clf.gene_column] = var.index
    obsm = {name: part.obsm[name] for name in part.obsm}
    cells = AnnData(values, part.obs.copy(), var, dict(part.uns), obsm=obsm)
    if clf.use_raw:
        cells.raw = cells
    elif clf.layer is not None:
        cells.layers[clf.layer] = values
    return cells


def _copy(adata: AnnData, rows: np.ndarray) -> AnnData:
    part = adata[rows]
    return part.to_memory() if adata.isbacked else part.copy()


def _text(warning: GeneGCNWarning) -> str:
    """Return a warning in words that suit both Python and the command line."""
    return warning.spelled(_spell)


def _spell(argument: Argument) -> str:
    name = argument.name.replace("_", " ")
    return f"“{name}” = {argument.value}" if argument.has_value else f"“{name}”"


def _describe_scale(expr: Expression) -> str:
    if expr.stated_scale is not None:
        return f"{expr.stated_scale}, as stated"
    how = "inferred from the values" if expr.scale_is_certain else "a guess from the range of the values"
    return f"{expr.inferred_scale}, {how}"


def _depth(expr: Expression) -> np.ndarray:
    return np.asarray(expr.X.sum(axis=1, dtype=np.float64)).ravel()


def _count_empty(expr: Expression, indexer: np.ndarray) -> int:
    """Count cells that express no gene of the model."""
    of_model = expr.X[:, np.flatnonzero(indexer >= 0)]
    return int(np.count_nonzero(np.diff(of_model.indptr) == 0))


def _other_names(clf: GeneGCNClassifier, expr: Expression, indexer: np.ndarray) -> dict[str, str]:
    if expr.genes is None or clf.genes_ is None:
        return {}
    pairs = ((clf.genes_[i], name) for name, i in zip(expr.genes, indexer, strict=True) if i >= 0)
    return {ours: theirs for ours, theirs in pairs if ours != theirs}
