"""Options of `gene-gcn train` for the model and its training; their defaults are those of the classifier."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer


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


class MissingGenes(StrEnum):
    """Choices of --missing-genes."""

    impute = "impute"
    refit = "refit"
    zero = "zero"


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


_model_option = partial(typer.Option, rich_help_panel="Model")
_training_option = partial(typer.Option, rich_help_panel="Training")

NormalizationOption = Annotated[
    Normalization | None,
    typer.Option(
        metavar="<name>",
        help="auto, sqrt, log1p or none. auto: square root of counts scaled to equal depth; none: values as "
        "they are. Default: auto.",
    ),
]
Paper = Annotated[
    bool, typer.Option("--paper", help="Use the settings of the paper (slow); other options override them.")
]

AttentionOption = Annotated[
    Attention | None,
    _model_option(
        metavar="<name>",
        help="Attention function, which computes a graph for each cell: none, dot, embedded_dot or additive. "
        "Default: none.",
    ),
]
Heads = Annotated[int | None, _model_option(help="Attention graphs in parallel. Default: 1.")]
LearnMixing = Annotated[
    bool,
    _model_option("--learn-mixing", help="Learn the weights of the attention graph and of the network."),
]
Channels = Annotated[
    int | None,
    _model_option(
        help="Features per gene: 1 is its expression; more are a learned embedding times its expression. "
        "Default: 1."
    ),
]
NumLayers = Annotated[int | None, _model_option(help="Number of interaction layers. Default: 1.")]
HiddenChannels = Annotated[
    tuple | None,
    _model_option(
        parser=parse_widths,
        metavar="<int,int…>",
        help="Widths of the head's hidden layers, comma-separated, such as 128,64. Default: none.",
    ),
]
MissingGenesOption = Annotated[
    MissingGenes | None,
    _model_option(
        metavar="<name>",
        help="What is done about genes that cells to annotate lack: impute fills in what is expected; refit "
        "also fits the head again to the genes that they have; zero takes them as not expressed. "
        "Default: impute.",
    ),
]

OptimizerOption = Annotated[
    Optimizer | None,
    _training_option(
        metavar="<name>",
        help="lbfgs fits a linear head exactly, with or without a network; sgd and adam train any model by "
        "gradient descent; auto is lbfgs where possible, otherwise sgd. Default: auto.",
    ),
]
LearningRate = Annotated[
    float | None, _training_option(help="For sgd and adam. Default: set from the scale of the data.")
]
MaxEpochs = Annotated[
    int | None, _training_option(help="For sgd and adam: maximum number of epochs. Default: 100.")
]
Seed = Annotated[
    int | None, _training_option(min=0, metavar="<int>", help="Random seed, for reproducible models.")
]
Device = Annotated[str, _training_option(help="auto, cpu, cuda, cuda:1, mps.")]
NJobs = Annotated[int | None, _training_option(help="CPU threads; -1 uses all cores. Default: 1.")]
