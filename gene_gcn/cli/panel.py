"""`gene-gcn panel`: what a panel of genes can tell of the types of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cells import check_table_path, write_table
from gene_gcn.cli.checks import check_inputs, check_output_file
from gene_gcn.cli.console import count, new_table, say
from gene_gcn.cli.inputs import load_model
from gene_gcn.cli.options import Force, ModelFolder
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    import pandas as pd

    from gene_gcn.estimators.panel import Panel

MOST_PAIRS = 8  # that are printed


def panel(
    genes: Annotated[Path, typer.Argument(help="Text file with a gene per line.")],
    model: ModelFolder,
    n_added: Annotated[int, typer.Option("--add", min=0, help="Genes to suggest.")] = 10,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Table of the expected confusion to write (.csv, .tsv, also .gz)."),
    ] = None,
    force: Force = False,
) -> dict[str, Any]:
    """Say which types a panel of genes can and cannot tell apart, and which genes to add."""
    check_inputs(genes)
    if out is not None:
        check_table_path(out)
        check_output_file(out, genes, force=force)
    names = _read_names(genes)
    found = load_model(model).panel(names, n_added)
    types = _types(found)
    _say(found, types)
    if out is not None:
        write_table(out, found.confusion)
        say(f"Written   {out}")
    return {
        "genes": len(found.genes),
        "unknown_genes": found.unknown,
        "balanced_accuracy": found.balanced_accuracy,
        "types": types,
        "added_genes": found.added["gene"],
        "written": [] if out is None else [out],
    }


def _read_names(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        problem = " is not a text file with a gene per line."
        raise ArgumentError("genes", Argument("genes", path), problem) from error
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not names:
        raise ArgumentError("genes", Argument("genes", path), " holds no gene.")
    return names


def _types(found: Panel) -> pd.DataFrame:
    """Return a row per type, the least recognized first, with the type that it is mostly confused with."""
    table = found.recall.sort_values(kind="stable").rename("recall").rename_axis("type").reset_index()
    worst = found.pairs.drop_duplicates("type").set_index("type")
    table["confused_with"] = table["type"].map(worst["called"].astype(str)).astype(object)
    table["confused_fraction"] = table["type"].map(worst["fraction"])
    return table.astype({"type": str})


def _say(found: Panel, types: pd.DataFrame) -> None:
    verb = "is" if len(found.unknown) == 1 else "are"
    lacking = f"; {len(found.unknown):,} {verb} unknown to it" if found.unknown else ""
    say(f"Panel     {count(found.genes, 'gene')} of the model{lacking}")
    table = new_table("Expected of cells with these genes", "type", "recognized", "mostly confused with")
    table.columns[2].justify = "left"
    for row in types.itertuples():
        is_confused = row.confused_fraction == row.confused_fraction
        other = f"{row.confused_with} ({row.confused_fraction:.0%})" if is_confused else ""
        table.add_row(row.type, f"{row.recall:.0%}", other)
    table.add_row("mean", f"{found.balanced_accuracy:.0%}", "")
    say(table)
    if len(found.added):
        say(f"Add       {', '.join(map(str, found.added['gene']))}")
