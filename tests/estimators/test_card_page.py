"""The page of a card: parsed by the Hub, escaped, the same for the same model, with honest numbers."""

from __future__ import annotations

import re

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
from command_line import make_cells
from markdown_it import MarkdownIt
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from stored_cells import typed_cells

from gene_gcn import GeneGCNClassifier, ModelCard, from_markers, merge_models
from gene_gcn.estimators.card_page import HeldOutMetrics, without_front_matter
from gene_gcn.networks import NetworkSource, read
from gene_gcn.storage.model_folder import read_card

MARKERS = {name: [f"GENE{10 * k + i}" for i in range(3)] for k, name in enumerate(("B", "T", "NK"))}
CARD = ModelCard(tissue="blood", assay="10x 3' v2", license="CC-BY-4.0", title="Blood")


@pytest.fixture(scope="module")
def cells():
    return typed_cells(150, seed=1)


@pytest.fixture(scope="module")
def clf(cells):
    return GeneGCNClassifier(random_state=0).fit(cells, "cell_type")


def page(clf, folder, card=CARD) -> str:
    clf.save(folder / "model", card)
    return read_card(folder / "model")


def sections(text) -> dict[str, str]:
    parts = re.split(r"^## (.*)$", without_front_matter(text), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parsed(text) -> huggingface_hub.ModelCard:
    card = huggingface_hub.ModelCard(text)
    assert card.text.strip() == without_front_matter(text).strip()
    return card


# ---- what the Hub reads ----


def test_the_hub_parses_it(clf, tmp_path):
    data = parsed(page(clf, tmp_path)).data
    assert (data.license, data.library_name) == ("cc-by-4.0", "gene_gcn")
    assert {"tissue:blood", "assay:10x 3' v2", "cell-type-annotation"} <= set(data.tags)
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    held_out = clf.fitted_.reference.held_out
    called = held_out.logits.argmax(1)
    assert found == {
        "accuracy": pytest.approx(accuracy_score(held_out.types, called), abs=6e-4),
        "f1": pytest.approx(f1_score(held_out.types, called, average="macro"), abs=6e-4),
    }
    assert data.metrics == ["accuracy", "f1"]


@pytest.mark.parametrize(
    ("given", "identifier", "name"),
    [("MIT", "mit", None), ("CC BY 4.0", "cc-by-4.0", None), ("Ours, see file", "other", "Ours, see file")],
)
def test_licenses(clf, tmp_path, given, identifier, name):
    data = parsed(page(clf, tmp_path, {"license": given})).data
    assert data.license == identifier and data.to_dict().get("license_name") == name


def test_without_a_license(clf, tmp_path):
    text = page(clf, tmp_path, None)
    assert parsed(text).data.license is None
    assert "Not stated: ask the authors" in sections(text)["License"]


# ---- numbers ----


def test_metrics_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    types, logits = rng.integers(0, 4, 200), rng.normal(size=(200, 5)).astype(np.float32)
    logits[np.arange(200), types] += 1
    found, called = HeldOutMetrics.of(logits, types), logits.argmax(1)
    assert found.n_cells == 200 and found.accuracy == pytest.approx(accuracy_score(types, called))
    assert found.macro_f1 == pytest.approx(f1_score(types, called, average="macro"))
    recall = f1_score(types, called, average=None, labels=range(4))
    np.testing.assert_allclose(found.f1[:4], recall)
    assert np.isnan(found.f1[4])  # called, but never true
    keep = called != 4
    expected = balanced_accuracy_score(types[keep], called[keep])
    assert HeldOutMetrics.of(logits[keep], types[keep]).balanced_accuracy == pytest.approx(expected)
    assert HeldOutMetrics.of(np.zeros((0, 3)), np.zeros(0, int)) is None


def test_what_was_not_measured_is_not_stated(clf, cells, tmp_path):
    others = {
        "from marker genes": from_markers(MARKERS, random_state=0).fit(make_cells(0, 180)),
        "drawn from the sums": merge_models(clf, clf),
        "trained|training by gradients": GeneGCNClassifier(optimizer="sgd", max_epochs=2).fit(
            cells, "cell_type"
        ),
    }
    for why, other in others.items():
        text = page(other, tmp_path)
        assert re.match(f"Not measured: .*({why})", sections(text)["Accuracy"].strip())
        assert "F1" not in sections(text)["Types"] and not parsed(text).data.eval_results


def test_held_out_cells_of_a_subset_count_alone(clf, tmp_path):
    subset = clf.subset(["B", "T"])
    text = page(subset, tmp_path)
    assert f"({len(subset.fitted_.reference.held_out.types)} held-out cells)" in sections(text)["Accuracy"]
    assert "NK" not in sections(text)["Types"] and "Types left out: NK" in sections(text)["Model"]


def test_cells_types_and_batches(tmp_path):
    cells = typed_cells(150, seed=1)
    cells.obs["donor"] = np.tile(["a", "b", "c"], 50)
    cells.obs["organism"] = "Mus musculus"
    clf = GeneGCNClassifier(random_state=0).fit(cells, "cell_type", batch="donor")
    text = page(clf, tmp_path, {"donors": 3})
    assert "150 cells of 3 types" in text and "**Donors:** 3" in text and "**Batches:** 3" in text
    for label, n in cells.obs["cell_type"].value_counts().items():
        assert re.search(rf"\| {label} \| {n} \|", sections(text)["Types"])
    assert "left whole batches out" in text and "organism:Mus musculus" in parsed(text).data.tags


def test_the_network_is_named_with_its_license(cells, tmp_path):
    source = NetworkSource("STRING", "12.0", "Homo sapiens", "CC BY 4.0", "S. 2023, https://doi.org/10.1/x.")
    genes = list(cells.var_names)
    edges = pd.DataFrame({"source": genes[:-1], "target": genes[1:]})
    clf = GeneGCNClassifier(read(edges, source=source), random_state=0).fit(cells, "cell_type")
    text = page(clf, tmp_path)
    found = sections(text)["Gene network"]
    assert "STRING 12.0, Homo sapiens" in found and "<https://doi.org/10.1/x>." in found
    assert "The gene network in it: CC BY 4.0." in sections(text)["License"]


# ---- always the same ----


def test_equal_models_have_equal_bytes(clf, cells, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    again = GeneGCNClassifier(random_state=0).fit(cells, "cell_type")
    first = GeneGCNClassifier(random_state=0).fit(cells, "cell_type")
    first.save(tmp_path / "a.zip", CARD)
    again.save(tmp_path / "b.zip", CARD)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    loaded = GeneGCNClassifier.load(tmp_path / "a.zip")
    assert loaded.card_ == CARD.updated(first.card_) and loaded.provenance_ == first.provenance_
    loaded.save(tmp_path / "c.zip")
    assert (tmp_path / "c.zip").read_bytes() == (tmp_path / "a.zip").read_bytes()


# ---- nothing gets out of its place ----

NASTY = [
    "T|cell",
    "B: *not* _bold_",
    "<script>alert(1)</script>",
    "NK\n---\n## Accuracy\nnew | line",
    "`code` [link](https://evil.example) ![x](y)",
    "\x1b[31mred &amp; $x^2$ {x} #1 ~~no~~",
    "x" * 300,
]


def rendered_cells(markdown: str) -> list[list[str]]:
    """The cells of all tables, as text, by a parser that knows GitHub's tables."""
    rows, row = [], None
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        if token.type == "tr_open":
            row = []
            rows.append(row)
        elif token.type == "tr_close":
            row = None
        elif token.type == "inline" and row is not None:
            assert all(child.type in ("text", "text_special", "softbreak") for child in token.children)
            row.append("".join(child.content for child in token.children))
    return rows


def test_labels_are_shown_as_they_are(tmp_path):
    cells = typed_cells(210, seed=1)
    number = np.tile(np.arange(7), 30)
    cells.obs["cell_type"] = np.array(NASTY, dtype=object)[number]
    clf = GeneGCNClassifier(random_state=0).fit(cells, "cell_type")
    nasty = "\n".join(NASTY)
    text = page(clf, tmp_path, ModelCard(title=nasty, tissue=NASTY, license=nasty, description=nasty))
    parsed(text)
    assert list(sections(text)) == [
        *("How to use it", "Cells", "Types", "Accuracy", "Gene network", "Model", "Intended use"),
        *("What it cannot tell", "License"),
    ]
    shown = {row[0] for row in rendered_cells(sections(text)["Types"])[1:]}
    one_line = {" ".join("".join(c if c.isprintable() else " " for c in name).split()) for name in NASTY}
    assert shown == {name if len(name) <= 80 else name[:79] + "…" for name in one_line}
    html = MarkdownIt("commonmark").enable("table").render(without_front_matter(text))
    assert not any(tag in html for tag in ("<script", "<em>", "<img", ">link<", "\x1b"))
