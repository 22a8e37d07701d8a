"""Cards of models: what is stated, what the cells say, and what becomes of it when models are combined."""

from __future__ import annotations

import datetime as dt

import anndata
import numpy as np
import pandas as pd
import pytest
from command_line import make_cells
from stored_cells import typed_cells

from gene_gcn import GeneGCNClassifier, ModelCard, from_markers, merge_models
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators.card import Provenance, described_cells

MARKERS = {name: [f"GENE{10 * k + i}" for i in range(3)] for k, name in enumerate(("B", "T", "NK"))}


def described(n=60, seed=0, **columns):
    cells = typed_cells(n, seed=seed)
    for name, value in columns.items():
        cells.obs[name] = value
    return cells


def fit(cells, **options):
    return GeneGCNClassifier(random_state=0).fit(cells, "cell_type", **options)


# ---- what is stated ----


def test_one_text_is_a_list_of_one():
    card = ModelCard(tissue="blood", assay=["10x 3' v2", "10x 3' v3"], donors=np.int64(8))
    assert card.tissue == ("blood",) and card.assay == ("10x 3' v2", "10x 3' v3")
    assert ModelCard.of(card.to_dict()) == card and hash(card) == hash(ModelCard.of(card.to_dict()))


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"tissues": "blood"}, "unknown field 'tissues'; did you mean tissue"),
        ({"xyz": 1}, "unknown field 'xyz'; it takes title, description"),
        ({"tissue": 3}, "tissue=3 must be text or a list of texts"),
        ({"tissue": ["blood", ""]}, "tissue=.* must be text or a list of texts"),
        ({"license": ["MIT"]}, "license=.* must be text"),
        ({"title": "x" * 10_001}, "must be text of at most 10,000 characters"),
        ({"donors": "8"}, "donors='8' must be a whole number"),
        ({"donors": True}, "donors=True must be a whole number"),
        ({"donors": 0}, "donors=0 must be a whole number"),
        ([1], "must be a ModelCard, its fields by name or a YAML file of them; it is a list"),
    ],
)
def test_what_is_refused(values, match):
    with pytest.raises(ArgumentError, match=match) as caught:
        ModelCard.of(values)
    assert caught.value.argument == "card"


def test_yaml_files(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text("tissue: [blood, bone marrow]\nlicense: CC-BY-4.0\ndonors: 3\ntitle:\n")
    assert ModelCard.of(path) == ModelCard(tissue=("blood", "bone marrow"), license="CC-BY-4.0", donors=3)
    for text, match in [
        ("- blood\n", "it is a list"),
        ("a: [", "is not YAML"),
        ("!!python/name:os.system", "YAML"),
    ]:
        path.write_text(text)
        with pytest.raises(ArgumentError, match=match):
            ModelCard.of(str(path))
    with pytest.raises(FileNotFoundError, match="no file .*with a model card"):
        ModelCard.of(tmp_path / "none.yaml")


def test_what_is_stated_later_prevails():
    first = ModelCard(tissue="blood", donors=2, title="One")
    assert first.updated(ModelCard(tissue="lung", license="MIT")) == ModelCard(
        tissue="lung", donors=2, title="One", license="MIT"
    )
    assert first.updated(ModelCard()) == first


# ---- what cells say ----


def test_columns_of_the_schema_are_read():
    cells = described(tissue="blood", organism="Homo sapiens", disease="normal", assay="10x 3' v2")
    cells.obs.loc[cells.obs_names[:9], "assay"] = "Smart-seq2"
    cells.obs["donor_id"] = pd.Categorical(np.repeat(["a", "b", "c"], 20), categories=["a", "b", "c", "d"])
    cells.uns["citation"] = "Nobody et al. 2020"
    expected = ModelCard(
        tissue="blood",
        organism="Homo sapiens",
        assay=("10x 3' v2", "Smart-seq2"),
        disease="normal",
        donors=3,
        citation="Nobody et al. 2020",
    )
    assert described_cells([cells]) == expected
    assert fit(cells).card_ == expected


def test_columns_that_say_something_else_are_left_out():
    cells = described(tissue=[f"cell {i}" for i in range(60)], disease=np.nan, organism=7)
    cells.uns["citation"] = {"not": "text"}
    assert described_cells([cells]) == ModelCard(organism="7")
    assert described_cells([np.zeros((3, 2))]) == ModelCard()


def test_organism_of_newer_schemas_is_in_uns():
    cells = anndata.AnnData(np.zeros((2, 2)), uns={"organism": "Mus musculus"})
    assert described_cells([cells]).organism == ("Mus musculus",)


def test_several_references_and_cells_on_disk(tmp_path):
    one, two = described(tissue="blood", donor_id="a"), described(seed=1, tissue="lung", donor_id="b")
    assert fit([one, two]).card_.tissue == ("blood", "lung")
    one.write_h5ad(tmp_path / "one.h5ad")
    assert fit(tmp_path / "one.h5ad").card_ == fit(one).card_ == ModelCard(tissue="blood", donors=1)
    backed = anndata.read_h5ad(tmp_path / "one.h5ad", backed="r")
    assert fit(backed).card_ == fit(one).card_


# ---- how models came about ----


def test_date_and_held_out_cells(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    cells = described(donor=np.tile(["a", "b", "c"], 20))
    clf = fit(cells)
    assert clf.provenance_.date == "1970-01-02" and clf.provenance_.held_out == "cells"
    assert clf.provenance_.versions["gene_gcn"] and clf.provenance_.steps == ()
    assert fit(cells, batch="donor").provenance_.held_out == "batches"
    assert fit(cells, unlabelled=described(seed=3)).provenance_.held_out == "labeled"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert fit(cells).provenance_.date == dt.datetime.now(dt.UTC).date().isoformat()
    assert from_markers(MARKERS, random_state=0).fit(make_cells(0, 180)).provenance_.held_out == "markers"


def test_models_of_models():
    one = fit(described(tissue="blood", citation="x", donor_id="a"))
    two = fit(described(n=90, seed=1, tissue="lung", donor_id="b"))
    one.card_, two.card_ = (c.card_.updated(ModelCard(license="MIT", title="T")) for c in (one, two))
    merged = merge_models(one, two)
    assert merged.card_ == ModelCard(tissue=("blood", "lung"), license="MIT")
    assert merged.provenance_.held_out == "drawn"
    step = "Merged of a model of 60 cells of 3 types and a model of 90 cells of 3 types."
    assert merged.provenance_.steps == (step,)
    two.card_ = two.card_.updated(ModelCard(license="CC0-1.0"))
    assert merge_models(one, two).card_.license is None  # for the user to decide
    subset = one.subset(["B", "T"])
    assert subset.card_ == one.card_ and subset.provenance_.held_out == "cells"
    assert subset.provenance_.steps == ("Types left out: NK.",)
    grown = one.add(described(n=90, seed=1), "cell_type")
    assert grown.provenance_.held_out == "drawn"
    assert grown.provenance_.steps == ("90 cells were added to a model of 60 cells of 3 types.",)


def test_forgotten_batches_are_not_named():
    clf = fit(described(n=90, donor=np.tile(["Ann", "Bob", "Eve"], 30)), batch="donor")
    assert "Ann" not in str(clf.forget("Ann").provenance_)


@pytest.mark.parametrize(
    "change",
    [
        {"date": 3},
        {"held_out": "all"},
        {"versions": ["a"]},
        {"versions": {"a": None}},
        {"steps": "text"},
        {"steps": ["x"] * 1001},
        {"steps": ["x" * 10_001]},
        {"more": 1},
    ],
)
def test_provenance_is_checked(change):
    values = Provenance.now("cells").to_dict()
    assert Provenance.from_dict(values).to_dict() == values
    with pytest.raises(ArgumentError):
        Provenance.from_dict(values | change)
