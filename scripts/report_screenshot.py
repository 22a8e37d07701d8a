"""Write the report of docs/guide/report.md, and take a picture of its top."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with kang_muscat_2donors.h5ad")
    parser.add_argument("out", type=Path, help="picture (.png) to write")
    parser.add_argument("--chromium", default="chromium", help="the command of Chromium")
    parser.add_argument("--height", type=int, default=1500, help="of the picture, in pixels")
    arguments = parser.parse_args()

    import anndata

    from gene_gcn import GeneGCNClassifier
    from gene_gcn.report import write_report

    cells = anndata.read_h5ad(arguments.data / "kang_muscat_2donors.h5ad")
    is_stimulated = cells.obs["batch"].astype(str).str.startswith("stim")
    query = cells[is_stimulated].copy()
    clf = GeneGCNClassifier(random_state=0).fit(cells[~is_stimulated].copy(), "cell_type")
    clf.annotate(query, unknown=True, alpha=0.1)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(page, clf, query, y="cell_type", name="kang_muscat_2donors.h5ad, stimulated")
        size, profile = f"--window-size=1080,{arguments.height}", f"--user-data-dir={folder}/profile"
        picture = f"--screenshot={arguments.out.absolute()}"
        subprocess.run(
            [arguments.chromium, *FLAGS, size, profile, picture, page.as_uri()],
            check=True,
            stderr=subprocess.DEVNULL,
        )


if __name__ == "__main__":
    main()
