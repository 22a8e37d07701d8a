"""The model as plain torch and PyG modules, usable without the rest of the package."""

from gene_gcn.nn.attention import AdditiveAttention, DotAttention, EmbeddedDotAttention, GeneAttention
from gene_gcn.nn.autoencoder import GeneAutoEncoder
from gene_gcn.nn.equal_genes import EqualGenes, find_equal_genes
from gene_gcn.nn.gene_gcn import GeneGCN
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.interaction_conv import InteractionConv

__all__ = [
    "AdditiveAttention",
    "DotAttention",
    "EmbeddedDotAttention",
    "EqualGenes",
    "GeneAttention",
    "GeneAutoEncoder",
    "GeneGCN",
    "GlobalGraph",
    "InteractionConv",
    "find_equal_genes",
]
