"""The measurement of `gene-gcn benchmark scale`: how costs grow with cells, types and genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from anndata import AnnData


def measure_growth(
    cells: AnnData,
    label: str,
    axes: Mapping[str, Sequence[int] | None],
    methods: Sequence[str],
    out: Path,
    **options: Any,
) -> dict[str, Any]:
    """Measure methods on made cells of several sizes; print and write the tables.

    Parameters
    ----------
    cells : AnnData
        Labeled real cells.
    label : str
        Column of `obs`.
    axes : mapping of str to sequence of int
        Values of "cells", "types" and "genes"; None for those of `cells`.
    methods : sequence of str
        Parts of their names; empty for all.
    out : Path
        Folder of tables and finished runs.
    options : dict
        Passed to `gene_gcn.benchmark.scale.measure`.

    Returns
    -------
    dict
        What `--json` prints.

    Raises
    ------
    ArgumentError
        No method matches, or cells cannot be made from these, see `CellMaker.prepare`.
    """
    import pandas as pd

    from gene_gcn.benchmark import scale as bench
    from gene_gcn.benchmark import scale_tables as tables
    from gene_gcn.benchmark.splits import labeled_cells, without_rare_types

    real = without_rare_types(labeled_cells(cells, label), label)
    own = {"types": [int(real.obs[label].nunique())], "genes": [real.n_vars]}
    sizes = bench.sizes(**{axis: values or own[axis] for axis, values in axes.items()})
    rows = []
    for row in bench.measure(real, label, sizes, bench.choose(methods), out, **options):
        rows.append(row)
        _echo(row)
    results = pd.DataFrame(rows)
    typer.echo("\n" + "\n".join(tables.markdown(results)))
    written = tables.write(results, out, {"label": label, **options})
    typer.echo(f"\nWritten: {', '.join(map(str, written))}")
    return {"runs": results, "written": written}


def _echo(row: dict[str, Any]) -> None:
    outcome = row["error"] or (
        f"fit {row['fit_seconds']:.1f} s  CPU {row['fit_cpu_seconds']:.1f} s  "
        f"{row['peak_memory_gb']:.2f} GB  macro-F1 {row['macro_f1']:.3f}"
        f"{'  from an earlier run' if row['stored'] else ''}"
    )
    size = f"{row['cells']:,} cells  {row['types']} types  {row['genes']:,} genes"
    typer.echo(f"{size}  {row['method']:<20} {outcome}")
