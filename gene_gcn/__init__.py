"""Cell-type classification of single-cell RNA-seq data with a graph network whose nodes are genes.

>>> from gene_gcn import GeneGCNClassifier, GeneNetwork, networks
"""

import lazy_loader

__version__ = "0.1.0"

# Imported at first use: torch and scikit-learn take seconds that `gene-gcn --help` should not cost.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
