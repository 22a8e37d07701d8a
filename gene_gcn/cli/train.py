"""`gene-gcn train`: from labeled cells to a model folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gene_gcn.cli.checks import check_inputs, check_output_model
from gene_gcn.cli.console import say
from gene_gcn.cli.fitting import fit
from gene_gcn.cli.inputs import read_labeled_cells
from gene_gcn.cli.options import Cells, Force, Genome, Label, Network, NetworkInfo, Organism, Scale


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


def parse_widths(text: str) -> tuple[int, ...]:
    """Return the numbers of a text such as 128,64; none for an empty text."""
    parts = text.split(",") if text.strip() else []
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise typer.BadParameter(f"{text!r} must be positive integers, comma-separated, such as 128,64.")
    return tuple(map(int, parts))


def train(
    cells: Cells,
    label: Label,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write.")],
    network: Network = "none",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    layer: Annotated[str | None, typer.Option(help="Layer to read instead of .X.")] = None,
    use_raw: Annotated[bool, typer.Option("--use-raw/--no-use-raw", help="Read .raw instead of .X.")] = False,
    gene_column: Annotated[
        str | None, typer.Option(help="Column of .var with the gene names. Default: the index.")
    ] = None,
    scale: Scale = None,
    genome: Genome = None,
    normalization: Annotated[
        Normalization | None,
        typer.Option(
            help="auto: square root of counts scaled to equal depth; none: values as they are. Default: auto."
        ),
    ] = None,
    attention: Annotated[
        Attention | None,
        typer.Option(
            rich_help_panel="Model",
            help="Attention function, which computes a graph for each cell. Default: none.",
        ),
    ] = None,
    heads: Annotated[
        int | None,
        typer.Option(rich_help_panel="Model", help="Attention graphs in parallel. Default: 1."),
    ] = None,
    learn_mixing: Annotated[
        bool,
        typer.Option(
            "--learn-mixing",
            rich_help_panel="Model",
            help="Learn the weights of the attention graph and of the network.",
        ),
    ] = False,
    channels: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Model",
            help="Features per gene: 1 is its expression; more are a learned embedding times its expression. "
            "Default: 1.",
        ),
    ] = None,
    num_layers: Annotated[
        int | None,
        typer.Option(rich_help_panel="Model", help="Number of interaction layers. Default: 1."),
    ] = None,
    hidden_channels: Annotated[
        tuple | None,
        typer.Option(
            rich_help_panel="Model",
            parser=parse_widths,
            metavar="<int,int…>",
            help="Widths of the head's hidden layers, comma-separated, such as 128,64. Default: none.",
        ),
    ] = None,
    optimizer: Annotated[
        Optimizer | None,
        typer.Option(
            rich_help_panel="Training",
            help="lbfgs fits a linear head exactly, with or without a network; sgd and adam train any model "
            "by gradient descent; auto is lbfgs where possible, otherwise sgd. Default: auto.",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            rich_help_panel="Training", help="For sgd and adam. Default: set from the scale of the data."
        ),
    ] = None,
    max_epochs: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Training", help="For sgd and adam: maximum number of epochs. Default: 100."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(rich_help_panel="Training", min=0, help="Random seed, for reproducible models."),
    ] = None,
    device: Annotated[
        str, typer.Option(rich_help_panel="Training", help="auto, cpu, cuda, cuda:1, mps.")
    ] = "auto",
    n_jobs: Annotated[
        int | None,
        typer.Option(rich_help_panel="Training", help="CPU threads; -1 uses all cores. Default: 1."),
    ] = None,
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Use the settings of the paper (slow); other options override them."),
    ] = False,
    force: Force = False,
) -> None:
    """Train on labeled cells and write a model folder."""
    check_inputs(cells, network, network_info)
    check_output_model(out, force=force)
    from gene_gcn import GeneGCNClassifier
    from gene_gcn.networks.resolve import read_network

    given = {
        "normalization": normalization,
        "attention": attention,
        "heads": heads,
        "channels": channels,
        "num_layers": num_layers,
        "hidden_channels": hidden_channels,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "max_epochs": max_epochs,
        "n_jobs": n_jobs,
    }
    parameters: dict[str, Any] = {
        name: str(value) if isinstance(value, StrEnum) else value
        for name, value in given.items()
        if value is not None
    }
    if attention is Attention.none:
        parameters["attention"] = None
    make = GeneGCNClassifier.paper if paper else GeneGCNClassifier
    clf = make(
        None if network == "none" else network,
        organism=organism,
        layer=layer or None,
        use_raw=use_raw,
        gene_column=gene_column or None,
        scale=scale,
        learn_mixing=learn_mixing,
        random_state=seed,
        device=device,
        verbose=True,
        **parameters,
    )
    clf.check_parameters()

    adata = read_labeled_cells(cells, label, genome)
    clf.set_params(network=read_network(clf.network, organism=organism, info=network_info))
    if clf.network is not None:
        say(f"Network   {clf.network}")
    fit(clf, adata, label)
    say(f"Types     {len(clf.classes_)}")
    clf.save(out)
    say(f"Written   {out}")
