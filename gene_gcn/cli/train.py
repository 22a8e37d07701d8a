"""`gene-gcn train`: from labeled cells to a model folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cli import model_options as model
from gene_gcn.cli.checks import check_card, check_inputs, check_output_model
from gene_gcn.cli.console import say
from gene_gcn.cli.fitting import fit
from gene_gcn.cli.inputs import read_labeled_cells, read_parents
from gene_gcn.cli.model_facts import describe_model
from gene_gcn.cli.options import (
    CardFile,
    Force,
    GeneColumn,
    Genome,
    Labels,
    Layer,
    Network,
    NetworkInfo,
    OntologyFile,
    Organism,
    ParentsTable,
    References,
    Scale,
    UseRaw,
)

if TYPE_CHECKING:
    from gene_gcn import GeneGCNClassifier

FEW_CELLS = 3  # types with fewer are hardly ever found


def train(
    cells: References,
    label: Labels,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model folder or .zip to write.")],
    network: Network = "none",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    layer: Layer = None,
    use_raw: UseRaw = False,
    gene_column: GeneColumn = None,
    scale: Scale = None,
    genome: Genome = None,
    batch: Annotated[
        str | None,
        typer.Option(
            help="Column of .obs (or of the table) with the batch of a cell, such as its donor or "
            "laboratory. Each of several files is a batch of its own."
        ),
    ] = None,
    parents: ParentsTable = None,
    ontology_file: OntologyFile = None,
    normalization: model.NormalizationOption = None,
    attention: model.AttentionOption = None,
    heads: model.Heads = None,
    learn_mixing: model.LearnMixing = False,
    channels: model.Channels = None,
    num_layers: model.NumLayers = None,
    hidden_channels: model.HiddenChannels = None,
    missing_genes: model.MissingGenesOption = None,
    optimizer: model.OptimizerOption = None,
    learning_rate: model.LearningRate = None,
    max_epochs: model.MaxEpochs = None,
    seed: model.Seed = None,
    device: model.Device = "auto",
    n_jobs: model.NJobs = None,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes that train one model together, each on a part of the cells. Those that torchrun "
            "or SLURM start join by themselves.",
        ),
    ] = 1,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the state of a long run, of gradient training or cells on disk. If the run is "
            "killed, the same command, which needs a --seed, goes on from there."
        ),
    ] = None,
    paper: model.Paper = False,
    card: CardFile = None,
    force: Force = False,
) -> dict[str, Any]:
    """Train on labeled cells, of one file or several, and write a model folder."""
    check_inputs(*cells, network=network, network_info=network_info)
    check_output_model(out, force=force)
    check_card(card)
    from gene_gcn import GeneGCNClassifier
    from gene_gcn.cells import open_cells, stays_on_disk
    from gene_gcn.cli.processes import join
    from gene_gcn.networks.resolve import read_network
    from gene_gcn.training.distributed import agreed, num_processes, process_rank

    settings = {
        "normalization": normalization,
        "attention": attention,
        "heads": heads,
        "channels": channels,
        "num_layers": num_layers,
        "hidden_channels": hidden_channels,
        "missing_genes": missing_genes,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "max_epochs": max_epochs,
        "n_jobs": n_jobs,
    }
    parameters: dict[str, Any] = {
        name: str(value) if isinstance(value, StrEnum) else value
        for name, value in settings.items()
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
    hierarchy = read_parents(parents, ontology_file, has_levels=len(label) > 1)

    join(processes, device)
    clf.set_params(verbose=process_rank() == 0)
    references: list[Any] = list(cells)
    with agreed():
        if clf.can_learn_from_disk and (num_processes() > 1 or stays_on_disk(references, layer, use_raw)):
            references = [
                open_cells(
                    references,
                    layer=clf.layer,
                    use_raw=use_raw,
                    gene_column=clf.gene_column,
                    scale=scale,
                    normalize=clf.normalization != "none",
                )
            ]
            n, width = references[0].shape
            say(f"Cells     {n:,} cells × {width:,} genes, read block by block")
        else:
            references = [read_labeled_cells(path, label[-1], genome, batch, label[:-1]) for path in cells]
        clf.set_params(network=read_network(clf.network, organism=organism, info=network_info))
    if clf.network is not None:
        say(f"Network   {clf.network}")
    columns = label[0] if len(label) == 1 else label if len(cells) == 1 else [label] * len(cells)
    given = references if len(references) > 1 else references[0]
    fitted = fit(clf, given, columns, batch, checkpoint, hierarchy)
    say(f"Types     {len(clf.classes_)}")
    _say_few_cells(clf)
    if clf.hierarchy_ is not None:
        say(f"Hierarchy {repr(clf.hierarchy_).removeprefix('Hierarchy(').removesuffix(')')}")
    with agreed():
        if process_rank() == 0:
            clf.save(out, card)
    say(f"Written   {out}")
    n_cells = sum(each.shape[0] for each in references)
    return {"cells": n_cells, "fit": fitted, "model": describe_model(clf), "written": [out]}


def _say_few_cells(clf: GeneGCNClassifier) -> None:
    from gene_gcn.errors import first_few
    from gene_gcn.report.model_used import ModelUsed

    counts = ModelUsed.of(clf).types
    few = [f"{name} ({n})" for name, n in counts if n is not None and n < FEW_CELLS]
    if few:
        say(f"Few cells {first_few(few, 5)}: too few to be found reliably")
