"""The systems of the paper's experiments and of its future work: settings of `GeneGCNClassifier.paper`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Genes = Literal["all", "interacting"]
GlobalNetwork = Literal["none", "given", "rewired"]


@dataclass(frozen=True)
class System:
    """A system of the experiment.

    Attributes
    ----------
    name : str
    genes : {"all", "interacting"}
        The genes that it sees; "interacting" are those with an edge in the network.
    network : {"none", "given", "rewired"}
        Its global graph; "rewired" has random edges and the degrees of the given one.
    parameters : dict
        Changes to `GeneGCNClassifier.paper`.
    paper : str
        The test accuracy in the paper, in percent, on other data; empty if the paper has none.
    """

    name: str
    genes: Genes = "all"
    network: GlobalNetwork = "none"
    parameters: dict[str, Any] = field(default_factory=dict)
    paper: str = ""


def paper_systems() -> list[System]:
    """Return the systems of the paper, and a control with a rewired network."""
    no_graph: dict[str, Any] = {"attention": None}
    # Network, parameters, and the accuracy in the paper with all and with the interacting genes.
    settings: dict[str, tuple[GlobalNetwork, dict[str, Any], str, str]] = {
        "FC": ("none", no_graph, "51.48, 52.36", "49.98"),
        "FC from autoencoder": ("none", {**no_graph, "head_init": "autoencoder"}, "48.68", ""),
        "individual graph": ("none", {}, "", ""),
        "global graph, diagonal 0": ("given", no_graph, "53.1", "47.46"),
        "global graph, diagonal 1": ("given", {**no_graph, "diagonal": 1}, "51.73", "47.43"),
        "both graphs": ("given", {}, "", ""),
    }
    systems = [
        System(name, "all", network, parameters, all_genes)
        for name, (network, parameters, all_genes, _) in settings.items()
    ]
    systems += [
        System(name, "interacting", network, parameters, interacting)
        for name, (network, parameters, _, interacting) in settings.items()
    ]
    return [*systems, System("global graph, diagonal 0, rewired", "all", "rewired", no_graph)]


def future_systems() -> list[System]:
    """Return the paper's future work, on the individual graph alone, beside a model without graphs.

    Graphs of "dot" attention share the features of a gene, so H graphs need H channels.
    """
    return [System("FC", parameters={"attention": None})] + [
        System(
            f"{attention}, H = {heads}, layers = {layers}",
            parameters={"attention": attention, "heads": heads, "num_layers": layers}
            | ({"channels": heads} if attention == "dot" else {}),
        )
        for attention in ("embedded_dot", "dot", "additive")
        for heads in (1, 2, 4)
        for layers in (1, 2, 3)
    ]


# The paper's conclusions, each with the system that was better in the paper and the one that was worse.
CONCLUSIONS = (
    ("an autoencoder does not help", ("FC", "all"), ("FC from autoencoder", "all")),
    ("diagonal 0 beats 1", ("global graph, diagonal 0", "all"), ("global graph, diagonal 1", "all")),
    ("all genes beat the interacting ones", ("FC", "all"), ("FC", "interacting")),
    (
        "all genes beat the interacting ones",
        ("global graph, diagonal 0", "all"),
        ("global graph, diagonal 0", "interacting"),
    ),
    (
        "all genes beat the interacting ones",
        ("global graph, diagonal 1", "all"),
        ("global graph, diagonal 1", "interacting"),
    ),
    ("the global graph helps", ("global graph, diagonal 0", "all"), ("FC", "all")),
    (
        "control: its edges matter",
        ("global graph, diagonal 0", "all"),
        ("global graph, diagonal 0, rewired", "all"),
    ),
)
