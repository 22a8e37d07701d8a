"""`gene-gcn suspicious`: labels of a reference that are probably wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gene_gcn.cells import check_table_path, write_table
from gene_gcn.cli.checks import check_inputs, check_output_file
from gene_gcn.cli.console import count, new_table, say
from gene_gcn.cli.inputs import read_cells
from gene_gcn.cli.model_options import NJobs, Seed
from gene_gcn.cli.options import Cells, Force, GeneColumn, Genome, Label, Layer, Scale, UseRaw

if TYPE_CHECKING:
    import pandas as pd

    from gene_gcn.estimators.suspicious import SuspiciousLabels

MOST_PAIRS = 8  # that are printed


def suspicious(
    cells: Cells,
    label: Label,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Table to write (.csv, .tsv, also .gz): a row per cell, the worst label first.",
        ),
    ] = Path("suspicious.csv"),
    n_folds: Annotated[
        int, typer.Option(min=2, help="Folds, each of which is judged by a model of the others.")
    ] = 5,
    layer: Layer = None,
    use_raw: UseRaw = False,
    gene_column: GeneColumn = None,
    scale: Scale = None,
    genome: Genome = None,
    seed: Seed = None,
    n_jobs: NJobs = None,
    force: Force = False,
) -> None:
    """Find labels that are probably wrong, near duplicates, and types that are hard to tell apart."""
    check_table_path(out)
    check_output_file(out, cells, force=force)
    check_inputs(cells)
    from gene_gcn import GeneGCNClassifier
    from gene_gcn import suspicious as find_suspicious

    clf = GeneGCNClassifier(
        layer=layer or None,
        use_raw=use_raw,
        gene_column=gene_column or None,
        scale=scale,
        n_jobs=n_jobs,
        random_state=seed,
    )
    clf.check_parameters()
    adata = read_cells(cells, label, genome=genome)
    found = find_suspicious(adata, label, estimator=clf, n_folds=n_folds, random_state=seed)
    write_table(out, found.cells)
    _say_types(found.cells)
    _say_pairs(found.pairs)
    _say_duplicates(found)
    _say_unjudged(found.cells)
    say(f"Written   {out}")


def _say_types(cells: pd.DataFrame) -> None:
    table = new_table("Suspicious labels", "type", "scored", "suspicious", "share")
    scored = cells[cells["quality"].notna()]
    groups = scored.groupby("label", observed=True)["is_suspicious"].agg(["size", "sum"])
    for name, row in groups.sort_values("sum", ascending=False, kind="stable").iterrows():
        table.add_row(str(name), f"{row['size']:,}", f"{row['sum']:,}", f"{row['sum'] / row['size']:.1%}")
    say(table)


def _say_pairs(pairs: pd.DataFrame) -> None:
    if pairs.empty:
        return
    columns = ("label", "predicted", "cells", "share", "reverse cells", "reverse share")
    table = new_table("Types that are confused", *columns)
    table.columns[1].justify = "left"
    both_ways = pairs[["label", "predicted"]].apply(frozenset, axis=1)
    for row in pairs[~both_ways.duplicated()].head(MOST_PAIRS).itertuples():
        both = f"{row.cells:,}", f"{row.share:.1%}", f"{row.reverse_cells:,}", f"{row.reverse_share:.1%}"
        table.add_row(str(row.label), str(row.predicted), *both)
    say(table)


def _say_duplicates(found: SuspiciousLabels) -> None:
    copied = found.duplicates
    groups, differing = copied["duplicate_group"], copied.loc[copied["labels_differ"], "duplicate_group"]
    text = f"{count(copied, 'cell')} in {count(groups.unique(), 'group')}" if len(copied) else "none"
    if len(differing):
        text += f"; labels differ in {count(differing.unique(), 'group')}"
    say(f"Near duplicates: {text}")


def _say_unjudged(cells: pd.DataFrame) -> None:
    unjudged = cells[cells["quality"].isna()]
    if len(unjudged):
        why = "without a label, without expression, or of a type with too few cells"
        say(f"Without a score: {count(unjudged, 'cell')} {why}")
