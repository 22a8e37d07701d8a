"""`gene-gcn benchmark` and `reproduce`: the figures of docs/benchmarks.md and docs/paper.md, measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure accuracy and cost on your own cells.", no_args_is_help=True)

Cells = Annotated[Path, typer.Argument(metavar="CELLS", help="Labelled cells with raw counts (.h5ad).")]
Label = Annotated[str, typer.Option("--label", "-l", help="Column of .obs with the types.")]
Network = Annotated[Path, typer.Option(help="STRING protein.links, BioGRID or edge file.")]


@app.command()
def accuracy(
    cells: Annotated[
        list[Path], typer.Argument(metavar="CELLS...", help="Labelled cells (.h5ad), a file for each set.")
    ],
    label: Label,
    network: Annotated[
        list[Path] | None,
        typer.Option(
            help="STRING protein.links, BioGRID or edge file; of "
            "several, each set gets the one that joins most genes. "
            "Without, controls that need one are left out."
        ),
    ] = None,
    splits: Annotated[
        str,
        typer.Option(
            help="What to measure, with commas: folds, few (labels), groups, shallow "
            "(fewer counts), missing (genes)."
        ),
    ] = "folds,few",
    few: Annotated[str, typer.Option(help="Training cells per type, with commas, for few.")] = "10",
    groups: Annotated[
        str | None,
        typer.Option(
            help="Columns of .obs, with commas, such as a donor or a "
            "laboratory, whose groups are held out, for groups."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repeats of few, shallow and missing.")] = 5,
    methods: Annotated[
        str | None, typer.Option(help="Only methods with one of these in their names, with commas.")
    ] = None,
    peers: Annotated[bool, typer.Option(help="Also measure what people use otherwise.")] = True,
    celltypist_python: Annotated[
        str | None,
        typer.Option(metavar="PYTHON", help="Also measure CellTypist, by an interpreter that has it."),
    ] = None,
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled",
            help="Also the default that sees the test cells, without labels, in training; for folds and few.",
        ),
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder for tables and picture; an interrupted run goes on from it."
        ),
    ] = Path("gene_gcn_accuracy"),
) -> None:
    """The default beside its controls and its peers, on the same splits of every set (mean ± sd)."""
    from collections import Counter

    import pandas as pd

    from gene_gcn.benchmark import accuracy as bench
    from gene_gcn.benchmark.methods import methods as all_methods
    from gene_gcn.benchmark.splits import splits as all_splits
    from gene_gcn.cells.files import check_cells_path, read_cells
    from gene_gcn.networks import from_file

    kinds, columns = _kinds(splits, groups), _parts(groups)
    per_type = _numbers("--few", few)
    for path in cells:
        check_cells_path(path)
    names = [path.stem for path in cells]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"CELLS has several files called {twice[0]!r}; tables could not tell them apart.")
    networks = [from_file(path) for path in network or ()]
    out.mkdir(parents=True, exist_ok=True)

    def show(row: dict, known: bool) -> None:
        said = (
            f"failed: {row['error']}"
            if row["error"]
            else (
                f"macro-F1 {row['macro_f1']:.3f}  accuracy {row['accuracy']:.3f}  "
                + ("kept" if known else f"fit {row['fit_seconds']:.1f} s")
            )
        )
        typer.echo(f"{row['set']}  {row['splits']}, split {row['split']}  {row['method']:<42} {said}")

    results, used = [], {}
    for name, path in zip(names, cells, strict=True):  # one set in memory at a time
        prepared = bench.CellSet.prepare(
            name, read_cells(path, obs_columns=[label, *columns]), label, networks
        )
        rows = all_methods(
            prepared.network,
            with_peers=peers,
            unlabelled=unlabelled,
            celltypist_python=celltypist_python,
            only=_parts(methods),
        )
        made, left_out = all_splits(prepared.cells, label, kinds, few=per_type, groups=columns, seeds=seeds)
        types, used[name] = prepared.cells.obs[label].nunique(), repr(prepared.network)
        typer.echo(
            f"{name}: {prepared.cells.n_obs:,} cells × {prepared.cells.n_vars:,} genes, {types} types; "
            f"network: {prepared.network!r}; {len(made)} splits × {len(rows)} methods"
        )
        for reason in left_out:
            typer.echo(f"{name}: skipped: {reason}")
        results.append(bench.run(prepared, made, rows, out, on_result=show))
    results = pd.concat(results, ignore_index=True)
    if results.empty:
        raise ValueError(f"No set can be split by --splits {splits}: see why above.")
    results = results.sort_values("kind", kind="stable", key=lambda of_row: of_row.map(kinds.index))
    settings = {
        "label": label,
        "networks": used,
        "kinds": kinds,
        "few": per_type,
        "groups": columns,
        "seeds": seeds,
    }
    paths = bench.write(out, results, settings)
    typer.echo("\n".join(bench.markdown(results)))
    typer.echo(f"\nWritten: {', '.join(map(str, paths))}")


def _kinds(splits: str, groups: str | None) -> list[str]:
    from gene_gcn.benchmark.splits import KINDS

    kinds = _parts(splits)
    if not kinds or (unknown := [kind for kind in kinds if kind not in KINDS]):
        raise ValueError(f"--splits {(unknown or [splits])[0]!r} is unknown; choose from {', '.join(KINDS)}.")
    if ("groups" in kinds) != (groups is not None):
        raise ValueError("--splits groups and --groups COLUMN[,COLUMN] go together; pass both or neither.")
    return kinds


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _numbers(option: str, text: str) -> list[int]:
    if not all(part.isdecimal() and int(part) for part in _parts(text)):
        raise ValueError(f"{option} {text!r} must be whole numbers from 1 with commas between them.")
    return [int(part) for part in _parts(text)]


@app.command()
def epochs(
    cells: Cells,
    label: Label,
    network: Network,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    naive: Annotated[
        int,
        typer.Option(
            min=0,
            help="Also time so many cells with full N × N matrices, one at a "
            "time, as the equations stand: 10 GB at 20,000 genes.",
        ),
    ] = 0,
    device: str = "cpu",
) -> None:
    """Seconds of an epoch with and without the graphs, and their ratio to the head alone."""
    import pandas as pd

    from gene_gcn.benchmark.epochs import epoch_seconds
    from gene_gcn.cells.files import read_cells
    from gene_gcn.networks import from_file

    rows = []
    for row in epoch_seconds(
        read_cells(cells), label, from_file(network), batch_size, repeats, naive, device
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
        faster = table["naive, one cell at a time"].median() / table["both graphs"].median()
        typer.echo(f"\nBoth graphs are {faster:,.0f} times faster than the naive implementation.")


@app.command()
def attention(
    cells: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CELLS]",
            help="Cells with raw counts (.h5ad); without, negative binomial counts are drawn.",
        ),
    ] = None,
    genes: Annotated[str, typer.Option(help="Numbers of genes, with commas.")] = "1000,5000,20499",
    device: str = "cpu",
    seed: int = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write every row to this .csv.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--plot", help="Draw time by genes (.png, .pdf, .svg).")
    ] = None,
) -> None:
    """Time, memory and error of attention over all genes, each way beside the graph written out."""
    import os
    from functools import partial

    import pandas as pd

    os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # the profiler announces itself otherwise
    from gene_gcn.benchmark import attention as bench
    from gene_gcn.cells.files import read_cells

    sizes = tuple(int(size) for size in genes.split(","))
    source = (
        partial(bench.simulate_counts, seed=seed) if cells is None else bench.sampled(read_cells(cells), seed)
    )
    rows = []
    for row in bench.measure(source, sizes, device, seed):
        rows.append(row)
        typer.echo(
            f"N {row['genes']:,}  C {row['channels']}  batch {row['batch']}  {row['way']}: "
            f"{1e3 * row['seconds']:.3g} ms a cell"
        )
    results = bench.with_ratios(pd.DataFrame(rows))
    if out is not None:
        results.to_csv(out, index=False)
    if picture is not None:
        bench.plot(results, picture)
    typer.echo(
        "\n| N | C | batch | way | rows | ms per cell | times faster than dense | than flash "
        "| memory / input | error |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for row in results.itertuples():
        typer.echo(
            f"| {row.genes:,} | {row.channels} | {row.batch} | {row.way} | {row.rows:,} "
            f"| {1e3 * row.seconds:.3g} | {row.times_dense:,.3g} | {row.times_flash:,.3g} "
            f"| {row.memory:,.3g} | {row.error:.1e} |"
        )
    typer.echo("\n| way | C | batch | time grows with N to the power of |\n|---|---|---|---|")
    for row in bench.exponents(results).itertuples():
        typer.echo(f"| {row.way} | {row.channels} | {row.batch} | {row.exponent:.2f} |")


@app.command()
def kernels(
    network: Annotated[Path, typer.Argument(help="STRING protein.links, BioGRID or edge file.")],
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    channels: Annotated[int, typer.Option(min=1)] = 1,
    device: str = "cpu",
) -> None:
    """Which sparse product of the global graph is the fastest here; the first of the table is used."""
    from gene_gcn.benchmark.kernels import measure
    from gene_gcn.networks import from_file

    net = from_file(network)
    typer.echo(f"{net!r}; {batch_size} cells, {channels} channels\n")
    typer.echo("| kernel | forward, ms | backward, ms | times the first | error |\n|---|---|---|---|---|")
    first = None
    for row in measure(net, batch_size, channels, device):
        first = first or row["forward"] + row["backward"]
        forward = f"{1e3 * row['forward']:.2f}" if row["forward"] == row["forward"] else "–"
        times = (row["forward"] + row["backward"]) / first
        typer.echo(
            f"| {row['kernel']} | {forward} | {1e3 * row['backward']:.2f} "
            f"| {f'{times:.2f}' if times == times else '–'} | {row['error']:.1e} |"
        )


def reproduce(
    cells: Annotated[
        Path | None,
        typer.Argument(
            metavar="CELLS",
            help="Labelled cells (.h5ad, a pandas HDFStore .h5, …); without, 700 blood cells of scanpy.",
        ),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Cells to test on; CELLS are then all trained on.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", "-l", help="Column of .obs with the types; by default cell_type.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="string (the default), biogrid, a file, or coexpression (of "
            "the training cells; the default for scanpy's)."
        ),
    ] = None,
    organism: Annotated[
        str | None, typer.Option(help="Of string and biogrid; by default as genes tell.")
    ] = None,
    split_column: Annotated[str | None, typer.Option(help="Column of .obs that says train or test.")] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="Column of .obs, such as a donor or a laboratory, whose groups are held out whole."
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Repeats; 5, or 2 with --quick.")] = None,
    max_epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the cells, at most; 100, or 10 with --quick.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few epochs and seeds, to see it run.")] = False,
    future: Annotated[
        bool,
        typer.Option(
            "--future",
            help="The paper's future work instead: attention functions, "
            "graphs in parallel, layers in a line.",
        ),
    ] = False,
    device: str = "auto",
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder for tables and picture; an interrupted run goes on from it."
        ),
    ] = Path("gene_gcn_reproduce"),
) -> None:
    """Run the paper's experiments: every system, mean ± sd beside the paper's figure; test its conclusions."""
    from gene_gcn.benchmark import reproduce as experiment
    from gene_gcn.cells.files import check_cells_path, read_cells
    from gene_gcn.cli import demo
    from gene_gcn.networks import from_file
    from gene_gcn.training.gradient import choose_device

    choose_device(device)
    out.mkdir(parents=True, exist_ok=True)
    for path in (cells, test):
        if path is not None:
            check_cells_path(path)
    label = label or (demo.LABEL if cells is None else "cell_type")
    network = network or ("coexpression" if cells is None else "string")
    net = (
        network if network in ("string", "biogrid", "coexpression") else from_file(network, organism=organism)
    )
    seeds, max_epochs = seeds or (2 if quick else 5), max_epochs or (10 if quick else 100)
    columns = [name for name in (label, split_column, groups) if name is not None]
    setting = experiment.prepare(
        demo.load() if cells is None else read_cells(cells, obs_columns=columns),
        label,
        net,
        test=None if test is None else read_cells(test, obs_columns=columns),
        split_column=split_column,
        groups=groups,
        seeds=range(seeds),
        organism=organism,
        use_raw=cells is None,
    )
    rows = experiment.future_rows() if future else experiment.paper_rows()
    parts = list(dict.fromkeys(part.name for part in setting.parts))
    typer.echo(
        f"{setting.train.n_obs:,} cells × {setting.train.n_vars:,} genes, "
        f"{len(set(setting.train_labels))} types; {len(rows)} rows × {seeds} seeds × {len(parts)} splits "
        f"({'; '.join(parts[:10])}); at most {max_epochs} epochs; network: {net!r}\n"
    )

    def show(result: dict, known: bool) -> None:
        typer.echo(
            f"{result['part']}, seed {result['seed']}  {result['system']}, {result['genes']} genes: "
            f"accuracy {result['accuracy']:.3f}  " + ("kept" if known else f"{result['seconds']:.1f} s")
        )

    results = experiment.run(setting, rows, out, on_result=show, max_epochs=max_epochs, device=device)
    tests = None if future else experiment.conclusions(results)
    settings = {
        "cells": "scanpy.datasets.pbmc68k_reduced" if cells is None else cells.name,
        "label": label,
        "test": None if test is None else test.name,
        "split_column": split_column,
        "groups": groups,
        "seeds": seeds,
        "max_epochs": max_epochs,
        "network": repr(net),
    }
    paths = experiment.write(out, "future" if future else "paper", results, tests, settings)
    _print_rows(experiment.summarize(results))
    if tests is not None:
        _print_conclusions(tests)
    typer.echo(f"\nWritten: {', '.join(map(str, paths))}")


def _print_rows(table) -> None:
    typer.echo(
        "\n| system | genes | accuracy, % | macro-F1, % | fit, s | peak memory, GB "
        "| accuracy in the paper, on other data, % |\n|---|---|---|---|---|---|---|"
    )
    for row in table.itertuples():
        typer.echo(
            f"| {row.system} | {row.genes} ({row.n_genes:,.0f}) "
            f"| {100 * row.accuracy:.2f} ± {100 * row.accuracy_sd:.2f} "
            f"| {100 * row.macro_f1:.2f} ± {100 * row.macro_f1_sd:.2f} | {row.seconds:.1f} "
            f"| {row.peak_memory_gb:.2f} | {row.paper or '–'} |"
        )


def _print_conclusions(tests) -> None:
    typer.echo(
        "\n| the paper's conclusion | better there | than | difference, points (95 % interval) | pairs "
        "| p (t) | p (Wilcoxon) | here |\n|---|---|---|---|---|---|---|---|"
    )
    for row in tests.itertuples():
        typer.echo(
            f"| {row.conclusion} | {row.better} | {row.worse} | {100 * row.difference:+.2f} "
            f"({100 * row.low:+.2f} to {100 * row.high:+.2f}) | {row.pairs} | {row.p_t:.3f} "
            f"| {row.p_wilcoxon:.3f} | {row.verdict} |"
        )
