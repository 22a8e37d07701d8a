"""The layer in a model of your own: plain torch and PyG, without AnnData or scikit-learn."""

import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.utils import erdos_renyi_graph

from gene_gcn.nn import GlobalGraph, InteractionConv

N, B, C = 500, 8, 4  # genes, cells, features of a gene
edge_index = erdos_renyi_graph(N, 0.02)
edge_weight = torch.rand(edge_index.size(1))
x = torch.poisson(torch.full((B, N, C), 0.2))

conv = InteractionConv(C, 16)
z = conv(x, edge_index, edge_weight).relu()  # (B, N, C) -> (B, N, 16)
print(conv, tuple(z.shape))

graph = GlobalGraph.from_edges(edge_index, edge_weight, N).prepare()  # once for many products
assert torch.allclose(conv(x, graph).relu(), z, atol=1e-5)

four_graphs = InteractionConv(C, 16, attention="additive", heads=4, learn_mixing=True)
print(four_graphs(x, graph).shape, four_graphs.mixing_weights().tolist())
_, weights = four_graphs.attention(x[:1, :100], return_attention=True)
print(weights.shape)  # (1, H, 100, 100): attention among a few genes, for inspection

global_only = InteractionConv(C, 16, attention=None)
print(global_only(x[0], edge_index, edge_weight).shape)  # one cell: (N, C) -> (N, 16)

# Graphs of different sizes, joined by PyG: `batch` keeps their genes apart.
graphs = [Data(x=torch.rand(n, C), edge_index=erdos_renyi_graph(n, 0.1)) for n in (30, 50, 40)]
for data in DataLoader(graphs, batch_size=3):
    joined = conv(data.x, data.edge_index, batch=data.batch, batch_size=data.batch_size)
alone = torch.cat([conv(data.x, data.edge_index) for data in graphs])
assert torch.allclose(joined, alone, atol=1e-5)
