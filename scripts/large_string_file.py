"""Fetch and parse a STRING file of full size, then load it again: the figures of docs/networks.md.

python scripts/large_string_file.py LINKS makes 12 M rows by repeating those of LINKS (a protein.links file)
with permuted ids, serves them on this computer, and prints seconds and the peak memory of the process.
"""

import os
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd

from gene_gcn import networks
from gene_gcn.benchmark.accuracy import peak_memory

ROWS = 12_000_000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


def make(links: str, folder: Path) -> None:
    rows = pd.read_csv(links, sep=" ")
    ids, codes = np.unique(rows[["protein1", "protein2"]].to_numpy(), return_inverse=True)
    codes, rng = codes.reshape(-1, 2), np.random.default_rng(0)
    files = {
        kind: folder / f"protein.{kind}.v12.0" / f"9606.protein.{kind}.v12.0.txt.gz"
        for kind in ("links", "info")
    }
    for path in files.values():
        path.parent.mkdir()
    for i in range(-(-ROWS // len(rows))):
        pairs = ids[rng.permutation(len(ids))[codes]]
        part = rows.assign(protein1=pairs[:, 0], protein2=pairs[:, 1])
        part.to_csv(
            files["links"],
            sep=" ",
            index=False,
            header=i == 0,
            mode="a",
            compression={"method": "gzip", "compresslevel": 1},
        )
    names = [f"GENE{i}" for i in range(len(ids))]
    info = pd.DataFrame(
        {"#string_protein_id": ids, "preferred_name": names, "protein_size": 0, "annotation": "-"}
    )
    info.to_csv(files["info"], sep="\t", index=False)


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    make(sys.argv[1], folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=name))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "GENE_GCN_STRING_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "GENE_GCN_CACHE": str(folder / "cache"),
    }
    for what in ("fetched, checked and parsed", "again"):
        start = time.perf_counter()
        with peak_memory() as peak:
            network = networks.string("human")
        print(
            f"{network}: {what} in {time.perf_counter() - start:.2f} s, peak memory {peak():.2f} GB",
            flush=True,
        )
    server.shutdown()
