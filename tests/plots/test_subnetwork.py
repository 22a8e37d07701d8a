"""The subnetwork shows each gene once, colored by its contribution, and connectors faintly."""

from __future__ import annotations

import networkx as nx
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from gene_gcn.plots import subnetwork


def graph(**contributions: float) -> nx.Graph:
    made = nx.Graph()
    made.add_nodes_from((gene, {"contribution": value}) for gene, value in contributions.items())
    genes = list(contributions)
    made.add_edges_from((genes[0], gene, {"weight": 0.5 + i}) for i, gene in enumerate(genes[1:]))
    return made


def faces(ax) -> dict[str, tuple[float, float, float]]:
    return {text.get_text(): to_rgb(text.get_bbox_patch().get_facecolor()) for text in ax.texts}


def num_lines(ax) -> int:
    return sum(len(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection))


def test_genes_for_the_type_are_blue_and_against_it_orange():
    ax = subnetwork(graph(GNLY=2.0, NKG7=1.0, CD3D=-2.0, ACTB=0.0))
    color = faces(ax)
    assert color["GNLY"][2] > color["GNLY"][0] and color["CD3D"][0] > color["CD3D"][2]
    assert min(color["ACTB"]) > 0.9 and color["GNLY"][0] < color["NKG7"][0]  # white; the larger, the darker
    bar = ax.child_axes[0]
    assert bar.get_xlim() == (-2, 2) and bar.get_xlabel() == "contribution to the logit"
    assert num_lines(ax) == 3 and ax.get_title(loc="left") == "4 genes, 3 edges"


def test_without_negative_contributions_the_scale_starts_at_zero():
    assert subnetwork(graph(GNLY=2.0, NKG7=1.0)).child_axes[0].get_xlim() == (0, 2)
    assert subnetwork(graph(ACTB=0.0)).child_axes[0].get_xlim() == (0, 1)


def test_text_is_white_on_dark_genes_only_and_connectors_are_faint():
    made = graph(GNLY=3.0, NKG7=0.1, HCST=0.5)
    made.nodes["HCST"]["is_connector"] = True
    ax = subnetwork(made)
    by_name = {text.get_text(): text for text in ax.texts}
    assert by_name["GNLY"].get_color() == "white" and by_name["NKG7"].get_color() != "white"
    assert faces(ax)["HCST"] == (1, 1, 1)
    assert by_name["HCST"].get_fontsize() < by_name["NKG7"].get_fontsize()


def test_graphs_of_an_explanation_are_drawn_with_one_edge_for_two_directions():
    made = nx.DiGraph()
    made.add_nodes_from([("A", {"total": 1.0}), ("B", {"total": -1.0}), ("C", {"total": 0.5})])
    made.add_weighted_edges_from([("A", "B", 0.2), ("B", "A", -0.9), ("B", "C", 0.3)], "contribution")
    made.add_edge("A", "A", contribution=5.0)
    ax = subnetwork(made, title="NK")
    widths = next(c for c in ax.collections if isinstance(c, LineCollection)).get_linewidths()
    assert num_lines(ax) == 2 and widths[0] < widths[1] and ax.get_title(loc="left") == "NK"


def test_names_do_not_overlap():
    ax = subnetwork(graph(**{f"GENE{i}": i / 30 for i in range(40)}))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 40
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_given_axes_are_used():
    ax = Figure(figsize=(6, 4)).add_subplot(1, 2, 1)
    assert subnetwork(graph(A=1.0, B=2.0), ax=ax) is ax and len(ax.texts) == 2


def test_graphs_that_cannot_be_drawn_are_rejected():
    with pytest.raises(ValueError, match="graph has no genes"):
        subnetwork(nx.Graph())
    with pytest.raises(ValueError, match="graph has 300 genes, too many to draw; pass one with 1 to 200"):
        subnetwork(graph(**{f"G{i}": 1.0 for i in range(300)}))
    made = graph(A=1.0)
    made.add_edge("A", "B")
    with pytest.raises(ValueError, match="Gene .B. of the graph has neither of the attributes contribution"):
        subnetwork(made)
