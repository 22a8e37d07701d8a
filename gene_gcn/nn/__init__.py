"""The model as plain torch and PyG modules, usable without the rest of the package."""

from gene_gcn.nn.attention import EmbeddedDotAttention, EqualGenes, find_equal_genes
from gene_gcn.nn.autoencoder import GeneAutoEncoder
from gene_gcn.nn.gene_gcn import GeneGCN
from gene_gcn.nn.interaction_conv import InteractionConv

__all__ = [
    "EmbeddedDotAttention",
    "EqualGenes",
    "GeneAutoEncoder",
    "GeneGCN",
    "InteractionConv",
    "find_equal_genes",
]
