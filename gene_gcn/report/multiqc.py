"""What MultiQC shows of a report: custom content in JSON, a sample in each file.

MultiQC (https://docs.seqera.io/multiqc) finds files that end in ``_mqc.json``, and joins those with the same
id.
"""

from __future__ import annotations

from typing import Any

from gene_gcn.report.cells_read import CellsRead
from gene_gcn.report.types_found import TypesFound

__all__ = ["general_statistics", "type_counts"]


def type_counts(name: str, types: TypesFound) -> dict[str, Any]:
    """Return a bar of the numbers of cells of each type."""
    return {
        "id": "gene_gcn_types",
        "section_name": "Cell types",
        "description": "Cells of each type, as annotated by gene_gcn.",
        "plot_type": "bargraph",
        "pconfig": {"id": "gene_gcn_types_plot", "title": "gene_gcn: Cell types", "ylab": "Cells"},
        "data": {name: {found.name: found.cells for found in types.types}},
    }


def general_statistics(name: str, cells: CellsRead, types: TypesFound) -> dict[str, Any]:
    """Return a row of the table of general statistics."""
    percent = {"max": 100, "min": 0, "suffix": "%"}
    values: dict[str, tuple[float | None, dict[str, Any]]] = {
        "cells": (cells.n_cells, {"title": "Cells", "format": "{:,.0f}"}),
        "genes_matched": (
            100 * cells.n_matched / cells.n_model_genes,
            {"title": "Genes", "description": "Genes of the model that were measured"} | percent,
        ),
        "confidence": (
            types.confidence if cells.n_cells else None,
            {"title": "Confidence", "description": "Mean probability of the type", "max": 1, "min": 0},
        ),
        "low_confidence": (
            100 * types.low if cells.n_cells else None,
            {"title": "Unsure", "description": "Cells with a confidence below 0.5"} | percent,
        ),
        "unknown": (
            None if types.n_unknown is None else 100 * types.n_unknown / max(cells.n_cells, 1),
            {"title": "Unknown", "description": "Cells of none of the types"} | percent,
        ),
        "shift": (
            types.shift,
            {"title": "Shift", "description": "Difference of all types from the training cells", "min": 0},
        ),
    }
    there = {column: (value, header) for column, (value, header) in values.items() if value is not None}
    return {
        "id": "gene_gcn_statistics",
        "plot_type": "generalstats",
        "pconfig": [{column: {"namespace": "gene_gcn"} | header} for column, (_, header) in there.items()],
        "data": {name: {column: value for column, (value, _) in there.items()}},
    }
