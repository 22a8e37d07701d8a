"""What `--json` prints about a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gene_gcn import GeneGCNClassifier

__all__ = ["describe_model"]


def describe_model(clf: GeneGCNClassifier) -> dict[str, Any]:
    """Return its types, genes and network."""
    network, mixing = clf.network_, clf.mixing_
    weight = None if mixing.empty or network is None else mixing["global"].iloc[0]
    return {
        "types": [str(label) for label in clf.classes_],
        "genes": len(clf.genes_ or ()),
        "normalization": clf.normalizer_.method,
        "network": None
        if network is None
        else {
            "source": str(network.source or "a network"),
            "connected_genes": (network.degree > 0).sum(),
            "edges": network.num_edges,
            "weight": weight,
        },
        "has_hierarchy": clf.hierarchy_ is not None,
    }
