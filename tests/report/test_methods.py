from __future__ import annotations

import re

from command_line import make_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.report.cells_read import read
from gene_gcn.report.methods import Citation, Methods
from gene_gcn.report.model_used import ModelUsed
from gene_gcn.report.types_found import TypesFound


def test_citations_are_numbered_in_the_order_of_the_text(clf, annotated):
    cells, _ = read(clf, annotated)
    methods = Methods.of(cells, TypesFound.of(annotated, "gene_gcn"), ModelUsed.of(clf), None, has_umap=True)
    numbers = [int(number) for number in re.findall(r"\[(\d+)\]", methods.text)]
    assert list(dict.fromkeys(numbers)) == list(range(1, len(methods.citations) + 1))
    assert all(citation.url for citation in methods.citations)


def test_addresses_of_citations():
    assert Citation.of("A (2023), doi:10.1093/nar/gkac1000.").url == "https://doi.org/10.1093/nar/gkac1000"
    assert Citation.of("B. arXiv:1706.04599").url == "https://arxiv.org/abs/1706.04599"
    assert Citation.of("C, https://doi.org/10.1/x; D").url == "https://doi.org/10.1/x"
    assert Citation.of("a book").url == ""


def test_settings_and_what_was_done_are_said():
    cells = make_cells(0)[2:].copy()
    weights = {"B": 2.0, "T": 1.0, "NK": 1.0}
    clf = GeneGCNClassifier(random_state=0, class_weight=weights, normalization="log1p")
    model = ModelUsed.of(clf.fit(cells, "cell_type"))
    assert dict(model.settings)["class_weight"] == str(weights) and "max_epochs" not in dict(model.settings)
    assert model.n_cells == 88 and sum(number for _, number in model.types) == 88
    clf.annotate(cells)
    types = TypesFound.of(cells, "gene_gcn")
    text = Methods.of(read(clf, cells)[0], types, model, None, has_umap=False).text
    assert f"class_weight = {weights}" in text and "scaled to 10,000 per cell and log1p" in text
    assert "UMAP" not in text and "unknown" not in text and "network" not in text


def test_network_that_is_not_used_is_said_to_be_so(clf, annotated):
    model = ModelUsed.of(clf)
    assert model.network is not None and model.network.edges == 29
    text = Methods.of(
        read(clf, annotated)[0], TypesFound.of(annotated, "gene_gcn"), model, None, has_umap=False
    ).text
    assert ("propagated" in text) == bool(model.network.weight)
    assert ("so it was not used" in text) == (model.network.weight == 0)
