"""The comparisons of `gene-gcn benchmark accuracy`: on splits of sets, and from references to queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from gene_gcn.cli.console import count
from gene_gcn.cli.spelling import Spelling
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    import pandas as pd

    from gene_gcn import GeneNetwork
    from gene_gcn.benchmark.accuracy import CellSet
    from gene_gcn.benchmark.methods import Method


class Compared(NamedTuple):
    """What a comparison found.

    Attributes
    ----------
    methods : DataFrame
        A row per kind of split and method: means over sets.
    paths : sequence of Path
        Of the tables and the figure that were written.
    """

    methods: pd.DataFrame
    paths: Sequence[Path]


@dataclass(frozen=True)
class Comparison:
    """What is compared on which cells.

    Attributes
    ----------
    paths : sequence of Path
    label : str
        Column of `obs`.
    groups : sequence of str
        Columns of `obs`.
    networks : sequence of GeneNetwork
    methods : callable
        From the network of a set, or None, to its methods.
    genome : str, optional
    type_map : DataFrame, optional
    out : Path
        Folder of tables and finished runs.
    spell : Spelling
        For reasons why splits are left out.
    """

    paths: Sequence[Path]
    label: str
    groups: Sequence[str]
    networks: Sequence[GeneNetwork]
    methods: Callable[[GeneNetwork | None], list[Method]]
    genome: str | None
    type_map: pd.DataFrame | None
    out: Path
    spell: Spelling

    def read_sets(self) -> Iterator[CellSet]:
        """Read the sets one by one."""
        from gene_gcn.benchmark.accuracy import CellSet
        from gene_gcn.benchmark.type_map import rename_types
        from gene_gcn.cells import read_cells

        for path in self.paths:
            adata = read_cells(path, obs_columns=[self.label, *self.groups], genome=self.genome)
            if self.type_map is not None:
                rename_types(adata, path.stem, self.label, self.type_map)
            yield CellSet.prepare(path.stem, adata, self.label, self.networks)

    def say(self, name: str, reasons: Sequence[ArgumentError]) -> None:
        for reason in reasons:
            typer.echo(f"{name}skipped: {reason.spelled(self.spell)}")


def check_names(paths: Sequence[Path]) -> None:
    """Refuse files with the same name, as tables show sets by name."""
    names = Counter(path.stem for path in paths)
    if repeated := [name for name, times in names.items() if times > 1]:
        raise ArgumentError(
            "cells",
            f"CELLS has several files named {repeated[0]!r}; rename them, as tables show sets by name.",
        )


def compare_on_splits(
    comparison: Comparison, kinds: Sequence[str], sizes: Sequence[int], seeds: int
) -> Compared:
    """Fit and test every method on the same splits of every set; print and write the tables."""
    import pandas as pd

    from gene_gcn.benchmark import accuracy as bench
    from gene_gcn.benchmark import accuracy_tables as tables
    from gene_gcn.benchmark.splits import make_splits

    results, used = [], {}
    for cells in comparison.read_sets():  # one in memory at a time
        chosen = comparison.methods(cells.network)
        made, skipped = make_splits(
            cells.cells, cells.label, kinds, cells_per_type=sizes, groups=comparison.groups, seeds=seeds
        )
        used[cells.name] = repr(cells.network)
        typer.echo(f"{_describe(cells)}; {count(made, 'split')} × {count(chosen, 'method')}")
        comparison.say(f"{cells.name}: ", skipped)
        results.append(bench.run(cells, made, chosen, comparison.out, on_result=_echo))
    table = pd.concat(results, ignore_index=True)
    if table.empty:
        raise ArgumentError(
            "splits",
            Argument("splits", ",".join(kinds)),
            " allows no split of any set; the reasons are above.",
        )
    table = table.sort_values("kind", kind="stable", key=lambda column: column.map(kinds.index))
    settings = {
        "label": comparison.label,
        "networks": used,
        "kinds": kinds,
        "cells_per_type": sizes,
        "groups": comparison.groups,
        "seeds": seeds,
    }
    return _finish(table, tables.write(comparison.out, table, settings), tables.markdown(table))


def compare_on_pairs(comparison: Comparison, kinds: Sequence[str]) -> Compared:
    """Fit every method on the references and annotate the queries; print and write the tables."""
    from gene_gcn.benchmark import transfer as bench
    from gene_gcn.benchmark import transfer_tables as tables
    from gene_gcn.benchmark.pairs import make_pairs

    sets = list(comparison.read_sets())
    methods = {cells.name: comparison.methods(cells.network) for cells in sets}
    pairs, skipped = make_pairs(sets, kinds, comparison.groups)
    for cells in sets:
        typer.echo(_describe(cells))
    typer.echo(f"{count(pairs, 'pair')} × {count(methods[sets[0].name], 'method')}")
    comparison.say("", skipped)
    if not pairs:
        raise ArgumentError(
            "splits",
            Argument("splits", ",".join(kinds)),
            " allows no pair; pass several CELLS, or a column with several values as ",
            Argument("groups"),
            ".",
        )
    table = bench.run(pairs, methods, comparison.out, on_result=_echo)
    settings = {
        "label": comparison.label,
        "networks": {cells.name: repr(cells.network) for cells in sets},
        "kinds": kinds,
        "groups": comparison.groups,
        "type_map": None if comparison.type_map is None else comparison.type_map.to_dict("records"),
    }
    return _finish(table, tables.write(comparison.out, table, settings), tables.markdown(table))


def compare_on_markers(
    comparison: Comparison, markers: Path | None, baselines: bool, methods: Sequence[str]
) -> Compared:
    """Annotate the cells of every set by marker genes, without labels; print and write the tables."""
    import pandas as pd

    from gene_gcn.benchmark import accuracy as bench
    from gene_gcn.benchmark import accuracy_tables as tables
    from gene_gcn.benchmark.marker_methods import MARKERS, marker_methods, marker_splits, markers_of

    path = markers or MARKERS
    listed = {file.stem: markers_of(path, file.stem) for file in comparison.paths}  # before long runs
    results, used = [], {}
    for cells in comparison.read_sets():
        used[cells.name] = repr(cells.network)
        typer.echo(_describe(cells))
        for split, genes in marker_splits(cells.cells.n_obs, listed[cells.name]):
            chosen = marker_methods(cells.network, genes, baselines=baselines, methods=methods)
            results.append(bench.run(cells, [split], chosen, comparison.out, on_result=_echo))
    table = pd.concat(results, ignore_index=True)
    table = table.sort_values("splits", kind="stable", ascending=False)
    settings = {"label": comparison.label, "networks": used, "markers": path.name}
    return _finish(table, tables.write(comparison.out, table, settings), tables.markdown(table))


def _describe(cells: CellSet) -> str:
    return (
        f"{cells.name}: {cells.cells.n_obs:,} cells × {cells.cells.n_vars:,} genes, "
        f"{cells.cells.obs[cells.label].nunique()} types; network: {cells.network!r}"
    )


def _finish(table: pd.DataFrame, paths: Sequence[Path], lines: Iterator[str]) -> Compared:
    from gene_gcn.benchmark.accuracy_tables import over_sets, summarize

    typer.echo("\n".join(lines))
    typer.echo(f"\nWritten: {', '.join(map(str, paths))}")
    return Compared(over_sets(summarize(table)).reset_index(), paths)


def _echo(row: dict[str, Any], stored: bool) -> None:
    if row["error"]:
        outcome = f"failed: {row['error']}"
    else:
        outcome = f"macro-F1 {row['macro_f1']:.3f}  accuracy {row['accuracy']:.3f}  "
        outcome += "from an earlier run" if stored else f"fit {row['fit_seconds']:.1f} s"
    typer.echo(f"{row['set']}  {row['splits']}, split {row['split']}  {row['method']:<42} {outcome}")
