"""The command `gene-gcn reproduce`: the experiments of docs/guide/paper.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cli.console import count
from gene_gcn.cli.memory import check_memory_limit
from gene_gcn.cli.options import Genome

if TYPE_CHECKING:
    import pandas as pd


def reproduce(
    cells: Annotated[
        Path | None,
        typer.Argument(
            metavar="CELLS",
            help="Labeled cells (.h5ad, a pandas HDFStore .h5, …). Default: the 700 blood cells of scanpy.",
        ),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Cells to test on; all of CELLS are then trained on.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", "-l", help="Column of .obs with the types. Default: cell_type.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="string, biogrid, coexpression (of the training cells) or a file. Default: string, or "
            "coexpression for the cells of scanpy."
        ),
    ] = None,
    organism: Annotated[
        str | None, typer.Option(help="For string and biogrid. Default: inferred from the gene names.")
    ] = None,
    split_column: Annotated[str | None, typer.Option(help="Column of .obs that says train or test.")] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="Column of .obs, such as a donor or a laboratory, whose groups are held out whole."
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Repeats. Default: 5, or 2 with --quick.")] = None,
    max_epochs: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of epochs. Default: 100, or 10 with --quick.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few epochs and seeds, to see it run.")] = False,
    future: Annotated[
        bool,
        typer.Option(
            "--future",
            help="The paper's future work instead: attention functions, parallel graphs, stacked layers.",
        ),
    ] = False,
    genome: Genome = None,
    device: str = "auto",
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for tables and figure; an interrupted run resumes from it."),
    ] = Path("gene_gcn_reproduce"),
) -> dict[str, Any]:
    """Repeat the paper's experiments (mean ± sd beside the paper's accuracy) and test its conclusions."""
    check_memory_limit()
    from gene_gcn.benchmark import reproduce as experiments
    from gene_gcn.benchmark import reproduce_tables as tables
    from gene_gcn.benchmark.systems import future_systems, paper_systems
    from gene_gcn.cells import check_cells_path, read_cells
    from gene_gcn.cli import demo
    from gene_gcn.networks import read_network
    from gene_gcn.training.device import choose_device

    choose_device(device)
    out.mkdir(parents=True, exist_ok=True)
    for path in (cells, test):
        if path is not None:
            check_cells_path(path)
    label = label or (demo.LABEL if cells is None else "cell_type")
    net = read_network(network or ("coexpression" if cells is None else "string"), organism=organism)
    assert net is not None
    seeds, max_epochs = seeds or (2 if quick else 5), max_epochs or (10 if quick else 100)
    columns = [name for name in (label, split_column, groups) if name is not None]
    experiment = experiments.prepare(
        demo.load() if cells is None else read_cells(cells, obs_columns=columns, genome=genome),
        label,
        net,
        test=None if test is None else read_cells(test, obs_columns=columns, genome=genome),
        split_column=split_column,
        groups=groups,
        seeds=range(seeds),
        organism=organism,
    )
    systems = future_systems() if future else paper_systems()
    splits = list(dict.fromkeys(trial.split for trial in experiment.trials))
    typer.echo(
        f"{experiment.train.n_obs:,} cells × {experiment.train.n_vars:,} genes, "
        f"{len(set(experiment.train_labels))} types; {count(systems, 'system')} × "
        f"{count(seeds, 'seed')} × {count(splits, 'split')} ({'; '.join(splits[:10])}); "
        f"at most {count(max_epochs, 'epoch')}; network: {net!r}\n"
    )
    results = experiments.run(
        experiment, systems, out, on_result=_echo_trial, max_epochs=max_epochs, device=device
    )
    tests = None if future else tables.conclusions(results)
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
    paths = tables.write(out, "future" if future else "paper", results, tests, settings)
    summary = tables.summarize(results)
    _echo_systems(summary)
    if tests is not None:
        _echo_conclusions(tests)
    typer.echo(f"\nWritten: {', '.join(map(str, paths))}")
    return {
        "systems": summary,
        "conclusions": [] if tests is None else tests,
        "written": paths,
    }


def _echo_trial(result: dict[str, Any], stored: bool) -> None:
    typer.echo(
        f"{result['split']}, seed {result['seed']}  {result['system']}, {result['genes']} genes: "
        f"accuracy {result['accuracy']:.3f}  "
        + ("from an earlier run" if stored else f"{result['seconds']:.1f} s")
    )


def _echo_systems(table: pd.DataFrame) -> None:
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


def _echo_conclusions(tests: pd.DataFrame) -> None:
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
