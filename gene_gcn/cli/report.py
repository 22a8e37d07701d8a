"""`gene-gcn report`: one HTML page about the types of new cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gene_gcn.cli.checks import check_inputs, check_output_report
from gene_gcn.cli.console import say
from gene_gcn.cli.inputs import load_model, read_query
from gene_gcn.cli.options import (
    Adapt,
    Alpha,
    Cells,
    Force,
    Genome,
    ModelFolder,
    Over,
    QueryGeneColumn,
    QueryLayer,
    QueryScale,
    QueryUseRaw,
    Unknown,
)
from gene_gcn.cli.predicted import describe_query
from gene_gcn.cli.spelling import typed_command


def report(
    context: typer.Context,
    cells: Cells,
    model: ModelFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.html).")] = Path("report.html"),
    label: Annotated[
        str | None,
        typer.Option(
            "--label", "-l", help="Column of .obs (or of the table) with known types, to compare with."
        ),
    ] = None,
    layer: QueryLayer = None,
    use_raw: QueryUseRaw = None,
    gene_column: QueryGeneColumn = None,
    scale: QueryScale = None,
    genome: Genome = None,
    unknown: Unknown = False,
    alpha: Alpha = None,
    over: Over = None,
    adapt: Adapt = True,
    subnetworks: Annotated[
        int,
        typer.Option(
            min=0,
            help="Number of types, those with most cells, whose subnetwork is searched for if the model has "
            "a network. Each takes some seconds, longer with many types.",
        ),
    ] = 4,
    force: Force = False,
) -> dict[str, Any]:
    """Predict the types of cells, and write a page to read about them.

    Beside it, files for MultiQC are written (_mqc.json).
    """
    check_output_report(out, cells, force=force, argument="out")
    check_inputs(cells)
    clf = load_model(model, layer, use_raw, gene_column, scale)
    adata, source = read_query(cells, clf, *(name for name in (label, over) if name), genome=genome)
    from gene_gcn.cells import read_labels
    from gene_gcn.report import report_files, write_report

    if label is not None and adata.n_obs:
        read_labels(adata, label, allow_missing=True)  # raises before cells are annotated
    how: dict[str, Any] = {"unknown": unknown, "alpha": alpha, "over": over}
    clf.annotate(adata, X=source, adapt="auto" if adapt else None, **how)
    command = typed_command(context)
    shown: dict[str, Any] = {"name": cells.name, "command": command, "subnetworks": subnetworks}
    write_report(out, clf, adata, X=source, y=label, **shown)
    say(f"Report    {out}")
    return describe_query(adata) | {"written": report_files(out)}
