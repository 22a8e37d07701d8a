"""A gene network as a value: made, looked at, drawn, and compared with one of the same degrees at random.

networks.string("human") or networks.biogrid("human") fetch a real one, once.
"""

import networkx
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
print("most neighbours:", net.genes[net.degree.argmax()])
print(
    "communities:",
    [sorted(part) for part in networkx.community.louvain_communities(net.to_networkx(), seed=0)],
)

same_degrees = net.rewired(0)  # the control for every claim about a network's edges
print(
    "edges kept when rewired:",
    len(
        set(zip(*net.edge_index.tolist(), strict=True))
        & set(zip(*same_degrees.edge_index.tolist(), strict=True))
    )
    // 2,
)
plots.save_figure(plots.network(net, ["CD3E", "CD19"]), "network.png")
