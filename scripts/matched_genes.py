"""How many genes of real cells are matched and connected: the table of docs/guide/networks.md.

python scripts/matched_genes.py DATA, where DATA holds cells/*.h5ad, networks/ and mirror/ with the paths of
the download hosts, which the script serves on this computer.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import anndata
import pandas as pd
from _local_server import serve

from gene_gcn import networks

HUMAN_STRING = {"version": "12.0"}
MOUSE_STRING = {"version": "11.5", "min_score": 800}
BIOGRID = {"version": "3.4.128"}


def print_match(
    cells: str, genes: Sequence[str], database: Literal["string", "biogrid"], options: dict[str, Any]
) -> None:
    network, match = networks.for_genes(database, genes, **options)
    print_row(cells, network, match)


def print_row(cells: str, network: networks.GeneNetwork, match: networks.GeneMatch) -> None:
    counts = [match.counts[name] for name in ("genes", "matched", "connected")]
    print(f"| {cells} | {network.source} | {' | '.join(f'{n:,}' for n in [*counts, network.num_edges])} |")


def print_table(data: Path) -> None:
    """Print a Markdown row for each combination of cells, gene names and network."""
    var = {
        name: anndata.read_h5ad(data / "cells" / f"{name}.h5ad", backed="r").var
        for name in ("pbmc3k", "zheng_sorted_pbmc", "baron_mouse_pancreas")
    }
    symbols = {name: list(dict.fromkeys(table.index)) for name, table in var.items()}
    pbmc3k, sorted_pbmc, mouse = symbols.values()
    ensembl = list(dict.fromkeys(var["zheng_sorted_pbmc"]["gene_ids"]))

    print("| cells, names | network | genes | matched | connected | edges |\n|---|---|---|---|---|---|")
    print_match("pbmc3k, symbols", pbmc3k, "string", HUMAN_STRING)
    print_match("pbmc3k, symbols", pbmc3k, "biogrid", BIOGRID)
    print_match("sorted PBMC, Ensembl ids", ensembl, "string", HUMAN_STRING)
    print_match("sorted PBMC, symbols", sorted_pbmc, "string", HUMAN_STRING)
    print_match("sorted PBMC, Ensembl ids", ensembl, "biogrid", BIOGRID)
    print_match("mouse pancreas, symbols", mouse, "string", MOUSE_STRING)
    print_match("mouse pancreas, symbols", mouse, "biogrid", BIOGRID)
    orthologs = pd.read_csv(data / "networks/orthologs-human-mouse-ensembl105.tsv.gz", sep="\t")
    through_orthologs = networks.string("human").to_organism(orthologs, "mouse")
    match = networks.match_genes(mouse, through_orthologs)
    print_row("mouse pancreas, symbols", match.apply(through_orthologs), match)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with cells/, networks/ and mirror/")
    options = parser.parse_args()
    with serve(options.data / "mirror") as url, tempfile.TemporaryDirectory() as cache:
        os.environ |= {
            "GENE_GCN_STRING_URL": f"{url}/string/download",
            "GENE_GCN_BIOGRID_URL": f"{url}/biogrid",
            "GENE_GCN_CACHE": cache,
        }
        print_table(options.data)


if __name__ == "__main__":
    main()
