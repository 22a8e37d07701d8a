"""`gene-gcn suspicious`: labels of a reference that are probably wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cells import check_table_path, write_table
from gene_gcn.cli.checks import check_inputs, check_output_file
from gene_gcn.cli.console import count, new_table, say
from gene_gcn.cli.inputs import read_cells
from gene_gcn.cli.model_options import NJobs, Seed
from gene_gcn.cli.options import Cells, Force, GeneColumn, Genome, Label, Layer, Scale, UseRaw

if TYPE_CHECKING:
    import pandas as pd

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
) -> dict[str, Any]:
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
    types, duplicates = _types(found.cells), _duplicates(found.duplicates)
    unscored = int(found.cells["quality"].isna().sum())
    _say_types(types)
    _say_pairs(found.pairs)
    _say_duplicates(duplicates)
    _say_unscored(unscored)
    say(f"Written   {out}")
    return {
        "cells": adata.n_obs,
        "types": types,
        "pairs": found.pairs.astype({"label": str, "predicted": str}),
        "duplicates": duplicates,
        "unscored_cells": unscored,
        "written": [out],
    }


def _types(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a row per type: type, scored and suspicious (numbers of cells), most suspicious first."""
    scored = cells[cells["quality"].notna()]
    groups = scored.groupby("label", observed=True)["is_suspicious"]
    table = groups.agg(scored="size", suspicious="sum").rename_axis("type").reset_index()
    return table.sort_values("suspicious", ascending=False, kind="stable").astype({"type": str})


def _duplicates(copied: pd.DataFrame) -> dict[str, int]:
    """Return the numbers of near duplicates, of their groups, and of groups whose labels differ."""
    differing = copied.loc[copied["labels_differ"], "duplicate_group"]
    groups = copied["duplicate_group"].nunique()
    return {"cells": len(copied), "groups": groups, "differing_groups": differing.nunique()}


def _say_types(types: pd.DataFrame) -> None:
    table = new_table("Suspicious labels", "type", "scored", "suspicious", "share")
    for row in types.itertuples():
        share = f"{row.suspicious / row.scored:.1%}"
        table.add_row(row.type, f"{row.scored:,}", f"{row.suspicious:,}", share)
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


def _say_duplicates(found: dict[str, int]) -> None:
    cells, groups, differing = found.values()
    text = f"{count(cells, 'cell')} in {count(groups, 'group')}" if cells else "none"
    if differing:
        text += f"; labels differ in {count(differing, 'group')}"
    say(f"Near duplicates: {text}")


def _say_unscored(cells: int) -> None:
    if cells:
        why = "without a label, without expression, or of a type with too few cells"
        say(f"Without a score: {count(cells, 'cell')} {why}")
