"""Each fault of the page gives the message that the page quotes, and each remedy runs."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from code_blocks import FENCE, ROOT, Block, blocks_of
from scipy import sparse
from served_files import serve

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import GeneGCNWarning

PAGE = "docs/faq.md"


def blood() -> tuple[anndata.AnnData, anndata.AnnData]:
    """A reference of 150 and a query of 150 real cells of four types, which come with scanpy."""
    raw = sc.datasets.pbmc68k_reduced().raw.to_adata()
    short = {"CD19+ B": "B", "CD56+ NK": "NK", "Dendritic": "Dendritic"}
    names = [short.get(t, "T" if t.startswith(("CD4+", "CD8+")) else "") for t in raw.obs["bulk_labels"]]
    obs = pd.DataFrame({"cell_type": pd.Categorical(names)}, index=raw.obs_names)
    obs["donor"] = np.where(np.arange(raw.n_obs) % 3, "donor1", "donor2")
    cells = anndata.AnnData(sparse.csr_matrix(raw.X), obs=obs, var=raw.var[[]])
    cells.layers["counts"] = cells.X.copy()
    cells = cells[obs["cell_type"] != ""][:300].copy()
    return cells[::2].copy(), cells[1::2].copy()


@pytest.fixture(scope="module")
def cells() -> tuple[anndata.AnnData, anndata.AnnData]:
    return blood()


@pytest.fixture(scope="module")
def clf(cells) -> GeneGCNClassifier:
    return GeneGCNClassifier(random_state=0).fit(cells[0], "cell_type")


def faulty(reference: anndata.AnnData, query: anndata.AnnData) -> dict[str, anndata.AnnData]:
    """The cells that the page's remedies are about."""
    scaled = query.copy()
    scaled.raw = query
    scaled.X = query.X.toarray() - 1.5
    ensembl = query.copy()
    ensembl.var["gene_name"] = query.var_names
    ensembl.var_names = [f"ENSG{i:011d}" for i in range(query.n_vars)]
    mouse = query.copy()
    mouse.var_names = query.var_names.str.capitalize()
    nan_query = query.copy()
    nan_query.X = query.X.toarray()
    nan_query.X[0, 0] = np.nan
    nan_reference = reference.copy()
    nan_reference.obs["cell_type"] = reference.obs["cell_type"].astype(str)
    nan_reference.obs.iloc[:5, 0] = "nan"
    transposed = anndata.AnnData(query.X.T.tocsr(), obs=query.var, var=query.obs)
    return {
        "scaled_query": scaled,
        "ensembl_query": ensembl,
        "mouse_query": mouse,
        "nan_query": nan_query,
        "nan_reference": nan_reference,
        "transposed": transposed,
    }


def damage_and_load(clf: GeneGCNClassifier) -> None:
    clf.save("model")
    config = Path("model/config.json")
    config.write_text(config.read_text().replace("1", "2", 1))
    GeneGCNClassifier.load("model")


def with_labels(reference: anndata.AnnData, labels: object) -> None:
    GeneGCNClassifier(random_state=0).fit(reference, np.asarray(labels, dtype=object))


def duplicated(query: anndata.AnnData) -> anndata.AnnData:
    query = query.copy()
    query.var_names = [query.var_names[0], *query.var_names[[0]], *query.var_names[2:]]
    return query


def emptied(query: anndata.AnnData) -> anndata.AnnData:
    query = query.copy()
    query.X = sparse.diags((np.arange(query.n_obs) >= 3).astype(np.float32)) @ query.X
    return query


# Heading of the page: the fault.
FAULTS: dict[str, Callable] = {
    "X has negative values": lambda clf, r, q, bad: clf.annotate(bad["scaled_query"]),
    "Input X contains NaN": lambda clf, r, q, bad: clf.annotate(bad["nan_query"]),
    "X and the model have no genes in common": lambda clf, r, q, bad: clf.annotate(bad["ensembl_query"]),
    "Mouse cells, human model": lambda clf, r, q, bad: clf.annotate(bad["mouse_query"]),
    "Genes are missing from X": lambda clf, r, q, bad: clf.annotate(q[:, :300].copy()),
    "Genes as rows": lambda clf, r, q, bad: clf.annotate(bad["transposed"]),
    "Duplicate gene names": lambda clf, r, q, bad: clf.annotate(duplicated(q)),
    "Not a column of .obs": lambda clf, r, q, bad: GeneGCNClassifier().fit(r, "celltype"),
    'Cells without a label, and "nan"': lambda clf, r, q, bad: GeneGCNClassifier().fit(
        bad["nan_reference"], "cell_type"
    ),
    "Only one class": lambda clf, r, q, bad: with_labels(r, ["T"] * r.n_obs),
    "As many types as cells": lambda clf, r, q, bad: with_labels(r, r.obs_names),
    "Majority voting over clusters": lambda clf, r, q, bad: clf.annotate(q.copy(), over="leiden"),
    "Cells without expression": lambda clf, r, q, bad: clf.annotate(emptied(q)),
    "It does not use the GPU": lambda clf, r, q, bad: GeneGCNClassifier(device="cuda").fit(r, "cell_type"),
    "The model cannot be loaded": lambda clf, r, q, bad: damage_and_load(clf),
}


def sections() -> dict[str, list[Block]]:
    """Blocks below each heading of a question."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    parts = text.split("\n### ")[1:]
    return {part.partition("\n")[0]: [Block(m[2], m[3], 0) for m in FENCE.finditer(part)] for part in parts}


SECTIONS = sections()


@pytest.fixture
def folder(tmp_path, monkeypatch, host, cells) -> Path:
    monkeypatch.chdir(tmp_path)
    serve(host, monkeypatch, cells[0].var_names)
    return tmp_path


def test_every_quoted_message_has_a_fault():
    quoted = {title for title, blocks in SECTIONS.items() if any(b.language == "text" for b in blocks)}
    assert quoted == set(FAULTS)
    assert sum(map(len, SECTIONS.values())) == len(blocks_of(PAGE)) and len(SECTIONS) >= 20


@pytest.mark.parametrize("title", FAULTS)
def test_message_is_quoted_word_for_word(title, folder, clf, cells):
    if "GPU" in title:
        import torch

        if torch.backends.cuda.is_built():
            pytest.skip("torch is built with CUDA, which says it in other words")
    (quoted,) = (" ".join(block.code.split()) for block in SECTIONS[title] if block.language == "text")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            FAULTS[title](clf, *cells, faulty(*cells))
        except (ValueError, OSError) as error:
            said = [str(error)]
        else:
            said = [str(w.message) for w in caught if issubclass(w.category, GeneGCNWarning)]
    assert quoted in said


@pytest.mark.parametrize("title", [t for t, b in SECTIONS.items() if any(x.language == "python" for x in b)])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.GeneGCNWarning", "ignore::FutureWarning")
def test_remedy_runs(title, folder, cells):
    reference, query = (each.copy() for each in cells)
    reference.write_h5ad("reference.h5ad")
    clf = GeneGCNClassifier(random_state=0).fit(reference, "cell_type")
    module = types.ModuleType("__faq__")
    module.__dict__.update(
        {"reference": reference, "query": query, "clf": clf, "sc": sc, "GeneGCNClassifier": GeneGCNClassifier}
        | faulty(reference, query)
    )
    for block in SECTIONS[title]:
        if block.language == "python":
            exec(compile(block.code, title, "exec"), module.__dict__)
