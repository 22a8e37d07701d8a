"""Does a network help as a prior of the covariance where cells are few? A table of docs/guide/panels.md.

    python scripts/network_prior.py CELLS... --label cell_type --network LINKS [--seeds 3]

Heads are refitted to a random tenth of the genes, from the sums of models of 10 and of 50 cells per type.
What the low rank leaves out of the variance of genes is independent noise by default. With a network A it is
noise times I + λ A, so that genes that interact vary together, while each keeps its variance. A row per set,
number of cells and λ: macro-F1, the mean over seeds, with the network, rewired, and permuted among genes with
similar expression.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn.benchmark.accuracy import choose_network
from gene_gcn.benchmark.metrics import evaluate
from gene_gcn.benchmark.splits import few_labels, labeled_cells, without_rare_types
from gene_gcn.benchmark.variants import permuted_within_expression
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.networks import from_file
from gene_gcn.training.moments import TypeMoments

PER_TYPE = (10, 50)
PART = 0.1  # of the genes
WEIGHTS = (1.0, 4.0)  # λ


@dataclass(frozen=True, eq=False)
class NetworkMoments(TypeMoments):
    """Moments from which cells are drawn whose noise follows a network.

    Attributes
    ----------
    smoothing : csr_matrix, shape (N, N)
        I + λ A.
    """

    smoothing: sparse.csr_matrix

    def take(self, genes: np.ndarray) -> NetworkMoments:
        part = super().take(genes)
        return NetworkMoments(**vars(part), smoothing=self.smoothing[genes][:, genes])

    def draw(self, numbers: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw as `TypeMoments.draw`, with other noise of the same variances."""
        _, rest = self.within()
        total = int(self.type_counts.sum())
        without = TypeMoments(
            self.counts, self.sums, self.squares * 0, self.factors
        )  # so that nothing is left
        X, y = without.draw(numbers, seed)
        noise = np.random.default_rng((seed, 1)).standard_normal(X.shape, dtype=np.float32) @ self.smoothing
        for k in np.unique(y):
            noise[y == k] -= noise[y == k].mean(axis=0)
        length = np.sqrt((noise**2).mean(axis=0))
        return X + noise * (np.sqrt(rest / total) / np.maximum(length, 1e-12)).astype(np.float32), y


def measure(path: Path, label: str, networks: list[GeneNetwork], seeds: int) -> Iterator[dict[str, object]]:
    """Yield a row for each number of cells, seed, network and λ of a set."""
    cells = without_rare_types(labeled_cells(anndata.read_h5ad(path), label), label)
    labels = cells.obs[label].to_numpy()
    network = choose_network(networks, tuple(cells.var_names))
    for per_type in PER_TYPE:
        for seed, (train, test) in enumerate(few_labels(labels, per_type, range(seeds))):
            training = cells[train].copy()
            kept = np.random.default_rng((seed, 2)).permutation(cells.n_vars)[: round(PART * cells.n_vars)]
            query = cells[test][:, np.sort(kept)].copy()
            clf = GeneGCNClassifier(missing_genes="refit", random_state=0).fit(training, labels[train])
            reference = clf.fitted_.reference
            arms = {"string": network, "rewired": network.rewired(seed)}
            arms["permuted"] = permuted_within_expression(network, training, seed)
            for name, weight in [("none", 0.0), *((arm, weight) for arm in arms for weight in WEIGHTS)]:
                moments = reference.moments
                if weight:
                    moments = NetworkMoments(**vars(moments), smoothing=smoothing(arms[name], weight))
                fitted = clf.fitted_
                changed = replace(reference, moments=moments)
                parts = (fitted.head, fitted.graph, fitted.imputer, fitted.has_layer, changed, fitted.refit)
                clf.fitted_ = LinearModel(*parts)
                score = evaluate(labels[test], clf.predict(query))["macro_f1"]
                row = {
                    "set": path.stem,
                    "per type": per_type,
                    "seed": seed,
                    "network": name,
                    "weight": weight,
                }
                yield row | {"macro-F1": score}


def smoothing(network: GeneNetwork, weight: float) -> sparse.csr_matrix:
    """Return I + λ A, float32."""
    adj = network.normalized("sym").adj_t
    parts = (adj.values().numpy(), adj.col_indices().numpy(), adj.crow_indices().numpy())
    A = sparse.csr_matrix(parts, shape=tuple(adj.shape))
    return (sparse.eye_array(A.shape[0], format="csr") + weight * A).astype(np.float32).tocsr()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", nargs="+", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--network", action="append", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    networks = [from_file(path) for path in options.network]
    rows = []
    for path in options.cells:
        for row in measure(path, options.label, networks, options.seeds):
            rows.append(row)
            print(*row.values(), sep="  ", flush=True)
    table = pd.DataFrame(rows).set_index(["set", "per type", "seed", "network", "weight"])["macro-F1"]
    wide = table.unstack(["network", "weight"])
    print((100 * wide.groupby(level=["set", "per type"]).mean()).round(1).to_string())
    gains = 100 * wide.sub(wide[("none", 0.0)], axis=0)
    print("\nOver none, points, mean and its standard error over sets and seeds:")
    print(gains.groupby(level="per type").agg(["mean", "sem"]).round(2).T.to_string())


if __name__ == "__main__":
    main()
