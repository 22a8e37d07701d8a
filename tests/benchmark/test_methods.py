"""The rows of the accuracy benchmark."""

from __future__ import annotations

import pytest

from gene_gcn.benchmark.methods import UNLABELED, choose_methods


def test_rows(network):
    names = [method.name for method in choose_methods(network)]
    assert len(names) == 9 + 6
    assert names[:9] == [
        "default: global graph",
        "no graph",
        "network rewired",
        "network permuted",
        "individual graph, hidden layers",
        "both graphs, hidden layers",
        "default, adapted to the query",
        "refitted to the genes of the query",
        "retrained on the genes of the query",
    ]
    roles = {method.name: method.role for method in choose_methods(network, unlabeled=True)}
    assert roles["default: global graph"] == "default" and roles["no graph"] == roles[UNLABELED] == "control"
    assert [method.name for method in choose_methods(None, baselines=False)] == [
        "no graph",
        "default, adapted to the query",
        "refitted to the genes of the query",
        "retrained on the genes of the query",
    ]
    chosen = choose_methods(network, methods=["REWIRED", "svm"])
    assert [method.name for method in chosen] == ["network rewired", "linear SVM, log1p CP10k"]
    with pytest.raises(
        ValueError, match=r"methods=\['forest'\] matches none of the methods: default: global"
    ):
        choose_methods(network, methods=["forest"])


def test_settings_hold_everything_that_determines_predictions(cells, network):
    methods = choose_methods(network, unlabeled=True)
    settings = {method.name: method.prepare(cells).settings for method in methods}
    assert len(set(map(str, settings.values()))) == len(settings)
    kind, parameters, shows_query = settings["default: global graph"]
    assert (kind, parameters["network"], shows_query) == ("GeneGCNClassifier", network.content_hash, False)
    assert "device" not in parameters and parameters["random_state"] == 0
    assert settings["logistic regression, sqrt"][1]["classifier__max_iter"] == 1000
