"""Hierarchies of types: from columns, tables and the Cell Ontology; levels, back-off, ids, sets."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from small_ontology import ONTOLOGY, as_obo

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import open_cells, write_predictions
from gene_gcn.errors import ArgumentError, LabelWarning
from gene_gcn.ontology import Hierarchy, back_off, map_names, read_map

N, TYPES = 150, np.array(["B", "CD4", "CD8", "Mono"])
COARSE = {"B": "B", "CD4": "T", "CD8": "T", "Mono": "Mono"}
LINEAGE = {"B": "lymphoid", "T": "lymphoid", "Mono": "myeloid"}
IDS = {"B": "CL:0000236", "CD4": "CL:0000624", "CD8": "CL:0000625", "Mono": "CL:0000576"}
MAP = pd.DataFrame({"name": list(IDS), "id": list(IDS.values())})
LEVELS = ["lineage", "coarse", "fine"]


def draw(n, seed, depth=3.0) -> anndata.AnnData:
    """Cells of which CD4 and CD8 are much alike."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.3, 1.0, (4, N))
    rates[2] = np.where(rng.random(N) < 0.95, rates[1], rates[2])
    rng = np.random.default_rng(seed)
    y = rng.choice(4, n)
    counts = sparse.csr_matrix(rng.poisson(rates[y] * depth).astype(np.float32))
    obs = pd.DataFrame({"fine": TYPES[y]}, index=[f"cell{i}" for i in range(n)])
    obs["coarse"] = obs["fine"].map(COARSE)
    obs["lineage"] = obs["coarse"].map(LINEAGE)
    return anndata.AnnData(counts, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(N)]))


def fit(cells, y, **options) -> GeneGCNClassifier:
    return GeneGCNClassifier(random_state=0).fit(cells, y, **options)


@pytest.fixture(scope="module")
def clf() -> GeneGCNClassifier:
    return fit(draw(300, 0), LEVELS)


@pytest.fixture
def query() -> anndata.AnnData:
    return draw(200, 1, depth=1.0)


# ---- fit ----


def test_columns_from_coarse_to_fine(clf, query):
    hierarchy = clf.hierarchy_
    assert list(hierarchy.levels) == LEVELS and hierarchy.types == tuple(clf.classes_)
    assert hierarchy.ancestors("CD4") == {"T", "lymphoid", "cell"}
    assert hierarchy.ancestors("Mono") == {"myeloid", "cell"}
    flat = fit(draw(300, 0), "fine")
    assert flat.hierarchy_ is None
    np.testing.assert_array_equal(clf.predict_proba(query), flat.predict_proba(query))


def test_probabilities_of_a_level_are_sums_upwards(clf, query):
    fine = clf.predict_proba(query)
    for level in LEVELS:
        names, _ = clf.hierarchy_.at_level(level)
        probability = clf.predict_proba(query, level)
        np.testing.assert_allclose(probability.sum(1), 1, atol=1e-6)
        summed = clf.hierarchy_.sum_upwards(fine)[:, [clf.hierarchy_.nodes.index(name) for name in names]]
        np.testing.assert_allclose(probability, summed, atol=1e-6)
        assert (clf.predict(query, level) == np.array(names)[probability.argmax(1)]).all()
    assert np.mean(clf.predict(query, "coarse") == query.obs["coarse"]) > np.mean(
        clf.predict(query) == query.obs["fine"]
    )


@pytest.mark.parametrize("how", ["dict", "frame", "csv", "hierarchy"])
def test_parents(how, tmp_path, query):
    above = {"CD4": "T", "CD8": "T", "T": "lymphoid", "B": "lymphoid", "Mono": "myeloid"}
    table = pd.DataFrame({"name": list(above), "parent": list(above.values())})
    table.to_csv(tmp_path / "parents.csv", index=False)
    given = {
        "dict": above,
        "frame": table,
        "csv": tmp_path / "parents.csv",
        "hierarchy": Hierarchy.from_parents(["Mono", "CD8", "CD4", "B"], above),
    }
    hierarchy = fit(draw(200, 0), "fine", parents=given[how]).hierarchy_
    assert hierarchy.ancestors("CD8") == {"T", "lymphoid", "cell"} and hierarchy.types == tuple(TYPES)


def test_several_parents_in_a_table():
    table = pd.DataFrame({"name": ["CD4", "CD4", "CD8"], "parent": ["T", "helper", "T"]})
    with pytest.warns(LabelWarning, match=r"2 of 4 types are under the root only.*parents=.*'B', 'Mono'"):
        hierarchy = fit(draw(200, 0), "fine", parents=table).hierarchy_
    assert hierarchy.ancestors("CD4") == {"T", "helper", "cell"}


@pytest.mark.filterwarnings("error::gene_gcn.errors.LabelWarning")
def test_a_type_above_another_is_placed():
    hierarchy = fit(draw(200, 0), "fine", parents={"CD4": "CD8", "B": "Mono"}).hierarchy_
    assert hierarchy.ancestors("CD4") == {"CD8", "cell"} and hierarchy.ancestors("CD8") == {"cell"}


def test_the_cell_ontology(tmp_path, host, monkeypatch):
    host.files["/v2026-03-26/cl-basic.obo"] = as_obo().encode()
    monkeypatch.setenv("GENE_GCN_CL_URL", host.url)
    MAP.to_csv(tmp_path / "map.csv", index=False)
    downloaded = fit(draw(200, 0), "fine", parents=tmp_path / "map.csv").hierarchy_
    own = fit(draw(200, 0), "fine", parents=read_map(MAP, ONTOLOGY)).hierarchy_
    assert downloaded.to_dict() == own.to_dict()
    assert own.nodes[4:] == ("T cell", "lymphocyte", "hematopoietic cell") and len(host.seen) == 1


def test_columns_take_ids_of_a_map():
    table = pd.concat([MAP.replace("CD8", "T"), pd.DataFrame({"name": ["CD8"], "id": [""]})])
    hierarchy = fit(draw(200, 0), ["coarse", "fine"], parents=table).hierarchy_
    ids = dict(zip(hierarchy.nodes, hierarchy.ids, strict=True))
    assert ids["CD4"] == "CL:0000624" and ids["T"] == "CL:0000625" and ids["CD8"] == ids["cell"] == "unknown"


def test_names_that_match_exactly_need_no_editing():
    names = {"B": "B cell", "CD4": "CD4-positive, alpha-beta T cell", "CD8": "T-cell", "Mono": "monocyte"}
    cells = draw(200, 0)
    cells.obs["fine"] = cells.obs["fine"].map(names)
    found = read_map(map_names(names.values(), ONTOLOGY), ONTOLOGY)
    assert fit(cells, "fine", parents=found).hierarchy_.ancestors(names["CD4"]) >= {"T-cell", "lymphocyte"}


def test_references_and_cells_on_disk(tmp_path, clf):
    parts = [draw(200, 3), draw(200, 4)]
    assert fit(parts, [LEVELS, LEVELS]).hierarchy_.to_dict() == clf.hierarchy_.to_dict()
    parts[1].obs["group"] = parts[1].obs["coarse"]
    with pytest.raises(ArgumentError, match=r"the levels \['coarse', 'fine'\] and \['group', 'fine'\]"):
        fit(parts, [["coarse", "fine"], ["group", "fine"]])
    draw(300, 0).write_h5ad(tmp_path / "cells.h5ad")
    for cells in (tmp_path / "cells.h5ad", open_cells(tmp_path / "cells.h5ad")):
        assert fit(cells, LEVELS).hierarchy_.to_dict() == clf.hierarchy_.to_dict()
    assert fit(open_cells([tmp_path / "cells.h5ad"]), [LEVELS]).hierarchy_.types == tuple(TYPES)
    files = [tmp_path / "cells.h5ad", tmp_path / "again.h5ad"]
    draw(100, 5).write_h5ad(files[1])
    assert fit(open_cells(files), [LEVELS, LEVELS]).hierarchy_.to_dict() == clf.hierarchy_.to_dict()


def test_cells_with_a_coarse_label_only_are_taken_as_unlabeled():
    cells = draw(300, 0)
    cells.obs["fine"] = cells.obs["fine"].astype(object)
    cells.obs.iloc[:60, 0] = None
    with pytest.warns(LabelWarning, match=r"60 of 300 cells have no label in 'fine', only coarser ones"):
        one = fit(cells, LEVELS)
    assert one.hierarchy_.types == tuple(TYPES) and one.score(draw(200, 1), "fine") > 0.8


def test_numbers_as_types_and_a_short_list_of_labels():
    cells = draw(200, 0)
    cells.obs["number"] = cells.obs["fine"].map(dict(zip(TYPES, range(4), strict=True)))
    clf = fit(cells, ["coarse", "number"])
    assert clf.classes_.dtype.kind == "i" and clf.hierarchy_.ancestors("2") == {"T", "cell"}
    clf.annotate(cells, backoff=0.9)
    assert set(cells.obs["gene_gcn"]) <= {*"0123", "T", "B", "Mono", "cell"}
    few = cells[:8].copy()
    assert fit(few.copy(), few.obs["fine"].tolist()).hierarchy_ is None


# ---- annotate ----


def test_back_off_writes_nodes_and_keeps_types(clf, query, tmp_path):
    plain = query.copy()
    clf.annotate(plain)
    assert "backoff" not in plain.uns["gene_gcn"]
    clf.annotate(query, backoff=0.9, alpha=0.2)
    obs, proba = query.obs, query.obsm["gene_gcn_proba"].to_numpy()
    pd.testing.assert_series_equal(obs["gene_gcn_type"], plain.obs["gene_gcn"], check_names=False)
    nodes = np.array(clf.hierarchy_.nodes)[back_off(proba, clf.hierarchy_, 0.9)]
    assert (obs["gene_gcn"].astype(str) == nodes).all() and {"T", "CD4"} <= set(nodes)
    assert (obs["gene_gcn_confidence"] >= 0.9 - 1e-6).all()
    right = [t == n or n in clf.hierarchy_.ancestors(t) for t, n in zip(obs["fine"], nodes, strict=True)]
    assert np.mean(right) > np.mean(obs["fine"] == obs["gene_gcn_type"].astype(str))
    names, _ = clf.hierarchy_.at_level("coarse")
    best = clf.hierarchy_.sum_to_level(proba, "coarse").argmax(1)
    assert (obs["gene_gcn_level_coarse"].astype(str) == np.array(names)[best]).all()
    covers = [set(filter(None, text.split("|"))) for text in obs["gene_gcn_set_nodes"]]
    for cover, inside in zip(covers, query.obsm["gene_gcn_set"].to_numpy(), strict=True):
        assert {t for t in TYPES for n in cover if t == n or n in clf.hierarchy_.ancestors(t)} == set(
            TYPES[inside]
        )
    query.write_h5ad(tmp_path / "cells.h5ad")
    assert anndata.read_h5ad(tmp_path / "cells.h5ad").uns["gene_gcn"]["backoff"] == 0.9


def test_the_threshold_is_chosen_on_held_out_cells():
    """Nine of ten types that are alike are told apart at random, so cells must back off to be 95 % right."""
    cells, query = draw(600, 0, depth=0.6), draw(600, 1, depth=0.6)
    clf = fit(cells, ["coarse", "fine"])
    clf.annotate(query, backoff=True)
    assert 0.4 < query.uns["gene_gcn"]["backoff"] < 1
    under = [clf.hierarchy_.ancestors(name) | {name} for name in query.obs["fine"]]
    right = np.mean([name in names for name, names in zip(query.obs["gene_gcn"], under, strict=True)])
    assert 0.92 < right < 0.99
    assert np.mean(query.obs["gene_gcn_type"].astype(str) == query.obs["fine"]) < right - 0.03


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.EmptyCellsWarning")
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.LabelWarning")
def test_ids_are_those_of_cellxgene(query, tmp_path):
    clf = fit(draw(300, 0), "fine", parents=read_map(MAP[:3], ONTOLOGY))
    query.X = sparse.diags((np.arange(200) > 0).astype(np.float32)) @ query.X
    clf.annotate(query, backoff=0.9)
    ids = query.obs["cell_type_ontology_term_id"].astype(str)
    assert ids.str.fullmatch(r"CL:\d{7}|unknown").all() and ids.iloc[0] == "unknown"
    assert (ids[query.obs["gene_gcn"] == "T cell"] == "CL:0000084").all() and "CL:0000084" in set(ids)
    assert (ids[query.obs["gene_gcn"] == "Mono"] == "unknown").all()
    clf.annotate(query)  # its own column is written again
    assert "gene_gcn_ontology_term_id" not in query.obs
    assert (query.obs["cell_type_ontology_term_id"].astype(str) != ids).any()
    write_predictions(tmp_path / "p.csv", query)
    table = pd.read_csv(tmp_path / "p.csv")
    assert table["cell_type_ontology_term_id"].tolist() == query.obs["cell_type_ontology_term_id"].tolist()


def test_a_column_of_ids_that_others_wrote_is_kept(query):
    query.obs["cell_type_ontology_term_id"] = "CL:0000000"
    with pytest.warns(
        LabelWarning, match="is kept as it is; ids are written into obs.'mine_ontology_term_id'"
    ):
        fit(draw(300, 0), "fine", parents=read_map(MAP, ONTOLOGY)).annotate(query, "mine")
    assert set(query.obs["cell_type_ontology_term_id"]) == {"CL:0000000"}
    assert "CL:0000576" in set(query.obs["mine_ontology_term_id"])


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.EmptyCellsWarning")
def test_consensus_unknown_and_empty_cells(clf, query):
    query.obs["leiden"] = query.obs["coarse"]
    query.X = sparse.diags((np.arange(200) > 2).astype(np.float32)) @ query.X
    clf.annotate(query, unknown=True, over="leiden", backoff=0.9)
    obs = query.obs
    assert (obs["gene_gcn"][:3] == "unassigned").all() and (
        obs["gene_gcn_level_coarse"][:3] == "unassigned"
    ).all()
    assert (obs["gene_gcn"] == "unknown").equals(obs["gene_gcn_type"] == "unknown")
    assert set(obs["gene_gcn_cell"]) <= {*TYPES, "unknown", "unassigned"}


def test_saved_models_keep_the_hierarchy(clf, query, tmp_path):
    clf.save(tmp_path / "m")
    loaded = GeneGCNClassifier.load(tmp_path / "m")
    assert loaded.hierarchy_.to_dict() == clf.hierarchy_.to_dict()
    again = query.copy()
    for model, cells in ((clf, query), (loaded, again)):
        model.annotate(cells, backoff=True, alpha=0.1)
    pd.testing.assert_frame_equal(query.obs, again.obs)


def test_models_trained_by_gradients_take_a_number(query):
    deep = GeneGCNClassifier(hidden_channels=(8,), max_epochs=2, random_state=0)
    deep.fit(draw(100, 0), ["coarse", "fine"]).annotate(query, backoff=0.8)
    assert query.uns["gene_gcn"]["backoff"] == 0.8
    with pytest.raises(ArgumentError, match="models trained by gradients lack; pass backoff=0.9"):
        deep.annotate(query, backoff=True)


# ---- errors ----


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"coarse": "B"},
            r"'CD4' in 'fine' has two labels in 'coarse': ('B' \(1 cell\) and 'T'|'T').*give it one",
        ),
        ({"lineage": "myeloid"}, r"'(T|B|CD4)' in '\w+' has two labels in 'lineage'"),
    ],
)
def test_labels_that_contradict_each_other(change, problem):
    cells = draw(200, 0)
    row = cells.obs_names[cells.obs["fine"] == "CD4"][0]
    for column, value in change.items():
        cells.obs.loc[row, column] = value
    with pytest.raises(ArgumentError, match=problem):
        fit(cells, LEVELS)


def test_a_label_that_means_two_things():
    cells = draw(200, 0)
    cells.obs["coarse"] = cells.obs["fine"].map({"B": "Mono", "Mono": "myeloid", "CD4": "T", "CD8": "T"})
    with pytest.raises(
        ArgumentError, match="'Mono' is a label in 'coarse', of 'B', and one in 'fine', of 'myeloid'"
    ):
        fit(cells, ["coarse", "fine"])


@pytest.mark.parametrize(
    ("y", "parents", "problem"),
    [
        (
            ["coarse", "finest"],
            None,
            r"names columns of .obs from coarse to fine, but \['finest'\] are not there",
        ),
        ("fine", 7, "parents= is a int; pass a table"),
        (
            "fine",
            {"CD4": "T", "T": "CD4"},
            "'CD4' is under 'T' is under 'CD4'|'T' is under 'CD4' is under 'T'",
        ),
        ("fine", pd.DataFrame({"a": [1]}), r"parents= needs the column 'name', and 'parent' or 'id'"),
        ("fine", read_map(MAP.iloc[:0], ONTOLOGY), None),
        (
            ["coarse", "fine"],
            {"CD4": "T"},
            r"says what is above the types, and so do the columns \['coarse', 'fine'\]",
        ),
        (["coarse", "fine"], MAP.replace("CL:0000236", "B cell"), "an id does not look like CL:0000084"),
    ],
)
def test_what_is_no_hierarchy_is_refused_before_training(y, parents, problem, monkeypatch):
    monkeypatch.setattr("gene_gcn.estimators.classifier.fit_model", None)  # would raise TypeError
    if problem is None:
        with pytest.raises(TypeError):
            fit(draw(50, 0), y, parents=parents)
        return
    with pytest.raises(ArgumentError, match=problem):
        fit(draw(50, 0), y, parents=parents)


def test_what_annotate_and_predict_refuse(clf, query):
    flat = fit(draw(100, 0), "fine")
    for call, problem in (
        (lambda: flat.predict(query, "coarse"), "level='coarse' needs a hierarchy, which the model lacks"),
        (lambda: flat.annotate(query, backoff=True), "backoff=True needs a hierarchy"),
        (
            lambda: clf.predict_proba(query, "tissue"),
            "level='tissue' is not a level.*'lineage', 'coarse', 'fine'",
        ),
        (lambda: clf.annotate(query, backoff=1.5), "backoff=1.5 must be True, or from 0 to 1"),
        (lambda: clf.annotate(query, backoff="auto"), "backoff='auto' must be True"),
    ):
        with pytest.raises(ArgumentError, match=problem):
            call()
    assert list(query.obs.columns) == ["fine", "coarse", "lineage"]
