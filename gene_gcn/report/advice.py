"""What a reader of a report should check, in sentences."""

from __future__ import annotations

from gene_gcn.errors import first_few
from gene_gcn.report.cells_read import CellsRead
from gene_gcn.report.comparison import Comparison
from gene_gcn.report.types_found import TypesFound

# From which on a reader is told. With half of the genes, macro-F1 falls by 3 points
# (docs/benchmarks/missing_genes.md); the others are where a reader would ask.
MANY_MISSING, MANY_LOW, MANY_UNKNOWN = 0.5, 0.1, 0.2
UNSURE_TYPE = 0.6  # mean confidence


def advice(cells: CellsRead, types: TypesFound, comparison: Comparison | None) -> list[str]:
    """Return sentences; none if nothing is unusual."""
    if not cells.n_cells:
        return ["The file contains no cells."]
    return [*_about_cells(cells), *_about_types(cells, types), *_about_known_types(comparison)]


def _about_cells(cells: CellsRead) -> list[str]:
    found = []
    if not cells.scale_is_certain:
        found.append("The scale of the values is a guess. State it, or use raw counts.")
    if cells.n_missing > MANY_MISSING * cells.n_model_genes:
        share = cells.n_missing / cells.n_model_genes
        found.append(f"{share:.0%} of the model's genes were not measured. Expect more mistakes.")
    if cells.n_empty:
        found.append(
            f"{cells.n_empty:,} of {cells.n_cells:,} cells express none of the model's genes, so they have "
            "no type. Filter them out."
        )
    return found


def _about_types(cells: CellsRead, types: TypesFound) -> list[str]:
    found = []
    if types.shift_is_removed:
        found.append(
            "The cells differ from the training cells as those of another laboratory or condition do. "
            "The difference was removed, but expect more mistakes and too high confidence"
            + (", and sets that miss the true type more often than stated." if types.has_sets else ".")
        )
    if types.low >= MANY_LOW:
        found.append(f"{types.low:.0%} of the cells have a confidence below 0.5.")
    unsure = [one.name for one in types.named if one.confidence < UNSURE_TYPE]
    if unsure:
        names = first_few(unsure, 5)
        found.append(f"Types with a mean confidence below {UNSURE_TYPE}: {names}. Look at their markers.")
    if types.n_unknown is not None and types.n_unknown >= MANY_UNKNOWN * cells.n_cells:
        found.append(
            f"{types.n_unknown / cells.n_cells:.0%} of the cells are unknown. The bulk of the cells is taken "
            "to be known, so with that many unknown ones, the types of the others are doubtful, too."
        )
    return found


def _about_known_types(comparison: Comparison | None) -> list[str]:
    if comparison is None or not comparison.n_foreign:
        return []
    names = first_few(comparison.foreign, 5)
    what = f"{comparison.n_foreign:,} cells are of types that the model does not know ({names})"
    return [f"{what}; they count as errors."]
