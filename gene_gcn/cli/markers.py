"""`gene-gcn markers`: from cells without labels and marker genes to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cli.checks import check_card, check_inputs, check_output_model
from gene_gcn.cli.console import new_table, say
from gene_gcn.cli.model_facts import describe_model
from gene_gcn.cli.model_options import NJobs, Seed
from gene_gcn.cli.options import (
    CardFile,
    Cells,
    Force,
    GeneColumn,
    Genome,
    Layer,
    Network,
    NetworkInfo,
    Organism,
    Scale,
    UseRaw,
)
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    import pandas as pd


def markers(
    cells: Cells,
    markers: Annotated[
        Path,
        typer.Option(
            "--markers",
            "-m",
            metavar="<path>",
            help="Marker genes: .yaml (a list of genes for each type), .csv or .tsv (columns type, "
            "gene), or .gmt.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model folder or .zip to write.")],
    network: Network = "none",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    layer: Layer = None,
    use_raw: UseRaw = False,
    gene_column: GeneColumn = None,
    scale: Scale = None,
    genome: Genome = None,
    seed: Seed = None,
    n_jobs: NJobs = None,
    card: CardFile = None,
    force: Force = False,
) -> dict[str, Any]:
    """Train on cells without labels, by marker genes of their types, and write a model folder."""
    check_inputs(cells, network=network, network_info=network_info)
    if not markers.expanduser().is_file():
        raise ArgumentError("markers", Argument("markers", markers), " is not a file.")
    check_output_model(out, force=force)
    check_card(card)
    from gene_gcn import from_markers
    from gene_gcn.cli.inputs import read_cells
    from gene_gcn.networks.resolve import read_network

    clf = from_markers(
        markers,
        organism=organism,
        layer=layer or None,
        use_raw=use_raw,
        gene_column=gene_column or None,
        scale=scale,
        n_jobs=n_jobs,
        random_state=seed,
    )
    clf.check_parameters()
    adata = read_cells(cells, genome=genome)
    if not adata.n_obs:
        raise ArgumentError("cells", f"{str(cells)!r} contains no cells.")
    clf.set_params(
        network=read_network(None if network == "none" else network, organism=organism, info=network_info)
    )
    clf.fit(adata)
    _say_types(clf.markers_)
    if clf.network_ is not None:
        used = (
            f"markers spread along it with damping {clf.damping_:g}"
            if clf.damping_
            else "not used for markers"
        )
        say(f"Network   {clf.network_}; {used}")
    clf.save(out, card)
    say(f"Written   {out}")
    return {
        "cells": adata.n_obs,
        "types": clf.markers_,
        "damping": clf.damping_,
        "model": describe_model(clf),
        "written": [out],
    }


def _say_types(found: pd.DataFrame) -> None:
    table = new_table("Types", "type", "cells", "agreement", "markers among the genes")
    table.columns[-1].justify = "left"
    table.columns[-1].no_wrap = False
    for row in found.itertuples():
        cells = f"{row.cells:,}" if row.used else "left out"
        agreement = "–" if row.agreement != row.agreement else f"{row.agreement:.1f}"
        genes = row.markers if row.used else f"{row.markers}: {row.reason}"
        table.add_row(row.type, cells, agreement, genes)
    say(table)
