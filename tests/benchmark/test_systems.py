"""The systems of the paper are classifiers with settings, beside the accuracy that the paper reports."""

from __future__ import annotations

import pytest

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark.systems import CONCLUSIONS, future_systems, paper_systems


@pytest.mark.parametrize(
    "system", [*paper_systems(), *future_systems()], ids=lambda system: f"{system.name}, {system.genes}"
)
def test_systems_are_classifiers_of_the_paper_with_other_settings(system):
    clf = GeneGCNClassifier.paper(None, **system.parameters)
    assert (clf.optimizer, clf.normalization, clf.network_normalization) == ("adam", "log1p", "max")
    assert system.genes in ("all", "interacting") and system.network in ("none", "given", "rewired")
    assert clf.attention is not None or system.network != "none" or system.name.startswith("FC")


def test_accuracies_of_the_paper():
    accuracies = {(system.name, system.genes): system.paper for system in paper_systems() if system.paper}
    assert accuracies == {
        ("FC", "all"): "51.48, 52.36",
        ("FC from autoencoder", "all"): "48.68",
        ("FC", "interacting"): "49.98",
        ("global graph, diagonal 0", "all"): "53.1",
        ("global graph, diagonal 1", "all"): "51.73",
        ("global graph, diagonal 0", "interacting"): "47.46",
        ("global graph, diagonal 1", "interacting"): "47.43",
    }
    systems = {(system.name, system.genes) for system in paper_systems()}
    assert {pair for _, *pairs in CONCLUSIONS for pair in pairs} <= systems
    assert len(future_systems()) == 1 + 3 * 3 * 3
