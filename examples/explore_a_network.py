"""A gene network as a value: create it, explore it, draw it, and rewire it as a control.

networks.string("human") and networks.biogrid("human") download real networks, once.
"""

import networkx as nx
import pandas as pd

from gene_gcn import networks, plots

net = networks.read(
    pd.DataFrame(
        [
            ("CD3D", "CD3E", 0.99),
            ("CD3D", "CD3G", 0.98),
            ("CD3E", "CD3G", 0.98),
            ("CD3E", "CD4", 0.9),
            ("CD4", "LCK", 0.9),
            ("CD3E", "LCK", 0.8),
            ("CD8A", "LCK", 0.8),
            ("CD8A", "CD8B", 0.9),
            ("MS4A1", "CD19", 0.9),
            ("CD19", "CD79A", 0.95),
            ("CD79A", "CD79B", 0.99),
            ("CD19", "LYN", 0.6),
            ("LYN", "LCK", 0.5),
        ],
        columns=["source", "target", "weight"],
    )
)
print(net)
print(net.summary().to_string())
print("most neighbors:", net.genes[net.degree.argmax()])
print(
    "communities:",
    [sorted(part) for part in nx.community.louvain_communities(net.to_networkx(), seed=0)],
)


def edges(network: networks.GeneNetwork) -> set[tuple[int, int]]:
    return set(zip(*network.edge_index.tolist(), strict=True))


rewired = net.rewired(0)  # random edges, same degrees: a control for claims about the edges
print("edges kept when rewired:", len(edges(net) & edges(rewired)) // 2)  # both directions are stored
plots.save_figure(plots.network(net, ["CD3E", "CD19"]), "network.png")
