"""Cells of another species are annotated by the orthologs of the model's genes."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from stored_cells import log1p, typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError, GeneNamesWarning, MissingGenesWarning
from gene_gcn.networks import DownloadError
from gene_gcn.report import write_report

HUMAN = typed_cells(200, genes=60)
HUMAN.var_names = [f"GENE{i}" for i in range(60)]
# A gene of the mouse for each human gene, except that GENE0 has two and GENE1 has none.
PAIRS = pd.DataFrame(
    [("GENE0", "Gene0a"), ("GENE0", "Gene0b"), *((f"GENE{i}", f"Gene{i}") for i in range(2, 60))],
    columns=["human", "mouse"],
)


def as_mouse(cells, seed=0):
    """The same cells as of a mouse: counts of GENE0 are dealt out to both orthologs, genes are shuffled."""
    rng = np.random.default_rng(seed)
    counts = cells.X.toarray()
    first = rng.binomial(counts[:, 0].astype(int), 0.4)
    own = rng.poisson(2.0, (len(counts), 5))  # genes that humans lack
    X = np.column_stack([first, counts[:, 0] - first, counts[:, 2:], own])
    names = ["Gene0a", "Gene0b", *(f"Gene{i}" for i in range(2, 60)), *(f"Own{i}rik" for i in range(5))]
    mouse = ad.AnnData(
        sparse.csr_matrix(X.astype(np.float32)), obs=cells.obs.copy(), var=pd.DataFrame(index=names)
    )
    return mouse[:, rng.permutation(mouse.n_vars)].copy()


QUERY = typed_cells(300, genes=60, seed=1)
MOUSE = as_mouse(QUERY)
SPECIES = {"organism": "mouse", "orthologs": PAIRS}


@pytest.fixture(scope="module")
def clf():
    return GeneGCNClassifier(random_state=0).fit(HUMAN, "cell_type")


@pytest.fixture(autouse=True)
def expected_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingGenesWarning)
        yield


def logits(probabilities):
    return np.log(np.maximum(probabilities, 1e-12))


def test_counts_of_several_orthologs_are_summed(clf):
    """The sum is what the human cell has: only the depth is estimated, by one number for all cells."""
    mapped = clf._read_query(clf._of_species(MOUSE, **SPECIES), "").matrix.toarray()
    human = clf._read_query(QUERY[:, QUERY.var_names != "GENE1"].copy(), "").matrix.toarray()
    ratio = mapped.sum(axis=1) / human.sum(axis=1)
    np.testing.assert_allclose(mapped, human * ratio[:, None], rtol=1e-5)
    assert ratio.std() < 0.05 and abs(np.median(ratio) - 1) < 0.02
    assert clf.score(MOUSE, "cell_type", **SPECIES) > 0.95


def test_depth_is_that_of_all_genes_of_a_cell(clf):
    """A cell that expresses a single mapped gene does not look as if this were its only one."""
    counts = np.zeros((40, MOUSE.n_vars), np.float32)
    counts[:, MOUSE.var_names == "Gene5"] = 5
    counts[:, MOUSE.var_names == "Own0rik"] = 95
    normal = MOUSE[:60].copy()
    X = sparse.vstack([normal.X, sparse.csr_matrix(counts)], "csr")
    both = ad.AnnData(X, var=normal.var.copy())
    query = clf._read_query(clf._of_species(both, **SPECIES), "").matrix
    depth = np.asarray(query.multiply(query).sum(axis=1)).ravel()
    assert depth[60:].max() < 0.1 * np.median(depth[:60])


@pytest.mark.parametrize("way", [log1p, lambda cells: cells[:, ::-1].copy(), lambda cells: cells.to_df()])
def test_scales_orders_and_frames(clf, way):
    expected = clf.predict_proba(MOUSE, **SPECIES)
    np.testing.assert_allclose(clf.predict_proba(way(MOUSE), **SPECIES), expected, atol=2e-3)


def test_cells_on_disk_are_annotated_as_in_memory(clf, tmp_path):
    MOUSE.write_h5ad(tmp_path / "mouse.h5ad")
    stored, cells = ad.read_h5ad(tmp_path / "mouse.h5ad", backed="r"), MOUSE.copy()
    np.testing.assert_allclose(
        clf.predict_proba(stored, **SPECIES), clf.predict_proba(cells, **SPECIES), atol=1e-6
    )
    for each in (stored, cells):
        clf.annotate(each, **SPECIES)
        assert each.uns["gene_gcn"]["organism"] == "Mus musculus"
    with pytest.raises(ArgumentError, match="annotated as cells of Mus musculus, and reports"):
        write_report(tmp_path / "report.html", clf, cells)
    pd.testing.assert_frame_equal(stored.obs.filter(like="gcn"), cells.obs.filter(like="gcn"), atol=1e-5)
    assert clf.predict(tmp_path / "mouse.h5ad", **SPECIES).tolist() == clf.predict(cells, **SPECIES).tolist()


def test_all_that_is_asked_about_cells(clf):
    types = clf.predict(MOUSE, **SPECIES)
    assert clf.predict(MOUSE, orthologs=PAIRS).tolist() == types.tolist()  # a table is enough
    assert clf.predict_set(MOUSE, 0.2, **SPECIES).shape == (300, 3)
    assert np.median(clf.novelty(MOUSE, **SPECIES)) > 0.05
    abundance = clf.abundance(MOUSE, **SPECIES)
    assert abundance["counted"].sum() == pytest.approx(1)
    explanation = clf.explain(MOUSE[:5], **SPECIES)
    assert set(explanation.genes("NK")["gene"]) <= set(HUMAN.var_names)
    markers = clf.explain_types(MOUSE, types, n_bootstraps=3, top=3, **SPECIES)
    assert set(markers["gene"]) <= set(HUMAN.var_names) - {"GENE1"}


def test_missing_orthologs_are_said(clf):
    with pytest.warns(MissingGenesWarning, match=r"1 of the model's 60 genes \(1.7%\) have no ortholog in X"):
        clf.predict(MOUSE, **SPECIES)


@pytest.mark.parametrize("organism", ["human", 9606, "Homo sapiens"])
def test_the_models_own_species_is_left_alone(clf, organism):
    expected = clf.predict_proba(QUERY)
    for orthologs in (None, PAIRS, "no such file"):
        found = clf.predict_proba(QUERY, organism=organism, orthologs=orthologs)
        np.testing.assert_array_equal(found, expected)


def test_species_of_the_model_is_kept(clf, tmp_path, hcop_of_pairs):
    """Inferred from its genes, or as it was stated; without it nothing can be fetched."""
    clf.save(tmp_path / "model")
    again = GeneGCNClassifier.load(tmp_path / "model")
    expected = clf.predict_proba(MOUSE, **SPECIES)
    np.testing.assert_array_equal(again.predict_proba(MOUSE, organism="mouse"), expected)
    numbered = HUMAN.copy()
    numbered.var_names = [f"gene-{i}-" for i in range(60)]  # names of no known kind
    stated = GeneGCNClassifier(organism="human", random_state=0).fit(numbered, "cell_type")
    stated.save(tmp_path / "stated")
    assert GeneGCNClassifier.load(tmp_path / "stated").organism == "human"
    np.testing.assert_array_equal(
        GeneGCNClassifier.load(tmp_path / "stated").predict(numbered, organism="human"),
        stated.predict(numbered),
    )
    unknown = GeneGCNClassifier(random_state=0).fit(numbered, "cell_type")
    with pytest.raises(ArgumentError, match="that of the model is not known"):
        unknown.predict(MOUSE, organism="mouse")


@pytest.fixture
def hcop_of_pairs(host, monkeypatch):
    """A server whose file of the mouse has the pairs above."""
    import gzip

    import hcop_host

    rows = [hcop_host.row(human, mouse, 5) for human, mouse in PAIRS.itertuples(index=False)]
    text = "\n".join([hcop_host.header("mouse", "mgi"), *rows, ""])
    host.files[hcop_host.path_of("mouse")] = gzip.compress(text.encode())
    monkeypatch.setenv("GENE_GCN_HCOP_URL", f"{host.url}/hcop")
    return host


def test_remedies(clf):
    with pytest.raises(ArgumentError, match="looks like cells of Mus musculus.*with organism='mouse'"):
        clf.predict(MOUSE)
    with pytest.raises(ArgumentError, match="organism='mousse' is not a known name: did you mean 'mouse'"):
        clf.predict(MOUSE, organism="mousse")
    with pytest.raises(DownloadError, match="pass its path"):
        clf.predict(MOUSE, organism="mouse")
    with pytest.raises(ArgumentError, match="Ovis aries is not among the species of HCOP"):
        clf.predict(MOUSE, organism="sheep")
    with pytest.raises(ArgumentError, match="in one column, 'human'"):
        clf.predict(QUERY, **SPECIES)
    with pytest.raises(ArgumentError, match="genes of X have no names"):
        clf.predict(sparse.csr_matrix(QUERY.X), **SPECIES)
    nameless = GeneGCNClassifier(random_state=0).fit(HUMAN.X, HUMAN.obs["cell_type"])
    with pytest.raises(ArgumentError, match="the model's genes have no names.*leave out organism="):
        nameless.predict(MOUSE, **SPECIES)


def test_a_few_shared_names_are_no_match(clf):
    mixed = MOUSE.copy()
    mixed.var_names = ["GENE2", *mixed.var_names[1:]]
    with pytest.warns(GeneNamesWarning, match="X shares only 1 genes with the model.*organism='mouse'"):
        clf.predict(mixed)


def test_real_mice(shared_data):
    """A model of human pancreas annotates that of the mouse, and back."""
    orthologs = shared_data / "networks" / "orthologs-human-mouse-ensembl105.tsv.gz"
    both = ad.read_h5ad(shared_data / "cells" / "baron_mini_human_mouse.h5ad")
    human = both[both.obs["batch"] == "human"].copy()
    mouse = ad.read_h5ad(shared_data / "cells" / "baron_mouse_pancreas.h5ad")
    mouse = mouse[mouse.obs["cell_type"].isin(human.obs["cell_type"].unique())][::3].copy()
    clf = GeneGCNClassifier(random_state=0).fit(human, "cell_type")
    assert clf.score(mouse, "cell_type", organism="mouse", orthologs=orthologs) > 0.97
    back = GeneGCNClassifier(random_state=0).fit(mouse, "cell_type")
    assert back.score(human, "cell_type", organism="human", orthologs=orthologs) > 0.95
