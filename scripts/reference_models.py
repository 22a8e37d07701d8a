"""Build models to share, with their cards, from labeled cells that ship in Python packages.

    python scripts/reference_models.py --out FOLDER [--only NAME...] [--came came.whl]

Blood cells ship with scanpy. Human and mouse pancreas ship with the package came, which need not be
installed: `pip download --no-deps came`, and pass the wheel. For each set, macro-F1 and accuracy are measured
in five stratified folds and, where there are donors, on each donor by a model of the others; then a model of
all cells is saved as FOLDER/NAME and FOLDER/NAME.zip. FOLDER/index.json lists the models with their SHA-256.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anndata
import numpy as np

from gene_gcn import GeneGCNClassifier, ModelCard
from gene_gcn.benchmark.metrics import evaluate
from gene_gcn.benchmark.splits import Pair, folds, whole_groups, without_rare_types
from gene_gcn.storage.model_folder import MANIFEST_FILE
from gene_gcn.storage.text_files import sha256_of

BARON = "Baron et al. 2016, A single-cell transcriptomic map of the human and mouse pancreas, "
ZHENG = "Zheng et al. 2017, Massively parallel digital transcriptional profiling of single cells, "
PANCREAS = {
    "tissue": "pancreas",
    "assay": "inDrop",
    "disease": "normal",
    "source": "GEO GSE84133, as in the Python package came (0.1.13)",
    "citation": f"{BARON}https://doi.org/10.1016/j.cels.2016.08.011",
    "cells_license": "none stated in GEO",
    "license": "CC-BY-4.0",
}


class Reference(NamedTuple):
    """Labeled cells, and what the card of their model says.

    Attributes
    ----------
    read : callable
        From the wheel of came, or None, to the cells.
    label : str
        Column of `obs`.
    donor : str or None
        Column of `obs` with donors, which are batches.
    card : ModelCard
    parameters : dict of str to object
        Of the classifier.
    """

    read: Callable[[Path | None], anndata.AnnData]
    label: str
    donor: str | None
    card: ModelCard
    parameters: dict[str, Any]


def read_blood(_: Path | None) -> anndata.AnnData:
    """Read the cells that ship with scanpy."""
    import scanpy as sc

    return sc.datasets.pbmc68k_reduced()


def read_pancreas(wheel: Path | None, species: str) -> anndata.AnnData:
    """Read one of the sets in came's wheel, which are in a zip archive in it."""
    if wheel is None:
        raise SystemExit("These cells are in the wheel of came: pip download --no-deps came; pass --came.")
    with zipfile.ZipFile(wheel) as outer:
        inner = zipfile.ZipFile(io.BytesIO(outer.read("came/sample_data.zip")))
    with tempfile.TemporaryDirectory() as folder:
        return anndata.read_h5ad(inner.extract(f"raw-Baron_{species}.h5ad", folder))


REFERENCES = {
    "blood_human": Reference(
        read_blood,
        "bulk_labels",
        None,
        ModelCard(
            title="Blood cells, an example",
            description="700 of the 68,579 peripheral blood mononuclear cells of one donor, with 765 genes, "
            "as they ship with scanpy. To try the program with; references of whole data sets know more.",
            tissue="blood",
            organism="Homo sapiens",
            assay="10x 3' v1",
            disease="normal",
            donors=1,
            source="scanpy.datasets.pbmc68k_reduced(); "
            "https://www.10xgenomics.com/datasets/fresh-68-k-pbm-cs-donor-a-1-standard-1-1-0",
            citation=f"{ZHENG}https://doi.org/10.1038/ncomms14049",
            cells_license="CC BY 4.0",
            license="CC-BY-4.0",
            limitations="Labels are those of the sorted cells that each cell correlates with best, so T "
            "cells are often wrong. Only 765 genes that vary were kept.",
        ),
        {"use_raw": True, "network": "coexpression"},
    ),
    "pancreas_human": Reference(
        lambda wheel: read_pancreas(wheel, "human"),
        "cell_type1",
        "donor",
        ModelCard(title="Human pancreas", organism="Homo sapiens", donors=4, **PANCREAS),
        {},
    ),
    "pancreas_mouse": Reference(
        lambda wheel: read_pancreas(wheel, "mouse"),
        "cell_type1",
        "donor",
        ModelCard(title="Mouse pancreas", organism="Mus musculus", donors=2, **PANCREAS),
        {},
    ),
}


def build(name: str, out: Path, wheel: Path | None = None) -> dict[str, Any]:
    """Measure and save one model; return its row of the index."""
    reference = REFERENCES[name]
    every = reference.read(wheel)
    cells = without_rare_types(every, reference.label)
    labels = cells.obs[reference.label].to_numpy(dtype=object)
    measured = {"five stratified folds": score(reference, cells, list(folds(labels)))}
    if reference.donor is not None:
        donors = cells.obs[reference.donor].to_numpy(dtype=object)
        measured["each donor by a model of the others"] = score(reference, cells, whole_groups(donors))
    clf = new_classifier(reference).fit(cells, reference.label, batch=reference.donor)
    card = reference.card.updated(ModelCard(measured=in_words(measured, every.n_obs - cells.n_obs)))
    clf.save(out / name, card)
    clf.save(out / f"{name}.zip", card)
    archive = out / f"{name}.zip"
    return {
        "name": name,
        "title": card.title,
        "types": len(clf.classes_),
        "genes": clf.n_features_in_,
        "cells": cells.n_obs,
        "measured": measured,
        "bytes": archive.stat().st_size,
        "sha256": sha256_of(archive),
        "manifest_sha256": sha256_of(out / name / MANIFEST_FILE),
    }


def new_classifier(reference: Reference) -> GeneGCNClassifier:
    return GeneGCNClassifier(random_state=0, **reference.parameters)


def score(reference: Reference, cells: anndata.AnnData, splits: list[Pair]) -> dict[str, float]:
    """Return metrics of all cells, each by a model that has not seen its fold or donor."""
    labels = cells.obs[reference.label].to_numpy(dtype=object)
    called = np.empty(len(labels), dtype=object)
    for train, test in splits:
        clf = new_classifier(reference).fit(cells[train].copy(), reference.label)
        called[test] = clf.predict(cells[test].copy())
    found = evaluate(labels, called)
    return {metric: round(found[metric], 3) for metric in ("macro_f1", "accuracy")}


def in_words(measured: dict[str, dict[str, float]], left_out: int) -> str:
    """Return what the card says."""
    text = "; ".join(
        f"macro-F1 {found['macro_f1']:.3f} and accuracy {found['accuracy']:.3f} on {how}"
        for how, found in measured.items()
    )
    rare = f" {left_out} cells of types with fewer than five cells were left out." if left_out else ""
    return f"Measured over all cells by models like this one: {text}.{rare}"


def write_index(out: Path, rows: list[dict[str, Any]]) -> None:
    """Write index.json."""
    text = json.dumps({"models": rows}, indent=1, ensure_ascii=False)
    (out / "index.json").write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--only", nargs="+", choices=list(REFERENCES), default=list(REFERENCES))
    parser.add_argument("--came", type=Path, help="wheel of the package came")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    rows = []
    for name in arguments.only:
        rows.append(build(name, arguments.out, arguments.came))
        print(json.dumps(rows[-1]), flush=True)
    write_index(arguments.out, rows)


if __name__ == "__main__":
    main()
