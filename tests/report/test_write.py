from __future__ import annotations

import json
import re
import shutil
import subprocess

import anndata
import numpy as np
import pytest
from command_line import GENES, TYPES, make_cells
from report_pages import Page, assert_sound
from scipy import sparse

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError, EmptyCellsWarning, MissingGenesWarning
from gene_gcn.report import report_files, write_report

STRANGE = ['<b>&"bold"</b>', "T/αβ {{ 7 * 7 }}", "x" * 90]


def test_page_says_what_came_in_what_was_named_and_why(clf, annotated, tmp_path):
    path = tmp_path / "new" / "page.html"
    before = annotated.copy()
    write_report(path, clf, annotated, y="cell_type", name="sample 1", command="gene-gcn report a.h5ad")
    page = Page.read(path)
    assert_sound(page)
    assert [text for level, text in page.headings if level == 2] == [
        *(["Check first"] if "Check first" in page.text else []),
        "What came in",
        "What was named, and how surely",
        "Cells of no known type",
        "Against known types",
        "Why: markers of each type",
        "The model",
        "Methods, to paste",
        "How to repeat it",
    ]
    assert page.headings[0] == (1, "Cell types of sample 1")
    for text in ("30 of 30 were measured", "raw counts, inferred", "88 cells have a known type", "2 without"):
        assert text in page.text
    n_trained = len(make_cells(0)) - 2
    assert f"trained on {n_trained} cells of 3 types and 30 genes" in page.text
    assert "gene-gcn report a.h5ad" in page.text
    assert "with a probability of 90.0%" in page.text
    assert len(page.of("img")) >= 7 and path.stat().st_size < 3e6
    assert annotated.obs.equals(before.obs) and set(annotated.obsm) == set(before.obsm)


def test_table_of_types_counts_all_cells(clf, annotated, tmp_path):
    write_report(tmp_path / "a.html", clf, annotated)
    counts = json.loads((tmp_path / "a_types_mqc.json").read_text())["data"]["a"]
    assert counts == annotated.obs["gene_gcn"].value_counts().loc[lambda n: n > 0].to_dict()
    rows = re.findall(
        r'<th scope="row">(\w+)</th><td class="number">(\d+)<', (tmp_path / "a.html").read_text()
    )
    assert {name: int(n) for name, n in rows if name in counts}.keys() == counts.keys()
    assert dict(rows[: len(counts)]) == {name: str(n) for name, n in counts.items()}


def test_files_for_multiqc_have_rows_of_one_sample(clf, annotated, tmp_path):
    page, types, stats = report_files(tmp_path / "a.html")
    write_report(page, clf, annotated, name="sample 1")
    types, stats = (json.loads(file.read_text()) for file in (types, stats))
    assert types["plot_type"] == "bargraph" and stats["plot_type"] == "generalstats"
    assert list(types["data"]) == list(stats["data"]) == ["sample 1"]
    values = stats["data"]["sample 1"]
    assert set(values) == {column for headers in stats["pconfig"] for column in headers}
    assert values["cells"] == 90 and values["genes_matched"] == 100
    assert values["confidence"] == pytest.approx(annotated.obs["gene_gcn_confidence"].mean())


def test_names_are_text_and_never_markup(tmp_path):
    names = dict(zip(TYPES, STRANGE, strict=True))
    cells = make_cells(0)[2:].copy()
    cells.obs["cell_type"] = cells.obs["cell_type"].map(names)
    cells.obsm["X_umap"] = np.zeros((cells.n_obs, 2))
    clf = GeneGCNClassifier(random_state=0).fit(cells, "cell_type")
    clf.annotate(cells)
    path = tmp_path / "a.html"
    write_report(path, clf, cells, y="cell_type", name="<script>&amp;", command="a '<i>'")
    page = Page.read(path)
    assert_sound(page)
    assert all(name in page.text for name in [*STRANGE, "<script>&amp;", "a '<i>'"])
    assert "<b>" not in path.read_text() and "<i>" not in path.read_text()


def test_cells_without_expression_and_no_cells(clf, tmp_path):
    empty = anndata.AnnData(sparse.csr_matrix((0, 30), dtype=np.float32))
    empty.var_names = GENES
    silent = make_cells(1)[:4].copy()
    silent.X = sparse.csr_matrix(silent.shape, dtype=np.float32)
    for cells, text in ((empty, "The file contains no cells."), (silent, "4 of 4 cells express none")):
        with pytest.warns(EmptyCellsWarning):
            clf.annotate(cells)
        write_report(tmp_path / "a.html", clf, cells, y="cell_type" if cells is silent else None)
        page = Page.read(tmp_path / "a.html")
        assert_sound(page)
        assert text in page.text


def test_model_trained_by_gradients_is_reported_without_markers(tmp_path):
    cells = make_cells(0)[2:].copy()
    clf = GeneGCNClassifier(hidden_channels=(4,), max_epochs=2, random_state=0).fit(cells, "cell_type")
    clf.annotate(cells)
    cells.obsm["X_umap"] = np.zeros((cells.n_obs, 2))
    write_report(tmp_path / "a.html", clf, cells)
    page = Page.read(tmp_path / "a.html")
    assert_sound(page)
    assert "trained by gradients" in page.text and "Why: markers" not in page.text


def test_advice_and_warnings_name_what_is_unusual(clf, tmp_path):
    cells = make_cells(1)[:, :12].copy()
    cells.obs["cell_type"] = cells.obs["cell_type"].replace({"NK": "platelet"})
    cells.obsm["X_umap"] = np.zeros((cells.n_obs, 2))
    with pytest.warns(MissingGenesWarning):
        clf.annotate(cells)
    write_report(tmp_path / "a.html", clf, cells, y="cell_type")
    page = Page.read(tmp_path / "a.html")
    assert "60% of the model's genes were not measured" in page.text
    assert "18 of the model's 30 genes (60.0%) are missing from X." in page.text
    assert re.search(r"\d+ cells are of types that the model does not know \(platelet\)", page.text)
    assert "imputed by probabilistic principal component analysis [" in page.text


def test_page_of_many_types_stays_small(tmp_path):
    rng = np.random.default_rng(0)
    types = np.arange(2400) % 60
    rate = 0.2 + 8 * (np.arange(300) // 5 == types[:, None])
    cells = anndata.AnnData(sparse.csr_matrix(rng.poisson(rate).astype(np.float32)))
    cells.obs["cell_type"] = [f"a type with the long name of {i}" for i in types]
    cells.obsm["X_umap"] = rng.normal(size=(2400, 2)) + types[:, None]
    clf = GeneGCNClassifier(random_state=0).fit(cells, "cell_type")
    clf.annotate(cells)
    write_report(tmp_path / "a.html", clf, cells, y="cell_type")
    assert (tmp_path / "a.html").stat().st_size < 3e6
    page = Page.read(tmp_path / "a.html")
    assert_sound(page)
    assert any(image["src"].startswith("data:image/png") for image in page.of("img"))


def test_cells_without_coordinates_are_placed_the_same_way_each_time(clf, annotated, tmp_path):
    del annotated.obsm["X_umap"]
    for name in "ab":
        write_report(tmp_path / f"{name}.html", clf, annotated, name="cells")
    first, second = (Page.read(tmp_path / f"{name}.html") for name in "ab")
    assert first.of("img") == second.of("img") and "UMAP" in first.of("img")[0]["alt"]
    assert "McInnes" in first.text and "X_umap" not in annotated.obsm


def test_figures_are_of_a_sample_of_many_cells(clf, tmp_path):
    cells = make_cells(1, 4500)
    clf.annotate(cells)
    cells.obsm["X_umap"] = np.random.default_rng(0).normal(size=(cells.n_obs, 2))
    write_report(tmp_path / "a.html", clf, cells)
    page = Page.read(tmp_path / "a.html")
    assert "4,000 cells drawn at random from 4,500" in page.text
    assert json.loads((tmp_path / "a_stats_mqc.json").read_text())["data"]["a"]["cells"] == 4500


def test_mistakes_are_named_and_nothing_is_written(clf, annotated, tmp_path):
    other = GeneGCNClassifier(random_state=0).fit(make_cells(0)[2:], ["x", "y"] * 44)
    for arguments, message in [
        ((tmp_path / "a.pdf", clf, annotated), r"must end in \.html"),
        ((tmp_path / "a.html", clf, make_cells(1)), "is not what clf.annotate wrote"),
        ((tmp_path / "a.html", clf, np.zeros((2, 30))), "is a ndarray; pass an AnnData"),
        ((tmp_path / "a.html", other, annotated), "the types of another classifier"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            write_report(*arguments)
    with pytest.raises(ArgumentError, match="^y='nothing'"):
        write_report(tmp_path / "a.html", clf, annotated, y="nothing")
    with pytest.raises(ArgumentError, match="subnetworks=-1"):
        write_report(tmp_path / "a.html", clf, annotated, subnetworks=-1)
    assert list(tmp_path.iterdir()) == []


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=5000"),
    *("--allow-file-access-from-files", "--dump-dom"),
]
# A frame, as windows of Chromium are 500 pixels wide at least.
MEASURE = """<!DOCTYPE html><title>?</title><body><iframe style="width:390px;height:900px"></iframe><script>
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument, root = page.documentElement;
  document.title = [root.scrollWidth, root.clientWidth, [...page.images].every(image => image.naturalWidth)];
};
frame.src = "page.html";
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to lay the page out")
def test_phone_shows_the_page_without_scrolling_sideways(clf, annotated, tmp_path):
    write_report(tmp_path / "page.html", clf, annotated, y="cell_type")
    (tmp_path / "frame.html").write_text(MEASURE)
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        (tmp_path / "frame.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    scroll, client, shown = re.search(r"<title>(\d+),(\d+),(\w+)</title>", done.stdout).groups()
    assert int(scroll) == int(client) <= 390 and shown == "true"
