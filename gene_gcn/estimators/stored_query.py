"""A query that stays on disk: its cells are brought to the training genes and scale block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy import sparse
from torch import Tensor

from gene_gcn.cells import CellBlocks, Expression, Normalizer, open_cells
from gene_gcn.cells.gene_panels import GenePanels, find_gene_panels
from gene_gcn.errors import MissingGenesWarning, warn
from gene_gcn.estimators.base import Query
from gene_gcn.estimators.evidence import Evidence
from gene_gcn.estimators.other_species import OtherSpecies, fraction_mapped, multiplied, row_sums
from gene_gcn.estimators.query_view import QueryView
from gene_gcn.uncertainty import HeldOutCells, QueryShift, novelty_p_values

SAMPLE = 20_000  # cells from which the shift of a query is estimated


@dataclass(frozen=True, eq=False)
class StoredQuery:
    """Cells on disk, on the N training genes.

    Attributes
    ----------
    cells : CellBlocks
    normalizer : Normalizer
    present : ndarray of bool, shape (N,)
        The training genes that the cells have.
    to_model : csr_matrix, shape (genes of the cells, N), or None
        Brings cells of another species to the training genes, which are then not those of `cells`.
    fraction : float
        Of their expression, that is left then.
    """

    cells: CellBlocks
    normalizer: Normalizer
    present: np.ndarray
    to_model: sparse.csr_matrix | None = None
    fraction: float = 1.0

    @classmethod
    def open(
        cls,
        X: Any,
        normalizer: Normalizer,
        how_to_read: Mapping[str, Any],
        *,
        progress: bool = False,
    ) -> StoredQuery:
        """Open a query and match its genes, with the warnings and errors of `Normalizer.transform`.

        Parameters
        ----------
        X
            As for `open_cells`, perhaps of another species.
        how_to_read : mapping
            Further arguments of `open_cells`, such as `layer`.
        """
        species = X if isinstance(X, OtherSpecies) else None
        X = X if species is None else species.cells
        cells = open_cells(
            X,
            **how_to_read,
            normalize=normalizer.method != "none",
            infer=lambda expression: normalizer.scale_of_query(expression).name,
        )
        if species is not None:
            found = species.match(cells.genes, normalizer)
            own = cells.take(_sampled(len(cells)))
            fraction = fraction_mapped(own, multiplied(own, found.matrix))
            cells = replace(cells, progress=progress)
            return cls(cells, normalizer, found.present, found.matrix, fraction)
        first = cells.take(np.arange(min(len(cells), 1)))
        indexer = normalizer.match(Expression(first, cells.genes, origin=cells.frames[0]))
        if not np.array_equal(indexer, np.arange(normalizer.n_genes)):
            cells = cells.matched(indexer, normalizer.genes, normalizer.n_genes)
        cells = replace(cells, progress=progress)
        return cls(cells, normalizer, np.isin(np.arange(normalizer.n_genes), indexer))

    def sample(self) -> Query:
        """Return cells from all over the query, at most `SAMPLE`."""
        return self._query(self.cells.take(_sampled(len(self.cells))))

    def read(self, number: int) -> Query:
        """Read the cells of a block."""
        return self._query(self.cells.read(self.cells.spans()[number]))

    def lacks_genes(self, query: Query) -> np.ndarray:
        """Return which cells (B,) are treated as lacking genes that the query has, see `GenePanels`."""
        lacks = np.zeros(query.matrix.shape[0], bool)
        for cells, genes in query.panels:
            lacks[cells] = (self.present & ~genes).any()
        return lacks

    def warn(self, lacks_genes: np.ndarray, evidence: Evidence, consequence: str) -> None:
        """Warn of cells with few genes, see `Evidence`, once all were read."""
        if n := int(lacks_genes.sum()):
            what = f"{n:,} of {len(self.cells):,} cells have no count in any of many of the model's "
            why = "genes, as if panels were joined and absent genes filled with zeros"
            warn(MissingGenesWarning(f"{what}{why}; these are treated as missing."))
        self.normalizer.warn_of_empty(evidence.is_empty)
        evidence.warn_of_few(consequence)

    def evidence(self, n_expressed: np.ndarray) -> Evidence:
        """Return the evidence of cells that express so many genes each, shape (B,)."""
        no_cells = sparse.csr_matrix((0, self.normalizer.n_genes), dtype=np.float32)
        return replace(Evidence.of(no_cells, self.normalizer, self.present), n_expressed=n_expressed)

    def _query(self, linear: sparse.csr_matrix) -> Query:
        normalizer, depth = self.normalizer, None
        if self.to_model is not None:
            depth = row_sums(linear) * self.fraction
            linear = multiplied(linear, self.to_model)
        panels = GenePanels.single(self.present, linear.shape[0])
        if normalizer.method != "none" and normalizer.genes is not None:
            panels = find_gene_panels(linear, normalizer.gene_share, self.present)
        shares = np.array([normalizer.gene_share[genes].sum(dtype=np.float64) for genes in panels.present])
        matrix = normalizer.rescale(linear, shares[panels.of_cell], depth)
        return Query(matrix, panels, Evidence.of(matrix, normalizer, self.present))


class Blocks(Protocol):
    """Where the results of each block are kept, by its number: a dict, or `PartialResults`."""

    def __contains__(self, number: object, /) -> bool: ...

    def __getitem__(self, number: int, /) -> dict[str, np.ndarray]: ...

    def __setitem__(self, number: int, arrays: dict[str, np.ndarray], /) -> None: ...


def _sampled(n_cells: int) -> np.ndarray:
    """Return positions from all over a query, at most `SAMPLE`."""
    step = max(1.0, n_cells / SAMPLE)
    return np.unique(np.arange(0, n_cells, step).astype(np.int64))


@dataclass(frozen=True, eq=False)
class StoredView:
    """What a model says of cells on disk.

    Attributes
    ----------
    probability : ndarray of float32, shape (B, K)
        Adapted to the query, if its shift is removed.
    logits : ndarray of float32, shape (B, K), or None
        Likewise, or of each cell on its own; if they were asked for.
    evidence : Evidence
    components : ndarray of float32, shape (B, R), or None
        If they were asked for, without the shift.
    shift : QueryShift or None
        None where the query was not looked at as a whole.
    """

    probability: np.ndarray
    logits: np.ndarray | None
    evidence: Evidence
    components: np.ndarray | None
    shift: QueryShift | None

    @classmethod
    def of(
        cls,
        query: StoredQuery,
        view: QueryView | None,
        logits_of: Callable[[Query], Tensor],
        *,
        adapts: bool,
        keeps_logits: bool,
        components_for: str = "",
        consequence: str,
        blocks: Blocks,
    ) -> StoredView:
        """Go through all cells once, but for blocks that are finished.

        Parameters
        ----------
        view : QueryView or None
            Of a sample of the query; None to classify cells one by one.
        logits_of : callable
            From cells to their logits, each on its own.
        adapts : bool
            Whether a shift is removed.
        keeps_logits : bool
        components_for : str
            What needs components; "" for nothing.
        consequence : str
            What a warning says about cells with few genes.
        blocks : Blocks
            Has what was finished before, and gets the rest.
        """
        removed = view is not None and adapts and view.shift.is_removed
        numbers = range(len(query.cells.spans()))
        for number in query.cells.track([n for n in numbers if n not in blocks], "Annotating"):
            cells = query.read(number)
            further = view.further(cells) if view is not None and (removed or components_for) else None
            own = None if removed else logits_of(cells)
            found = {"n_expressed": cells.evidence.n_expressed, "lacks_genes": query.lacks_genes(cells)}
            found["probability"] = _probability(further, own)
            if keeps_logits:
                found["logits"] = _logits(further, own)
            if further is not None and components_for:
                found["components"] = further.components(components_for).astype(np.float32)
            blocks[number] = found
        joined = _join(blocks, numbers, len(query.cells))
        evidence = query.evidence(joined["n_expressed"])
        query.warn(joined["lacks_genes"], evidence, consequence)
        return cls(
            joined["probability"],
            joined.get("logits"),
            evidence,
            joined.get("components"),
            None if view is None or not adapts else view.shift,
        )

    def novelty(self, held_out: HeldOutCells) -> np.ndarray:
        """Return the p-values (B,) of being of a known type."""
        if self.components is None or self.logits is None:
            raise TypeError("Novelty needs components and logits.")
        return novelty_p_values(self.logits, self.components, held_out)


def _probability(further: QueryView | None, own: Tensor | None) -> np.ndarray:
    """Return the probabilities of cells on their own, or, where a shift is removed, as part of the query."""
    if own is not None:
        return own.softmax(1).numpy()
    assert further is not None
    return further.probability


def _logits(further: QueryView | None, own: Tensor | None) -> np.ndarray:
    """Return the logits of cells as part of the query, or, where it is not looked at, on their own."""
    if further is not None:
        return further.logits.astype(np.float32)
    assert own is not None
    return own.numpy()


def _join(blocks: Blocks, numbers: range, n_cells: int) -> dict[str, np.ndarray]:
    """Join the arrays of all blocks, of which one is read at a time."""
    joined = {name: np.empty((n_cells, *of.shape[1:]), of.dtype) for name, of in blocks[0].items()}
    start = 0
    for number in numbers:
        block = blocks[number]
        stop = start + len(block["n_expressed"])
        for name, values in joined.items():
            values[start:stop] = block[name]
        start = stop
    return joined
