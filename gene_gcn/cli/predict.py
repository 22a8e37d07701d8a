"""`gene-gcn predict`: the types of new cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cells import check_predictions_path, check_writable, write_predictions
from gene_gcn.cli.checks import check_inputs, check_output_predictions, check_output_report
from gene_gcn.cli.console import count, new_table, say
from gene_gcn.cli.inputs import load_model, read_backoff, read_query
from gene_gcn.cli.options import (
    Adapt,
    Alpha,
    Backoff,
    Cells,
    Force,
    Genome,
    ModelFolder,
    Orthologs,
    Over,
    QueryGeneColumn,
    QueryLayer,
    QueryOrganism,
    QueryScale,
    QueryUseRaw,
    ReportFile,
    Unknown,
)
from gene_gcn.cli.predicted import describe_query
from gene_gcn.cli.spelling import typed_command
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.partial_results import num_finished, partial_folder, remove_partial

if TYPE_CHECKING:
    import pandas as pd

LISTED_CLUSTERS = 10


def predict(
    context: typer.Context,
    cells: Cells,
    model: ModelFolder,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="File to write: a table of cell, label, confidence and second-best label (.csv, .tsv) or "
            "the annotated cells (.h5ad, .zarr). Finished blocks of cells on disk are kept beside it in a "
            "folder that ends in .partial; if the run is killed, the same command goes on from there.",
        ),
    ] = Path("predictions.csv"),
    layer: QueryLayer = None,
    use_raw: QueryUseRaw = None,
    gene_column: QueryGeneColumn = None,
    scale: QueryScale = None,
    genome: Genome = None,
    organism: QueryOrganism = None,
    orthologs: Orthologs = None,
    unknown: Unknown = False,
    alpha: Alpha = None,
    over: Over = None,
    backoff: Backoff = None,
    adapt: Adapt = True,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of each type into the table.")
    ] = False,
    report: ReportFile = None,
    force: Force = False,
) -> dict[str, Any]:
    """Predict the types of cells with a trained model."""
    check_predictions_path(out)
    check_output_predictions(out, cells, force=force)
    if report is not None:
        check_output_report(report, cells, force=force)
        _refuse_report_of_other_species(organism, orthologs)
    check_inputs(cells)
    clf = load_model(model, layer, use_raw, gene_column, scale)
    adata, source = read_query(cells, clf, *([] if over is None else [over]), genome=genome)
    partial = None if source is None else partial_folder(out)
    if partial is not None and (n := num_finished(partial)):
        say(f"Found     {partial} with {n:,} finished blocks, which are not read again")
    check_writable(out, adata)
    how: dict[str, Any] = {"unknown": unknown, "alpha": alpha, "over": over, "backoff": read_backoff(backoff)}
    how |= {"organism": organism, "orthologs": orthologs}
    clf.annotate(adata, X=source, adapt="auto" if adapt else None, checkpoint=partial, **how)
    write_predictions(out, adata, probabilities=probabilities, source=source)
    if partial is not None:
        remove_partial(partial)
    found = describe_query(adata)
    _say_types(found["types"])
    if found["fraction_unknown"] == 0:
        say("Unknown   no cell")
    _say_shift(found["shift"])
    _say_backoff(found["backoff"], adata.n_obs)
    _say_consensus(found["consensus"], adata.n_obs)
    say(f"Written   {out}")
    written = [out]
    if report is not None:
        from gene_gcn.report import report_files, write_report

        write_report(report, clf, adata, X=source, name=cells.name, command=typed_command(context))
        say(f"Report    {report}")
        written += report_files(report)
    return found | {"written": written}


def _refuse_report_of_other_species(organism: str | None, orthologs: str | None) -> None:
    for name, value in {"organism": organism, "orthologs": orthologs}.items():
        if value is not None:
            text = " is written of cells of the model's species; leave it out, or leave out "
            raise ArgumentError("report", Argument("report"), text, Argument(name), ".")


def _say_types(types: pd.DataFrame) -> None:
    table = new_table("Predicted types", "type", "cells", "share", "mean confidence")
    for row in types.itertuples():
        table.add_row(row.type, f"{row.cells:,}", f"{row.fraction:.1%}", f"{row.mean_confidence:.2f}")
    say(table)


def _say_shift(shift: dict[str, Any] | None) -> None:
    if shift is not None:
        kept = "removed" if shift["removed"] else f"left as it is: {shift['kept_because']}"
        say(f"Shift     {shift['size']:.3f}, {kept}")


def _say_backoff(backoff: dict[str, Any] | None, n_cells: int) -> None:
    if backoff is not None:
        coarser = f"get a coarser type (threshold {backoff['threshold']:.3g})"
        say(f"Back-off  {backoff['changed_cells']:,} of {n_cells:,} cells {coarser}")


def _say_consensus(consensus: dict[str, Any] | None, n_cells: int) -> None:
    if consensus is None:
        return
    changed, clusters = consensus["changed_cells"], consensus["clusters"]
    fraction = f" ({changed / n_cells:.1%})" if n_cells else ""
    result = f"{changed:,} cells{fraction} changed their type"
    if clusters is None:
        say(f"Consensus over {consensus['over']}: {result}")
        return
    mixed = clusters[clusters["heterogeneous"]]
    found = f"{count(clusters, 'cluster')}, {len(mixed):,} of them heterogeneous"
    say(f"Consensus over {consensus['over']}: {found}; {result}")
    if len(mixed):
        largest = mixed.sort_values("cells", ascending=False, kind="stable").head(LISTED_CLUSTERS)
        title = "Heterogeneous clusters" + (", the largest" if len(largest) < len(mixed) else "")
        table = new_table(title, "cluster", "cells", "most frequent type", "share", "entropy (bits)")
        for row in largest.itertuples():
            table.add_row(row.cluster, f"{row.cells:,}", row.type, f"{row.share:.0%}", f"{row.entropy:.2f}")
        say(table)
