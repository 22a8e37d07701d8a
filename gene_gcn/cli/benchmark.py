"""The commands `gene-gcn benchmark …`: the measurements of docs/benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperOption

from gene_gcn.cli.accuracy import (
    Comparison,
    check_names,
    compare_on_markers,
    compare_on_pairs,
    compare_on_splits,
)
from gene_gcn.cli.checks import check_output_folder
from gene_gcn.cli.memory import check_memory_limit
from gene_gcn.cli.options import Genome
from gene_gcn.cli.spelling import Spelling
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.atomic import check_replaceable, replacing

if TYPE_CHECKING:
    import pandas as pd

    from gene_gcn import GeneNetwork
    from gene_gcn.benchmark.external_baselines import External

app = typer.Typer(help="Measure accuracy and cost on your own cells.")

CellFile = Annotated[Path, typer.Argument(metavar="CELLS", help="Labeled cells with raw counts (.h5ad).")]
LabelColumn = Annotated[str, typer.Option("--label", "-l", help="Column of .obs with the cell types.")]
NetworkFile = Annotated[Path, typer.Option(help="STRING protein.links, BioGRID or edge file.")]
BatchSize = Annotated[int, typer.Option(min=1)]
RowsFile = Annotated[
    Path | None, typer.Option("--out", "-o", help="Table of every row to write (.csv, .tsv, also .gz).")
]


@app.command()
def accuracy(
    context: typer.Context,
    cells: Annotated[
        list[Path], typer.Argument(metavar="CELLS", help="Labeled cells (.h5ad), one file per set.")
    ],
    label: LabelColumn,
    network: Annotated[
        list[Path] | None,
        typer.Option(
            help="STRING protein.links, BioGRID or edge file. Of several, each set gets the one that "
            "connects most of its genes. Without any, methods that need a network are left out."
        ),
    ] = None,
    splits: Annotated[
        str,
        typer.Option(
            help="Kinds of splits, comma-separated: folds, few-label, groups, downsampled (fewer counts), "
            "missing-gene (fewer genes); transfer (train on one batch or file, annotate another), "
            "held-out-types (each type left out of the training cells once); markers (no labels, but marker "
            "genes)."
        ),
    ] = "folds,few-label",
    cells_per_type: Annotated[
        str, typer.Option(help="Training cells per type of few-label splits, comma-separated.")
    ] = "10",
    groups: Annotated[
        str | None,
        typer.Option(
            help="Columns of .obs, comma-separated, such as a donor or a laboratory, whose groups are held "
            "out by groups splits, or annotated from each other by transfer."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Repeats of few-label, downsampled and missing-gene splits.")
    ] = 5,
    methods: Annotated[
        str | None, typer.Option(help="Run only methods with one of these in their names, comma-separated.")
    ] = None,
    baselines: Annotated[bool, typer.Option(help="Include the baselines of scikit-learn.")] = True,
    baseline_python: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PYTHON",
            help="Include CellTypist, SingleR (singler, scranpy) and Harmony (harmonypy), whichever this "
            "interpreter has. Can be repeated.",
        ),
    ] = None,
    unlabeled: Annotated[
        bool,
        typer.Option(
            "--unlabeled",
            help="Include the default trained with the test cells too, without their labels; for folds, "
            "few-label, transfer and held-out-types.",
        ),
    ] = False,
    type_map: Annotated[
        Path | None,
        typer.Option(
            help="Table (.csv) with the columns file,label,type that renames types: the file without its "
            "ending or empty for all, the name there, the new name or empty to leave its cells out."
        ),
    ] = None,
    markers: Annotated[
        Path | None,
        typer.Option(
            help="For markers: table (.csv) with the columns file,type,gene. Default: three genes for each "
            "type of the public sets of docs/guide/markers.md."
        ),
    ] = None,
    genome: Genome = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for tables and figure; an interrupted run resumes from it."),
    ] = Path("gene_gcn_accuracy"),
) -> dict[str, Any]:
    """Compare the default with controls and baselines, on the same splits of every set (mean ± sd)."""
    check_memory_limit()
    from gene_gcn.benchmark.external_baselines import external_baselines
    from gene_gcn.benchmark.methods import choose_methods
    from gene_gcn.benchmark.pairs import PAIR_KINDS
    from gene_gcn.benchmark.splits import KINDS
    from gene_gcn.benchmark.type_map import read_type_map
    from gene_gcn.cells import check_cells_path

    kinds, columns = _kinds(splits, groups), _parts(groups)
    sizes = _whole_numbers("cells_per_type", cells_per_type)
    for path in cells:
        check_cells_path(path)
    check_names(cells)
    external = external_baselines(baseline_python or ())
    if baseline_python:
        _echo_missing(external)
    comparison = Comparison(
        cells,
        label,
        columns,
        [_read_network_file(path) for path in network or ()],
        partial(
            choose_methods,
            baselines=baselines,
            unlabeled=unlabeled,
            external=external,
            methods=_parts(methods),
        ),
        genome,
        None if type_map is None else read_type_map(type_map),
        out,
        Spelling(option for option in context.command.params if isinstance(option, TyperOption)),
    )
    out.mkdir(parents=True, exist_ok=True)
    compared = []
    if on_splits := [kind for kind in kinds if kind in KINDS]:
        compared.append(compare_on_splits(comparison, on_splits, sizes, seeds))
    if on_pairs := [kind for kind in kinds if kind in PAIR_KINDS]:
        compared.append(compare_on_pairs(comparison, on_pairs))
    if "markers" in kinds:
        compared.append(compare_on_markers(comparison, markers, baselines, _parts(methods)))
    return {
        "methods": [row for each in compared for row in each.methods.to_dict("records")],
        "written": [path for each in compared for path in each.paths],
    }


def _echo_missing(external: Mapping[str, External]) -> None:
    from gene_gcn.benchmark.external_baselines import missing_packages

    for method, packages in missing_packages(external).items():
        needed = " and ".join(packages)
        typer.echo(f"{method} is left out, as no --baseline-python has {needed}; install {needed} there.")


def _kinds(splits: str, groups: str | None) -> list[str]:
    from gene_gcn.benchmark.pairs import PAIR_KINDS
    from gene_gcn.benchmark.splits import KINDS

    kinds, known = _parts(splits), (*KINDS, *PAIR_KINDS, "markers")
    if not kinds or (unknown := [kind for kind in kinds if kind not in known]):
        wrong = Argument("splits", (unknown or [splits])[0])
        raise ArgumentError("splits", wrong, f" is unknown; choose from {', '.join(known)}.")
    unused = groups is not None and not {"groups", "transfer"} & set(kinds)
    if unused or (groups is None and "groups" in kinds):
        both = (Argument("splits", "groups"), " and ", Argument("groups"))
        raise ArgumentError("groups", *both, " COLUMN[,COLUMN] go together; pass both or neither.")
    return kinds


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _check_out(path: Path | None) -> None:
    """Raise the ArgumentError that `_write_rows` would raise."""
    from gene_gcn.cells import check_table_path

    if path is not None:
        check_table_path(path)
        check_replaceable(path, "out")
        check_output_folder(path.absolute().parent)


def _write_rows(path: Path | None, rows: pd.DataFrame) -> None:
    """Write a table, whole or not at all."""
    if path is not None:
        with replacing(path) as file:
            rows.to_csv(file, sep="\t" if ".tsv" in file.suffixes[-2:] else ",", index=False)


def _whole_numbers(argument: str, text: str) -> list[int]:
    parts = _parts(text)
    if not parts or not all(part.isdecimal() and int(part) for part in parts):
        raise ArgumentError(
            argument, Argument(argument, text), " must be whole numbers from 1, separated by commas."
        )
    return [int(part) for part in parts]


def _read_network_file(path: Path) -> GeneNetwork:
    from gene_gcn import GeneNetwork
    from gene_gcn.networks import read_network

    network = read_network(path)
    assert isinstance(network, GeneNetwork)  # a Path is never a word such as "string"
    return network


@app.command("label-errors")
def label_errors(
    cells: Annotated[
        list[Path], typer.Argument(metavar="CELLS", help="Labeled cells (.h5ad), one file per set.")
    ],
    label: LabelColumn,
    rates: Annotated[str, typer.Option(help="Percentages of labels to flip, comma-separated.")] = "5,10,20",
    seeds: Annotated[int, typer.Option(min=1, help="Repeats with other flips.")] = 1,
    genome: Genome = None,
    out: RowsFile = None,
) -> dict[str, Any]:
    """Flip labels at random and measure how well gene-gcn suspicious finds them."""
    check_memory_limit()
    import pandas as pd

    from gene_gcn.benchmark import label_errors as bench
    from gene_gcn.benchmark.accuracy import CellSet
    from gene_gcn.cells import check_cells_path, read_cells

    percentages = _whole_numbers("rates", rates)
    if max(percentages) > 99:
        raise ArgumentError("rates", Argument("rates", rates), " must be percentages from 1 to 99.")
    for path in cells:
        check_cells_path(path)
    check_names(cells)
    _check_out(out)
    rows = []
    for path in cells:
        adata = read_cells(path, obs_columns=[label], genome=genome)
        cell_set = CellSet.prepare(path.stem, adata, label)
        for row in bench.measure(cell_set, [percent / 100 for percent in percentages], seeds):
            rows.append(row)
            typer.echo(f"{row['set']}  {row['rate']:.0%}, seed {row['seed']}  AUROC {row['auroc']:.3f}")
    results = pd.DataFrame(rows)
    _write_rows(out, results)
    typer.echo("\n" + "\n".join(bench.markdown(results)))
    return {"runs": results, "written": [] if out is None else [out]}


@app.command()
def scale(
    source: CellFile,
    label: LabelColumn,
    num_cells: Annotated[
        str, typer.Option("--cells", help="Numbers of training cells to make, comma-separated.")
    ] = "10000,30000,100000",
    types: Annotated[
        str | None,
        typer.Option(
            help="Numbers of types, comma-separated; types are split to have more than CELLS has. "
            "Default: those of CELLS."
        ),
    ] = None,
    genes: Annotated[
        str | None,
        typer.Option(
            help="Numbers of genes, comma-separated; genes are copied to have more than CELLS has. "
            "Default: those of CELLS."
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Run only methods with one of these in their names, comma-separated: gene_gcn, logistic "
            "regression, SGD."
        ),
    ] = None,
    memory: Annotated[
        float, typer.Option(min=1, metavar="GB", help="Skip a method where it is estimated to need more.")
    ] = 16.0,
    test_cells: Annotated[int, typer.Option(min=1, help="Number of test cells to make.")] = 5000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Folder for tables, figure and, meanwhile, made cells; an interrupted run resumes from it.",
        ),
    ] = Path("gene_gcn_scale"),
    genome: Genome = None,
) -> dict[str, Any]:
    """Measure how time, memory and F1 grow with cells, types and genes, on cells made from real ones.

    Each axis is varied in turn, the others stay at the first of their values. Three values or more of an axis
    give exponents.
    """
    check_memory_limit()
    from gene_gcn.cells import check_cells_path, read_cells
    from gene_gcn.cli.scale import measure_growth

    numbers = {
        "cells": _whole_numbers("num_cells", num_cells),
        "types": None if types is None else _whole_numbers("types", types),
        "genes": None if genes is None else _whole_numbers("genes", genes),
    }
    if min(numbers["types"] or [2]) < 2:
        raise ArgumentError("types", Argument("types", types), " must be numbers from 2.")
    check_cells_path(source)
    check_output_folder(out)
    return measure_growth(
        read_cells(source, obs_columns=[label], genome=genome),
        label,
        numbers,
        _parts(methods),
        out,
        test_cells=test_cells,
        memory_gb=memory,
        seed=seed,
    )


@app.command()
def epochs(
    cells: CellFile,
    label: LabelColumn,
    network: NetworkFile,
    batch_size: BatchSize = 64,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    naive: Annotated[
        int,
        typer.Option(
            min=0,
            help="Number of cells to time one by one too, with full N × N matrices as in the equations: "
            "10 GB for 20,000 genes.",
        ),
    ] = 0,
    device: str = "cpu",
    genome: Genome = None,
) -> dict[str, Any]:
    """Time an epoch with and without the graphs, and compare it with the head alone."""
    check_memory_limit()
    import pandas as pd

    from gene_gcn.benchmark.epochs import epoch_seconds
    from gene_gcn.cells import read_cells

    rows = []
    for row in epoch_seconds(
        read_cells(cells, genome=genome),
        label,
        _read_network_file(network),
        batch_size,
        repeats,
        naive,
        device,
    ):
        rows.append(row)
        typer.echo("  ".join(f"{name} {seconds:.3f} s" for name, seconds in row.items()))
    table = pd.DataFrame(rows)
    ratio = table.div(table["head alone"], axis=0)
    typer.echo("\n| model | epoch, s (median) | ratio to the head alone (median, range) |\n|---|---|---|")
    for name in table:
        typer.echo(
            f"| {name} | {table[name].median():.3f} | {ratio[name].median():.2f} "
            f"({ratio[name].min():.2f}–{ratio[name].max():.2f}) |"
        )
    if naive:
        speedup = table["naive, one cell at a time"].median() / table["both graphs"].median()
        typer.echo(f"\nBoth graphs are {speedup:,.0f} times faster than the naive implementation.")
    return {"epochs": [{"seconds": row} for row in rows]}


@app.command()
def attention(
    cells: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CELLS]",
            help="Cells with raw counts (.h5ad). Default: simulated negative binomial counts.",
        ),
    ] = None,
    genes: Annotated[str, typer.Option(help="Numbers of genes, comma-separated.")] = "1000,5000,20499",
    device: str = "cpu",
    seed: int = 0,
    out: RowsFile = None,
    figure: Annotated[
        Path | None, typer.Option("--plot", help="Draw time by number of genes (.png, .pdf, .svg).")
    ] = None,
    genome: Genome = None,
) -> dict[str, Any]:
    """Measure time, memory and error of attention over all genes, by each method."""
    check_memory_limit()
    _check_out(out)
    if figure is not None:
        check_replaceable(figure, "figure")
    import os

    import pandas as pd

    os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # or the profiler prints that it starts
    from gene_gcn.benchmark import attention as bench
    from gene_gcn.cells import read_cells

    sizes = tuple(_whole_numbers("genes", genes))
    source = (
        partial(bench.simulate_counts, seed=seed)
        if cells is None
        else bench.sampled(read_cells(cells, genome=genome), seed)
    )
    rows = []
    for measured in bench.measure(source, sizes, device, seed):
        rows.append(measured)
        typer.echo(
            f"N {measured['genes']:,}  C {measured['channels']}  batch {measured['batch']}  "
            f"{measured['method']}: {1e3 * measured['seconds']:.3g} ms a cell"
        )
    results = bench.with_ratios(pd.DataFrame(rows))
    _write_rows(out, results)
    if figure is not None:
        with replacing(figure) as file:
            bench.plot(results, file)
    typer.echo(
        "\n| N | C | batch | method | rows | ms per cell | times faster than dense | than flash "
        "| memory / input | error |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for row in results.itertuples():
        typer.echo(
            f"| {row.genes:,} | {row.channels} | {row.batch} | {row.method} | {row.rows:,} "
            f"| {1e3 * row.seconds:.3g} | {row.times_dense:,.3g} | {row.times_flash:,.3g} "
            f"| {row.memory:,.3g} | {row.error:.1e} |"
        )
    typer.echo("\n| method | C | batch | time grows with N to the power of |\n|---|---|---|---|")
    exponents = bench.exponents(results)
    for row in exponents.itertuples():
        typer.echo(f"| {row.method} | {row.channels} | {row.batch} | {row.exponent:.2f} |")
    written = [path for path in (out, figure) if path is not None]
    return {"runs": results, "exponents": exponents, "written": written}


@app.command()
def kernels(
    network: Annotated[Path, typer.Argument(help="STRING protein.links, BioGRID or edge file.")],
    batch_size: BatchSize = 64,
    channels: Annotated[int, typer.Option(min=1)] = 1,
    device: str = "cpu",
) -> dict[str, Any]:
    """Time the sparse products of the global graph; the one that the layers use is the first of the table."""
    check_memory_limit()
    from gene_gcn.benchmark.kernels import measure

    net = _read_network_file(network)
    typer.echo(f"{net!r}; {batch_size} cells, {channels} channels\n")
    typer.echo("| kernel | forward, ms | backward, ms | times the first | error |\n|---|---|---|---|---|")
    first, rows = None, []
    for row in measure(net, batch_size, channels, device):
        rows.append(row)
        first = first or row["forward"] + row["backward"]
        forward = f"{1e3 * row['forward']:.2f}" if row["forward"] == row["forward"] else "–"
        times = (row["forward"] + row["backward"]) / first
        typer.echo(
            f"| {row['kernel']} | {forward} | {1e3 * row['backward']:.2f} "
            f"| {f'{times:.2f}' if times == times else '–'} | {row['error']:.1e} |"
        )
    return {"kernels": rows}
