"""`gene-gcn ontology`: which terms of the Cell Ontology names of types mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cells import check_table_path, write_table
from gene_gcn.cli.checks import check_inputs, check_output_file
from gene_gcn.cli.console import DownloadProgress, count, new_table, say
from gene_gcn.cli.options import Force, Labels, OntologyFile

if TYPE_CHECKING:
    import pandas as pd


def ontology(
    cells: Annotated[
        Path,
        typer.Argument(
            metavar="CELLS",
            help="Cells, in any format that other commands read, or a table with a column of names.",
        ),
    ],
    label: Labels,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Table to write and edit (.csv, .tsv): a row per name of a type."),
    ] = Path("map.csv"),
    ontology_file: OntologyFile = None,
    tissue: Annotated[
        str | None, typer.Option(help="Words to prefer in suggestions, such as pancreatic.")
    ] = None,
    force: Force = False,
) -> dict[str, Any]:
    """Map names of types to the Cell Ontology; suggest terms where that is not certain."""
    check_table_path(out)
    check_output_file(out, cells, force=force)
    check_inputs(cells)
    from gene_gcn.ontology import cell_ontology, map_names

    names = _names(cells, label)
    terms = cell_ontology(ontology_file, progress=DownloadProgress())
    say(f"Ontology  {terms!r}")
    table = map_names(names, terms, tissue=tissue)
    write_table(out, table.set_index("name"), "name")
    _say_names(table)
    say(f"Written   {out}; fill in the empty ids, and pass it on with gene-gcn train --parents {out}")
    return {"ontology": str(terms.source), "names": table, "written": [out]}


def _names(path: Path, labels: list[str]) -> list[str]:
    """Return the names in columns of a table or of the .obs of cells, sorted."""
    import numpy as np

    from gene_gcn.cells import is_missing, read_labels
    from gene_gcn.cli.inputs import read_obs

    frame = read_obs(path, *labels)
    found: set[str] = set()
    for name in labels:
        values = read_labels(frame, name, allow_missing=True)
        found |= {str(each) for each in np.unique(values[~is_missing(values)].astype(str))}
    return sorted(found)


def _say_names(table: pd.DataFrame) -> None:
    matched = table[table["id"] != ""]
    others = table[table["id"] == ""]
    say(f"Names     {len(matched):,} of {count(table, 'name')} match a term")
    if len(matched):
        shown = new_table("Matched", "name", "id", "label", "match")
        shown.columns[2].justify = "left"
        for row in matched.itertuples():
            shown.add_row(row.name, row.id, row.label, row.match)
        say(shown)
    if len(others):
        shown = new_table("For you to decide", "name", "first suggestion")
        shown.columns[1].justify, shown.columns[1].no_wrap = "left", False
        for row in others.itertuples():
            shown.add_row(row.name, row.suggestion_1 or "none")
        say(shown)
