"""Cell-type classification of single-cell RNA-seq data with a graph network whose nodes are genes.

>>> from gene_gcn import GeneGCNClassifier, GeneNetwork, networks
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["CellEmbedding", "GeneGCNClassifier", "GeneNetwork", "networks"]

# Imported at first use: torch and scikit-learn take seconds that `gene-gcn --help` should not cost.
_HOMES = {
    "CellEmbedding": "gene_gcn.estimators.embedding",
    "GeneGCNClassifier": "gene_gcn.estimators.classifier",
    "GeneNetwork": "gene_gcn.networks",
}


def __getattr__(name: str):
    if name == "networks":
        return import_module("gene_gcn.networks")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'gene_gcn' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
