"""`gene-gcn benchmark`: the figures of docs/benchmarks.md, measured again."""

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
    cells: Cells,
    label: Label,
    network: Network,
    few: Annotated[int, typer.Option(min=0, help="Train on so many cells per type, five times, instead of "
                                                 "five folds.")] = 0,
    peers: Annotated[bool, typer.Option(help="Also measure what people use otherwise.")] = True,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write every row to this .csv.")] = None,
) -> None:
    """The default beside its controls and its peers, on the same splits (mean ± sd)."""
    from functools import partial

    from gene_gcn.benchmark import accuracy as bench
    from gene_gcn.files import read_cells
    from gene_gcn.networks import from_file

    net = from_file(network)
    methods = bench.controls(net) | (bench.peers() if peers else {})
    splits = partial(bench.few_labels, per_type=few) if few else bench.folds

    def show(row: dict) -> None:
        typer.echo(f"split {row['split']}  {row['method']:<40} macro-F1 {row['macro_f1']:.3f}  "
                   f"accuracy {row['accuracy']:.3f}  fit {row['fit_seconds']:.1f} s")

    results = bench.compare(read_cells(cells), label, methods, splits, show)
    if out is not None:
        results.to_csv(out, index=False)
    summary = bench.summarize(results)
    typer.echo(f"\n{net!r}; {results['split'].nunique()} splits\n")
    typer.echo("| method | macro-F1 | accuracy | weighted-F1 | balanced accuracy | fit, s | predict, s "
               "| peak memory, GB |\n|---|---|---|---|---|---|---|---|")
    for method, row in summary.iterrows():
        scores = [f"{row[name, 'mean']:.3f} ± {row[name, 'std']:.3f}"
                  for name in ("macro_f1", "accuracy", "weighted_f1", "balanced_accuracy")]
        costs = [f"{row['fit_seconds', 'mean']:.1f}", f"{row['predict_seconds', 'mean']:.2f}",
                 f"{row['peak_memory_gb', 'mean']:.2f}"]
        typer.echo(f"| {' | '.join([method, *scores, *costs])} |")


@app.command()
def epochs(
    cells: Cells,
    label: Label,
    network: Network,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    device: str = "cpu",
) -> None:
    """Seconds of an epoch with and without the graphs, and their ratio to the head alone."""
    import pandas as pd

    from gene_gcn.benchmark.epochs import epoch_seconds
    from gene_gcn.files import read_cells
    from gene_gcn.networks import from_file

    rows = []
    for row in epoch_seconds(read_cells(cells), label, from_file(network), batch_size, repeats, device):
        rows.append(row)
        typer.echo("  ".join(f"{name} {seconds:.3f} s" for name, seconds in row.items()))
    table = pd.DataFrame(rows)
    ratio = table.div(table["head alone"], axis=0)
    typer.echo("\n| model | epoch, s (median) | ratio to the head alone (median, range) |\n|---|---|---|")
    for name in table:
        typer.echo(f"| {name} | {table[name].median():.3f} | {ratio[name].median():.2f} "
                   f"({ratio[name].min():.2f}–{ratio[name].max():.2f}) |")
