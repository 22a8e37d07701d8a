"""The `orthologs` argument: tables, HCOP, and STRING's vectors for genes that have none there."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from string_vector_files import h5_bytes

from gene_gcn.errors import ArgumentError
from gene_gcn.genes.organisms import find_organism
from gene_gcn.networks import DownloadError
from gene_gcn.orthologs import match_orthologs
from gene_gcn.orthologs.match import MIN_COSINE

HUMAN, MOUSE = find_organism("human"), find_organism("mouse")
QUERY = ["Sst", "Ins1", "Ins2", "Lone1", "Lone2", "Lone3"]
MODEL = ["INS", "LONE2", "SST", "LONE1", "LONE4"]


def named(found):
    return {(QUERY[i], MODEL[j]) for i, j in zip(*found.pairs, strict=True)}


BY_HCOP = {("Sst", "SST"), ("Ins1", "INS"), ("Ins2", "INS")}


@pytest.fixture
def string(hcop, monkeypatch):
    """STRING's vectors of the genes above: those of Lone1 and LONE1 are alike, Lone2 and LONE2 less so."""
    axes = np.eye(8, dtype=np.float32)
    less = 0.9 * MIN_COSINE * axes[4] + axes[7] * np.sqrt(1 - (0.9 * MIN_COSINE) ** 2)
    vectors = {
        "10090": dict(zip(QUERY, [*axes[:3], axes[3], axes[4], axes[5]], strict=True)),
        # LONE4 is like Sst, which has an ortholog and is not given away again.
        "9606": dict(zip(MODEL, [axes[1], less, axes[0], axes[3], axes[0]], strict=True)),
    }  # fmt: skip
    for taxid, of_gene in vectors.items():
        ids = [f"{taxid}.P{i}" for i in range(len(of_gene))]
        info = "".join(f"{protein}\t{gene}\t1\t-\n" for protein, gene in zip(ids, of_gene, strict=True))
        info = "#string_protein_id\tpreferred_name\tprotein_size\tannotation\n" + info
        aliases = f"#string_protein_id\talias\tsource\n{ids[0]}\tsynonym\tEnsembl_gene\n"
        kinds = {"protein.info": info.encode(), "protein.aliases": aliases.encode()}
        for kind, text in kinds.items():
            hcop.files[f"/download/{kind}.v12.0/{taxid}.{kind}.v12.0.txt.gz"] = gzip.compress(text)
        kind = "protein.network.embeddings"
        content = h5_bytes(ids, np.array(list(of_gene.values()), np.float32))
        hcop.files[f"/download/{kind}.v12.0/{taxid}.{kind}.v12.0.h5"] = content
    monkeypatch.setenv("GENE_GCN_STRING_URL", f"{hcop.url}/download")
    return hcop


@pytest.mark.parametrize("orthologs", [None, "hcop"])
def test_hcop_is_the_default(hcop, orthologs):
    found = match_orthologs(orthologs, QUERY, MODEL, MOUSE, HUMAN)
    assert named(found) == BY_HCOP
    assert found.counts == {"one": 1, "several": 1, "none": 3, "by_vectors": 0}
    assert str(found) == "2 of the model's 5 genes have an ortholog, 1 of them several"
    cells = np.array([[1, 2, 3, 4, 5, 6]])
    assert (cells @ found.matrix).tolist() == [[5, 0, 1, 0, 0]]
    assert found.present.tolist() == [True, False, True, False, False]


def test_a_gene_counts_in_full_for_each_of_its_orthologs():
    table = pd.DataFrame({"a": ["g", "g"], "B": ["G1", "G2"]})
    assert match_orthologs(table, ["g"], ["G1", "G2"]).matrix.toarray().tolist() == [[1, 1]]


def test_vectors_pair_genes_without_orthologs(string):
    found = match_orthologs("string", QUERY, MODEL, MOUSE, HUMAN)
    assert named(found) == BY_HCOP | {("Lone1", "LONE1")}
    assert found.counts == {"one": 2, "several": 1, "none": 2, "by_vectors": 1}
    assert "3 of the model's 5 genes have an ortholog (1 by STRING's vectors)" in str(found)
    lower = match_orthologs("string", QUERY, MODEL, MOUSE, HUMAN, min_cosine=0.5)
    assert named(lower) == BY_HCOP | {("Lone1", "LONE1"), ("Lone2", "LONE2")}


def test_vectors_are_fetched_only_if_asked_for(hcop):
    match_orthologs(None, QUERY, MODEL, MOUSE, HUMAN)
    assert len(hcop.paths()) == 1


@pytest.mark.parametrize(
    ("organisms", "argument"), [((None, HUMAN), "organism"), ((MOUSE, None), "orthologs")]
)
def test_unknown_species(hcop, organisms, argument):
    with pytest.raises(ArgumentError, match=f"not known: pass {argument}=") as caught:
        match_orthologs(None, QUERY, MODEL, *organisms)
    assert caught.value.argument == argument and hcop.paths() == []
    table = pd.DataFrame({"a": ["Sst"], "b": ["SST"]})
    assert named(match_orthologs(table, QUERY, MODEL, *organisms)) == {("Sst", "SST")}


def test_missing_table():
    with pytest.raises(DownloadError, match="pass its path"):
        match_orthologs(None, QUERY, MODEL, MOUSE, HUMAN)
