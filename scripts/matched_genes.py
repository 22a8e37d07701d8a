"""How many genes of real cells are matched and connected: the table of docs/networks.md, and a worked example.

python scripts/matched_genes.py DATA, where DATA holds cells/*.h5ad, networks/ and mirror/, the paths of the
download hosts, which are served on this computer for the time of the run.
"""

import os
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anndata
import pandas as pd

from gene_gcn import networks

data = Path(sys.argv[1])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(data / "mirror")))
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"http://127.0.0.1:{server.server_address[1]}"
os.environ |= {
    "GENE_GCN_STRING_URL": f"{host}/string/download",
    "GENE_GCN_BIOGRID_URL": f"{host}/biogrid",
    "GENE_GCN_CACHE": tempfile.mkdtemp(),
}

var = {
    name: anndata.read_h5ad(data / "cells" / f"{name}.h5ad", backed="r").var
    for name in ("pbmc3k", "zheng_sorted_pbmc", "baron_mouse_pancreas")
}
human, mouse = {"version": "12.0"}, {"version": "11.5", "min_score": 800}
biogrid = {"version": "3.4.128"}
symbols = {name: list(dict.fromkeys(table.index)) for name, table in var.items()}
ensembl = list(dict.fromkeys(var["zheng_sorted_pbmc"]["gene_ids"]))

print("| cells, names | network | genes | matched | connected | edges |\n|---|---|---|---|---|---|")


def show(cells: str, genes: list[str], database: str, **options) -> None:
    network, match = networks.for_genes(database, genes, **options)
    row(cells, network, match)


def row(cells: str, network: networks.GeneNetwork, match: networks.GeneMatch) -> None:
    counts = [match.counts[name] for name in ("genes", "matched", "connected")]
    print(f"| {cells} | {network.source} | {' | '.join(f'{n:,}' for n in [*counts, network.num_edges])} |")


show("pbmc3k, symbols", symbols["pbmc3k"], "string", **human)
show("pbmc3k, symbols", symbols["pbmc3k"], "biogrid", **biogrid)
show("sorted PBMC, Ensembl ids", ensembl, "string", **human)
show("sorted PBMC, symbols", symbols["zheng_sorted_pbmc"], "string", **human)
show("sorted PBMC, Ensembl ids", ensembl, "biogrid", **biogrid)
show("mouse pancreas, symbols", symbols["baron_mouse_pancreas"], "string", **mouse)
show("mouse pancreas, symbols", symbols["baron_mouse_pancreas"], "biogrid", **biogrid)
orthologs = pd.read_csv(data / "networks/orthologs-human-mouse-ensembl105.tsv.gz", sep="\t")
through = networks.string("human").to_organism(orthologs, "mouse")
match = networks.match_genes(symbols["baron_mouse_pancreas"], through)
row("mouse pancreas, symbols", match.apply(through), match)
