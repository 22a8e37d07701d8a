"""The command `gene-gcn`. Heavy imports are inside functions: `--help` should not wait for torch."""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
import warnings
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gene_gcn import __version__
from gene_gcn.cli.benchmark import app as benchmark
from gene_gcn.cli.benchmark import reproduce

__all__ = ["app", "main"]

DEMO_HELP = """Train on 700 blood cells (10 types) that come with scanpy, and see what it is worth.

Trains with a gene network and, on the same split, without any graph; compares both on held-out cells. The
network is the co-expression of the training cells, for which nothing is downloaded; for STRING, pass --network
string.
"""

app = typer.Typer(
    name="gene-gcn",
    help="Name the types of single cells with a graph network whose nodes are genes.\n\n"
    "Cell files may be .h5ad, 10x .h5, .loom, or tables .csv/.tsv(.gz) with cells as rows, cell names in the "
    "first column and gene names in the header (columns of text describe the cells). "
    "Start with: gene-gcn demo",
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Normalization(StrEnum):
    """Choices of --normalization."""

    auto = "auto"
    sqrt = "sqrt"
    log1p = "log1p"
    none = "none"


class Attention(StrEnum):
    """Choices of --attention."""

    none = "none"
    embedded_dot = "embedded_dot"
    dot = "dot"
    additive = "additive"


class Optimizer(StrEnum):
    """Choices of --optimizer."""

    auto = "auto"
    lbfgs = "lbfgs"
    sgd = "sgd"
    adam = "adam"


def _widths(text: str) -> tuple[int, ...]:
    """Whole numbers from text such as 128,64; none of them from an empty one."""
    parts = text.split(",") if text.strip() else []
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise typer.BadParameter(
            f"{text!r} must be whole numbers from 1 with commas between, such as 128,64."
        )
    return tuple(map(int, parts))


Cells = Annotated[Path, typer.Argument(metavar="CELLS", help="File of cells: .h5ad, .h5, .loom, .csv, .tsv.")]
Model = Annotated[Path, typer.Option("--model", "-m", help="Model folder, from gene-gcn train.")]
Label = Annotated[str, typer.Option("--label", "-l", help="Column of .obs (or of the table) with the types.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what --out names, if it exists.")]
Layer = Annotated[str | None, typer.Option(help="Layer to read instead of .X.")]
UseRaw = Annotated[bool, typer.Option("--use-raw", help="Read .raw instead of .X.")]
GeneColumn = Annotated[str | None, typer.Option(help="Column of .var with the names of the genes.")]
QueryLayer = Annotated[str | None, typer.Option(help="Layer to read; by default as in training.")]
QueryRaw = Annotated[
    bool | None, typer.Option("--use-raw/--no-use-raw", help="Read .raw or not; by default as in training.")
]
QueryColumn = Annotated[
    str | None,
    typer.Option("--gene-column", help="Column of .var that names the genes; by default as in training."),
]
Predictions = Annotated[
    Path,
    typer.Option(
        "--out", "-o", help="File to write: .csv or .tsv (cell, label, confidence), .h5ad (annotated cells)."
    ),
]
Figures = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for metrics.json, predictions.csv and confusion_matrix.png."),
]
Network = Annotated[
    str,
    typer.Option(
        help="none; coexpression (of the training cells); string or biogrid, fetched once; or a file: edges "
        "(source, target[, weight]), STRING protein.links, BioGRID tab2/tab3/zip."
    ),
]
Normalize = Annotated[
    Normalization | None,
    typer.Option(
        help="auto, the default: square roots of counts at equal depth. none: the values as they are."
    ),
]
NetworkInfo = Annotated[
    Path | None,
    typer.Option(help="STRING's protein.info file, with the gene names, if it is not next to --network."),
]
Organism = Annotated[
    str | None,
    typer.Option(
        help="human, mouse, a scientific name or a taxonomy id; by default told by the names of the genes."
    ),
]
MODEL, TRAINING = {"rich_help_panel": "Model"}, {"rich_help_panel": "Training"}


app.add_typer(benchmark, name="benchmark")
app.command()(reproduce)


# ---- the commands ----


@app.command(help=DEMO_HELP)
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("gene_gcn_demo"),
    network: Network = "coexpression",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split and of the training.")] = 0,
) -> None:
    say = _console().print
    _check_folder(out)
    say("Loading the cells and the libraries …")
    from gene_gcn.cli import demo as steps
    from gene_gcn.storage.model_folder import check_destination

    check_destination(out / steps.OUTPUTS["model"])
    cells = steps.load()
    train_cells, test_cells = steps.split(cells, seed)
    n_types, n_genes = cells.obs[steps.LABEL].nunique(), cells.raw.shape[1]
    say(
        f"Cells     {cells.n_obs} blood cells of {n_types} types × {n_genes} genes (PBMC 68k, 10x Genomics; "
        "part of scanpy)"
    )
    say(
        f"Split     {train_cells.n_obs} to train on, {test_cells.n_obs} held out (same share of each type; "
        f"seed {seed})"
    )
    net = _read_network(network, network_info, organism)
    if net == "coexpression":
        say(
            "Network   co-expression of the training cells, without a download; for STRING:\n"
            "          gene-gcn fetch string --organism human; gene-gcn demo --network string"
        )
    elif net is not None:
        say(f"Network   {net}")

    say("\nTraining with the network")
    with_graph = _timed(say, steps.fit, train_cells, seed, network=net, organism=organism)
    _say_network(say, net, with_graph)
    say("\nTraining the control: the same without it")
    control = _timed(say, steps.fit, train_cells, seed, network=None)

    truth = test_cells.obs[steps.LABEL].astype(str).to_numpy()
    named = {"with network": with_graph.predict(test_cells), "no graph": control.predict(test_cells)}
    say("")
    _print_comparison(truth, named)
    say(_how_sure(truth, *named.values(), steps.uncertainty))
    paths = steps.write(out, with_graph, test_cells)
    say("\nWritten")
    for name, what in {
        "model": "the model with the network",
        "table": "held-out cells and their types",
        "cells": "the same as AnnData",
        "picture": "which types are taken for which",
    }.items():
        say(f"  {str(paths[name]):<36} {what}")


@app.command()
def train(
    cells: Cells,
    label: Label,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the model to.")],
    network: Network = "none",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    layer: Layer = None,
    use_raw: UseRaw = False,
    gene_column: GeneColumn = None,
    normalization: Normalize = None,
    attention: Annotated[
        Attention | None,
        typer.Option(
            help="Function of the graph that attention learns from each cell. Default: none, without it.",
            **MODEL,
        ),
    ] = None,
    heads: Annotated[
        int | None, typer.Option(help="Attention graphs in parallel. Default: 1.", **MODEL)
    ] = None,
    learn_mixing: Annotated[
        bool,
        typer.Option(
            "--learn-mixing",
            help="Learn how much of the attention graph and of the network to take.",
            **MODEL,
        ),
    ] = False,
    channels: Annotated[
        int | None,
        typer.Option(
            help="Features of a gene. Default: 1, its expression; with more, a learned vector times it.",
            **MODEL,
        ),
    ] = None,
    num_layers: Annotated[
        int | None, typer.Option(help="Interaction layers in a line. Default: 1.", **MODEL)
    ] = None,
    hidden_channels: Annotated[
        tuple | None,
        typer.Option(
            parser=_widths,
            metavar="<int,int…>",
            help="Widths of the hidden layers of the head, with commas, such as 128,64. Default: none.",
            **MODEL,
        ),
    ] = None,
    optimizer: Annotated[
        Optimizer | None,
        typer.Option(
            help="lbfgs fits a linear head exactly, with the network only; sgd and adam go by gradients. Default: "
            "auto, which is lbfgs where that can be, otherwise sgd.",
            **TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="With sgd or adam. Default: by the scale of the data.", **TRAINING)
    ] = None,
    max_epochs: Annotated[
        int | None,
        typer.Option(help="With sgd or adam: passes over the cells, at most. Default: 100.", **TRAINING),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed; the same one gives the same model.", **TRAINING)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", **TRAINING)] = "auto",
    paper: Annotated[
        bool, typer.Option("--paper", help="The settings of the paper (slow), but for those that are given.")
    ] = False,
    force: Force = False,
) -> None:
    """Train on labelled cells and write a model folder."""
    say = _console().print
    _check_inputs(cells, network, network_info)
    _check_model_destination(out, force)
    from gene_gcn import GeneGCNClassifier

    asked = {
        "normalization": normalization,
        "attention": attention,
        "heads": heads,
        "channels": channels,
        "num_layers": num_layers,
        "hidden_channels": hidden_channels,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "max_epochs": max_epochs,
    }
    parameters = {
        name: str(value) if isinstance(value, StrEnum) else value
        for name, value in asked.items()
        if value is not None
    }
    if attention is Attention.none:
        parameters["attention"] = None
    make = GeneGCNClassifier.paper if paper else GeneGCNClassifier
    clf = make(
        None if network == "none" else network,
        organism=organism,
        layer=layer,
        use_raw=use_raw,
        gene_column=gene_column,
        learn_mixing=learn_mixing,
        random_state=seed,
        device=device,
        verbose=True,
        **parameters,
    )
    clf.check_parameters()

    adata = _labelled(say, _read(say, cells, label), label)
    net = _read_network(network, network_info, organism)
    if net is not None:
        say(f"Network   {net}")
    clf.set_params(network=net)
    _timed(say, clf.fit, adata, label)
    say(f"Types     {len(clf.classes_)}")
    _say_network(say, net, clf)
    clf.save(out)
    say(f"Written   {out}")


@app.command()
def predict(
    cells: Cells,
    model: Model,
    out: Predictions = Path("predictions.csv"),
    layer: QueryLayer = None,
    use_raw: QueryRaw = None,
    gene_column: QueryColumn = None,
    force: Force = False,
) -> None:
    """Name the types of cells with a trained model."""
    from gene_gcn.cells.files import check_predictions_path, write_predictions

    say = _console().print
    check_predictions_path(out)
    _check_file(out, force, cells)
    _check_inputs(cells)
    clf = _load(model, layer, use_raw, gene_column)
    adata = _read(say, cells)
    clf.annotate(adata)
    write_predictions(out, adata)
    _print_types(adata.obs)
    say(f"Written   {out}")


@app.command()
def evaluate(
    cells: Cells,
    model: Model,
    label: Label,
    out: Figures = None,
    layer: QueryLayer = None,
    use_raw: QueryRaw = None,
    gene_column: QueryColumn = None,
    force: Force = False,
) -> None:
    """Compare the types a trained model gives to cells with their known ones."""
    say = _console().print
    if out is not None:
        _check_folder(out)
        for name in EVALUATION:
            _check_file(out / name, force, cells)
    _check_inputs(cells)
    clf = _load(model, layer, use_raw, gene_column)
    adata = _labelled(say, _read(say, cells, label), label)
    from gene_gcn.benchmark.metrics import evaluate as figures_of
    from gene_gcn.benchmark.metrics import recall_per_type

    clf.annotate(adata)
    truth, named = (adata.obs[name].astype(str).to_numpy() for name in (label, "gene_gcn"))
    unknown = sorted(set(truth) - set(map(str, clf.classes_)))
    figures, recall = figures_of(truth, named), recall_per_type(truth, named)
    _print_recall(recall)
    for name, value in figures.items():
        say(f"{name.replace('_', ' ').replace('f1', 'F1'):<20}{value:.3f}")
    if unknown:
        say(_about_unknown(recall, unknown))
    if out is not None:
        figures |= {"cells": adata.n_obs, "unknown_types": unknown, "recall": recall["recall"].to_dict()}
        _write_evaluation(out, adata, truth, named, figures)
        say(f"Written   {', '.join(str(out / name) for name in EVALUATION)}")


class Database(StrEnum):
    """What can be fetched."""

    string = "string"
    biogrid = "biogrid"


@app.command()
def fetch(
    database: Annotated[Database, typer.Argument(help="string or biogrid.")],
    organism: Annotated[
        str, typer.Option(help="A name (human, mouse, Danio rerio) or a taxonomy id.")
    ] = "human",
    version: Annotated[
        str | None, typer.Option(help="Release; by default STRING 12.0, BioGRID's latest.")
    ] = None,
    min_score: Annotated[int, typer.Option(help="STRING: smallest score to keep, 0 to 1000.")] = 400,
    evidence: Annotated[str, typer.Option(help="BioGRID: physical, genetic or all.")] = "physical",
) -> None:
    """Fetch a network into the cache, so that --network string or biogrid works offline."""
    from gene_gcn import networks
    from gene_gcn.networks.string_db.network import fetch_aliases

    say = _console().print
    if database is Database.string:
        net = networks.string(organism, version=version, min_score=min_score, progress=_Download())
        try:
            fetch_aliases(organism, net.source.version, progress=_Download())
        except networks.DownloadError as error:
            if not error.missing:
                raise
            say(f"There are no aliases: genes will be matched by STRING's own names only ({error})")
    else:
        net = networks.biogrid(organism, version=version, evidence=evidence, progress=_Download())
    say(repr(net))
    say(net.summary().to_string())
    say(f"Licence   {net.source.licence}; cite {net.source.citation}")


@app.command("networks")
def list_networks(
    remove: Annotated[
        str | None, typer.Option(metavar="NAME", help="Remove these files; * stands for any letters.")
    ] = None,
) -> None:
    """List what the cache holds, with size, version, date and sha256."""
    from gene_gcn import networks
    from gene_gcn.storage.cache import cache_folder

    say = _console().print
    if remove is not None:
        for name in networks.remove(remove):
            say(f"Removed   {name}")
        return
    held = networks.cached()
    say(f"{len(held)} files in {cache_folder()}")
    if len(held):
        table = held.drop(columns="path").assign(
            size=(held["size"] / 1e6).map("{:.1f} MB".format), sha256=held["sha256"].str[:12]
        )
        say(table.to_string(index=False))


# ---- checks, before anything takes long ----

EVALUATION = ("metrics.json", "predictions.csv", "confusion_matrix.png")
WORDS = ("none", "coexpression", "string", "biogrid")  # what --network may be besides a file


def _check_inputs(cells: Path, network: str = "none", network_info: Path | None = None) -> None:
    from gene_gcn.cells.files import check_cells_path

    check_cells_path(cells)
    if network not in WORDS and not Path(network).expanduser().is_file():
        raise ValueError(f"--network {network!r} is neither one of {', '.join(WORDS)} nor a file.")
    if network_info is not None and not network_info.expanduser().is_file():
        raise ValueError(f"--network-info {str(network_info)!r} is not a file.")


def _check_model_destination(out: Path, force: bool) -> None:
    from gene_gcn.storage.model_folder import check_destination

    check_destination(out)
    if not force and out.is_dir() and any(out.iterdir()):
        raise ValueError(f"There is a model in {str(out)!r} already; pass --force to replace it.")


def _check_file(out: Path, force: bool, cells: Path) -> None:
    if out.is_dir():
        raise ValueError(f"--out {str(out)!r} is a folder; name a file.")
    if out.exists() and cells.exists() and out.samefile(cells):
        raise ValueError(f"--out {str(out)!r} is the file of cells itself; choose another name.")
    if out.exists() and not force:
        raise ValueError(f"{str(out)!r} exists already; pass --force to replace it, or --out another.")
    _check_folder(out.absolute().parent)


def _check_folder(folder: Path) -> None:
    """Refuse a folder that can neither be written to nor be made."""
    folder = folder.expanduser().absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir():
        raise ValueError(f"{str(folder)!r} cannot be a folder, because {str(existing)!r} is a file.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"There is no permission to write in {str(existing)!r}.")


# ---- reading ----


def _read(say, path: Path, label: str | None = None):
    from gene_gcn.cells.files import read_cells

    adata = read_cells(path, obs_columns=() if label is None else (label,))
    say(f"Cells     {adata.n_obs:,} cells × {adata.n_vars:,} genes of {path}")
    return adata


def _labelled(say, adata, label: str):
    """The cells that have a label; ValueError if there is no such column or nothing to learn from."""
    if label not in adata.obs:
        from gene_gcn.cells.expression import read_labels

        read_labels(adata, label)  # raises, naming the columns that there are
    labels = adata.obs[label]
    missing = labels.isna() | (labels.astype(str).str.strip() == "")
    if missing.all():
        raise ValueError(f"No cell has a label in {label!r}.")
    if missing.any():
        say(f"          {missing.sum():,} cells without a label in {label!r} are left out")
        adata = adata[~missing.to_numpy()].copy()
    return adata


def _load(model: Path, layer, use_raw, gene_column):
    from gene_gcn import GeneGCNClassifier

    clf = GeneGCNClassifier.load(model)
    asked = {"layer": layer, "use_raw": use_raw, "gene_column": gene_column}
    if layer is not None and use_raw is None:
        asked["use_raw"] = False  # the layer, not the .raw of training
    if use_raw and layer is None:
        clf.set_params(layer=None)
    clf.set_params(**{name: value for name, value in asked.items() if value is not None})
    return clf.set_params(gene_column=clf.gene_column or None)  # --gene-column '' is the index of .var


def _read_network(name: str, info: Path | None, organism: str | None):
    """What the classifier takes for --network: None, the name of a database, or the network of a file."""
    if name in WORDS:
        return None if name == "none" else name
    from gene_gcn import networks

    return networks.from_file(name, info=info, organism=organism)


# ---- printing ----


def _console():
    from rich.console import Console

    # Soft wrap: a path is never broken, so that it can be copied.
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


class _Download:
    """A progress bar of rich with the four methods that pooch calls."""

    total = 0

    def __init__(self):
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        self._bar = Progress(
            "fetching",
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            transient=True,
            disable=not sys.stdout.isatty(),
        )
        self._task = self._bar.add_task("")

    def update(self, n: int) -> None:
        self._bar.start()
        self._bar.update(self._task, advance=n, total=self.total)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        self._bar.stop()


def _timed(say, fit, *args, **parameters):
    start = time.perf_counter()
    clf = fit(*args, **parameters)
    seconds = time.perf_counter() - start
    if "epoch" in clf.history_:
        say(f"Trained   {len(clf.history_)} epochs in {seconds:.1f} s{_of_validation(clf.history_)}")
    else:
        say(f"Fitted    in {seconds:.1f} s{_of_network(clf)}")
    return clf


def _of_validation(history) -> str:
    """What the weights that were kept reached on the cells set aside, where there were enough for that."""
    if "validation_loss" not in history:
        return "; too few cells to set some aside"
    best = history.loc[history["validation_loss"].idxmin()]
    return (
        f"; kept epoch {int(best['epoch']) + 1}, with {best['validation_accuracy']:.1%} of the cells set "
        "aside right"
    )


def _of_network(clf) -> str:
    if clf.network_ is None or clf.mixing_.empty:
        return ""
    share = clf.mixing_["global"].iloc[0]
    return (
        f"; takes {share:g} × the network, as cross-validation tells"
        if share
        else "; leaves the network out, as cross-validation tells"
    )


def _say_network(say, net, clf) -> None:
    if net is None:
        return
    aligned, n = clf.network_, len(clf.genes_)
    if clf.gene_match_ is not None:
        say(f"Genes     {clf.gene_match_}")
    connected = int((aligned.degree > 0).sum())
    if isinstance(net, str):  # made or fetched for these genes
        say(
            f"Genes     {connected:,} of {n:,} are joined to each other by {aligned.num_edges:,} edges "
            f"({aligned.source})"
        )
        return
    known = len(set(net.genes) & set(clf.genes_))
    say(
        f"Genes     {known:,} of {n:,} are in the network, {connected:,} of them connected by "
        f"{aligned.num_edges:,} edges"
    )


def _table(title: str, *columns: str):
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
    return table


def _print_comparison(truth, named) -> None:
    from gene_gcn.benchmark.metrics import evaluate as figures_of
    from gene_gcn.benchmark.metrics import recall_per_type

    table = _table("Held-out cells", "", "cells", *named)
    figures = [figures_of(truth, labels) for labels in named.values()]
    for name, title in {"accuracy": "accuracy", "macro_f1": "macro-F1"}.items():
        table.add_row(title, str(len(truth)), *(f"{100 * f[name]:.1f} %" for f in figures))
    table.add_section()
    recalls = [recall_per_type(truth, labels) for labels in named.values()]
    for i, (kind, n) in enumerate(recalls[0]["cells"].items()):
        table.add_row(
            f"recall of {kind}" if not i else f"          {kind}",
            str(n),
            *(f"{100 * recall.loc[kind, 'recall']:.0f} %" for recall in recalls),
        )
    _console().print(table)


def _how_sure(truth, ours, control, uncertainty) -> str:
    n = len(truth)
    only_ours = int(((ours == truth) & (control != truth)).sum())
    only_control = int(((ours != truth) & (control == truth)).sum())
    points = 100 * uncertainty((ours == truth).mean(), n)
    return (
        f"{n} cells give an accuracy to about ± {points:.0f} points, so that a smaller difference shows "
        f"nothing:\n{only_ours} cells are right only with the network, {only_control} only without."
    )


def _print_types(obs, key: str = "gene_gcn") -> None:
    table = _table("Predicted types", "type", "cells", "share", "mean confidence")
    groups = obs.groupby(obs[key].astype(str))[f"{key}_confidence"].agg(["size", "mean"])
    for kind, row in groups.sort_values("size", ascending=False, kind="stable").iterrows():
        n = int(row["size"])
        table.add_row(str(kind), f"{n:,}", f"{n / len(obs):.1%}", f"{row['mean']:.2f}")
    _console().print(table)


def _print_recall(recall) -> None:
    table = _table("Recall per type", "type", "cells", "right", "recall")
    for kind, row in recall.iterrows():
        table.add_row(str(kind), f"{int(row['cells']):,}", f"{int(row['correct']):,}", f"{row['recall']:.1%}")
    _console().print(table)


def _about_unknown(recall, unknown: list[str]) -> str:
    n = int(recall.loc[unknown, "cells"].sum())
    text = f"{n:,} cells are of types that the model does not know ({', '.join(unknown)}) and count as wrong"
    known = int(recall["cells"].sum()) - n
    right = f"; of the other {known:,}, {recall['correct'].sum() / known:.1%} are right" if known else ""
    return f"{text}{right}."


def _write_evaluation(out: Path, adata, truth, named, figures: dict[str, Any]) -> None:
    import json

    from gene_gcn import plots
    from gene_gcn.cells.files import write_predictions
    from gene_gcn.storage.atomic import replacing

    with replacing(out / "metrics.json") as file:
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    write_predictions(out / "predictions.csv", adata)
    with replacing(out / "confusion_matrix.png") as file:
        plots.save_figure(plots.confusion_matrix(truth, named), file)


# ---- the program ----


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"gene-gcn {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    pass


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments; by default those of the process.

    Returns
    -------
    int
        Exit status: 0; 2 after an error of the user's, told in one line on stderr; 130 after Ctrl-C. An error
        of the program's own is raised, with its traceback.
    """
    # Threads of torch that wait for each other spin for milliseconds by default: on busy cores that makes
    # training ten times slower. A shorter spin costs idle cores next to nothing. Read when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    argv = sys.argv[1:] if argv is None else list(argv)
    status = 130
    try:
        with _warnings_in_one_line():
            status = app(args=argv or ["--help"], prog_name="gene-gcn", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        pass
    except Exception as error:
        message = _message_for_user(error)
        if message is None:
            raise
        print(f"gene-gcn: error: {message}", file=sys.stderr)
        return 2
    if status == 130:
        print("gene-gcn: interrupted", file=sys.stderr)
    return status


def _message_for_user(error: Exception) -> str | None:
    """What to tell of an error in one line; None for what only a programmer can mend."""
    if hasattr(error, "format_message"):  # typer: a wrong option or argument
        context = getattr(error, "ctx", None)
        text = f"{error.format_message()} Try '{context.command_path if context else 'gene-gcn'} --help'."
    elif isinstance(error, OSError):
        text = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
    elif isinstance(error, (ValueError, NotImplementedError, FloatingPointError)) and _is_ours(error):
        text = str(error)
    else:
        return None
    return " ".join(_in_options(text).split())


def _in_options(text: str) -> str:
    """Advice about arguments of Python as advice about options."""
    whole = {
        "use_raw=True": "--use-raw",
        "learn_mixing=True": "--learn-mixing",
        "gene_column=None": "--gene-column ''",
        "learning_rate than": "--learning-rate than",
    }
    for argument, option in whole.items():
        text = text.replace(argument, option)
    names = {"y": "label", "info": "network-info"}
    arguments = (
        "y|info|gene_column|layer|organism|normalization|device|groups|split_column|attention|heads|"
        "channels|num_layers|hidden_channels|optimizer|learning_rate|max_epochs"
    )
    return re.sub(
        rf"\b({arguments})=(?P<value>[\w'\"(-])?",
        lambda m: f"--{names.get(m[1], m[1].replace('_', '-'))} {m['value'] or ''}".rstrip(),
        text,
    )


def _is_ours(error: Exception) -> bool:
    """Whether this package raised it: a ValueError from inside a library is a bug, not advice."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__", "").startswith("gene_gcn")


@contextmanager
def _warnings_in_one_line():
    """Show warnings meant for users in a line without code; drop those of libraries to programmers."""

    def show(message, category, filename, lineno, file=None, line=None):
        if issubclass(category, UserWarning):
            print(f"gene-gcn: warning: {' '.join(_in_options(str(message)).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


if __name__ == "__main__":
    sys.exit(main())
