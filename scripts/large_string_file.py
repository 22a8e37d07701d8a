"""Fetch and parse a STRING file of full size, then load it from the cache: results in docs/guide/networks.md.

python scripts/large_string_file.py LINKS creates a file of 12 million rows by repeating those of LINKS (a
protein.links file) with permuted ids, serves it on this computer, and prints seconds and the peak memory of
the process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _local_server import serve

from gene_gcn import networks
from gene_gcn.benchmark.runs import peak_memory

ROWS = 12_000_000


def write_files(links: Path, folder: Path, n_rows: int) -> None:
    """Write files named and laid out as STRING's into a folder."""
    rows = pd.read_csv(links, sep=" ")
    ids, codes = np.unique(rows[["protein1", "protein2"]].to_numpy(), return_inverse=True)
    codes, rng = codes.reshape(-1, 2), np.random.default_rng(0)
    files = {
        kind: folder / f"protein.{kind}.v12.0" / f"9606.protein.{kind}.v12.0.txt.gz"
        for kind in ("links", "info")
    }
    for path in files.values():
        path.parent.mkdir()
    for i in range(-(-n_rows // len(rows))):
        pairs = ids[rng.permutation(len(ids))[codes]]
        part = rows.assign(protein1=pairs[:, 0], protein2=pairs[:, 1])[: n_rows - i * len(rows)]
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("links", type=Path, help="a protein.links file of STRING")
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="rows of the large file (default: %(default)s)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(options.links, folder, options.rows)
        with serve(folder) as url:
            os.environ |= {"GENE_GCN_STRING_URL": url, "GENE_GCN_CACHE": str(folder / "cache")}
            for source in ("from the server", "from the cache"):
                start = time.perf_counter()
                with peak_memory() as peak:
                    network = networks.string("human")
                seconds = time.perf_counter() - start
                print(f"{network} {source}: {seconds:.2f} s, peak memory {peak():.2f} GB", flush=True)


if __name__ == "__main__":
    main()
