"""The figure shows the given genes, their strongest neighbors and the edges between them, legibly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from gene_gcn.networks import GeneNetwork, NetworkSource
from gene_gcn.plots.gene_network import network

NET = GeneNetwork(
    ["HUB", *(f"N{i}" for i in range(20)), "FAR", "ALONE"],
    [[0] * 20 + [1, 20], [*range(1, 21), 2, 21]],
    [*range(100, 80, -1), 10, 5],
    source=NetworkSource("STRING", "12.0"),
)


def names(ax):
    return {text.get_text() for text in ax.texts}


def num_lines(ax):
    return sum(len(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection))


def test_strongest_neighbors_and_all_edges_between_them():
    ax = network(NET, "HUB", max_neighbors=5)
    assert names(ax) == {"HUB", "N0", "N1", "N2", "N3", "N4"}
    assert num_lines(ax) == 6  # five to the hub, and N0 - N1
    assert ax.get_title() == "HUB\nSTRING 12.0"
    widths = ax.collections[0].get_linewidths()
    assert (np.diff(widths) >= 0).all() and widths[0] < widths[-1]
    bold = {text.get_text() for text in ax.texts if text.get_fontweight() == "bold"}
    assert bold == {"HUB"}


def test_several_genes_and_genes_without_neighbors():
    ax = network(NET, ["FAR", "ALONE", "N0"], max_neighbors=1, title="Three")
    assert names(ax) == {"FAR", "N19", "ALONE", "N0", "HUB"}
    assert num_lines(ax) == 3 and ax.get_title() == "Three"
    assert names(network(NET, ["ALONE"])) == {"ALONE"}
    assert names(network(NET, ["HUB", "FAR"], max_neighbors=0)) == {"HUB", "FAR"}


def test_same_figure_at_every_call_and_for_other_forms_of_the_network():
    def positions(net):
        return {text.get_text(): text.get_position() for text in network(net, ["HUB", "FAR"]).texts}

    assert positions(NET) == positions(NET) == positions(NET.with_diagonal(1))
    assert set(positions(NET.with_diagonal(1).normalized("sym"))) == set(positions(NET))


def test_names_do_not_overlap():
    ax = network(NET, ["HUB", "FAR", "ALONE"], max_neighbors=20)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])
    page = ax.figure.bbox
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes)


def test_given_axes_are_used():
    ax = Figure(figsize=(6, 4)).add_subplot(1, 2, 1)
    assert network(NET, "HUB", ax=ax) is ax and len(ax.texts) == 16


@pytest.mark.parametrize(
    ("genes", "options", "message"),
    [
        (["hub", "N1"], {}, r"genes=\['hub'\] is not among the 23 genes .*Did you mean HUB\?$"),
        ("QQQQ", {}, r"not among the 23 genes of the network \(HUB, N0, N1, …\)\.$"),
        ([], {}, "genes is empty"),
        ("HUB", {"max_neighbors": -1}, "max_neighbors=-1 must be a whole number"),
        ("HUB", {"max_neighbors": 1.5}, "max_neighbors=1.5 must be a whole number"),
    ],
)
def test_invalid_arguments_are_rejected(genes, options, message):
    with pytest.raises(ValueError, match=message):
        network(NET, genes, **options)


def test_too_many_genes_are_rejected():
    star = GeneNetwork([f"G{i}" for i in range(300)], [[0] * 299, list(range(1, 300))])
    with pytest.raises(ValueError, match="300 genes are too many to draw"):
        network(star, "G0", max_neighbors=300)


def test_pyplot_is_not_imported():
    code = "import sys, gene_gcn.plots.gene_network; assert not {'matplotlib', 'networkx'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "matplotlib.pyplot" not in vars(sys.modules["gene_gcn.plots.gene_network"])
