"""`gene-gcn train`: from labeled cells to a model folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gene_gcn.cli import model_options as model
from gene_gcn.cli.checks import check_inputs, check_output_model
from gene_gcn.cli.console import say
from gene_gcn.cli.fitting import fit
from gene_gcn.cli.inputs import read_labeled_cells
from gene_gcn.cli.options import (
    Cells,
    Force,
    GeneColumn,
    Genome,
    Label,
    Layer,
    Network,
    NetworkInfo,
    Organism,
    Scale,
    UseRaw,
)


def train(
    cells: Cells,
    label: Label,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write.")],
    network: Network = "none",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    layer: Layer = None,
    use_raw: UseRaw = False,
    gene_column: GeneColumn = None,
    scale: Scale = None,
    genome: Genome = None,
    normalization: model.NormalizationOption = None,
    attention: model.AttentionOption = None,
    heads: model.Heads = None,
    learn_mixing: model.LearnMixing = False,
    channels: model.Channels = None,
    num_layers: model.NumLayers = None,
    hidden_channels: model.HiddenChannels = None,
    optimizer: model.OptimizerOption = None,
    learning_rate: model.LearningRate = None,
    max_epochs: model.MaxEpochs = None,
    seed: model.Seed = None,
    device: model.Device = "auto",
    n_jobs: model.NJobs = None,
    paper: model.Paper = False,
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
    if attention is model.Attention.none:
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
