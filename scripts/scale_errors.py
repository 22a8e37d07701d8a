"""Count how often the scale of simulated and real cells is inferred wrongly, and how often that is certain.

python scripts/scale_errors.py [--draws 2000] [--cells FOLDER] draws cells of random depth, number and genes,
brings them to a random scale, and compares it with the inferred one. With a folder of .h5ad files of counts,
half of the draws are taken from these.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import anndata as ad
import numpy as np
from scipy import sparse

from gene_gcn.cells.scale import LINEAR, infer_scale

SCALES = ("counts", "cp10k", "log1p", "log2p1", "log10p1", "sqrt")


def simulate_counts(rng: np.random.Generator) -> np.ndarray:
    """Return counts of up to 150 cells: 5 to 50,000 in a cell, gamma-Poisson."""
    n, m = int(rng.integers(1, 150)), int(10 ** rng.uniform(1.7, 3.3))
    mean = rng.gamma(rng.uniform(0.2, 1.0), 1.0, m) + 1e-3
    depth = 10 ** rng.uniform(1.5, 4.7) * rng.lognormal(0, rng.uniform(0.1, 0.8), (n, 1))
    noise = rng.gamma(2.0, 0.5, (n, m)) if rng.random() < 0.5 else 1.0
    return rng.poisson(mean / mean.sum() * depth * noise).astype(np.float64)


def real_counts(rng: np.random.Generator, files: list[sparse.csr_matrix]) -> np.ndarray:
    """Return counts of up to 300 real cells."""
    X = files[rng.integers(len(files))]
    return X[rng.choice(X.shape[0], min(X.shape[0], int(rng.integers(1, 300))), replace=False)].toarray()


def draw(rng: np.random.Generator, counts: np.ndarray) -> tuple[str, str, np.ndarray]:
    """Return the scale, how the values were made, and the values on that scale."""
    kind = str(rng.choice(["counts", "counts", "counts", "fractional", "TPM"]))
    if kind == "fractional":  # the background of each gene and cell is removed
        counts = counts * rng.uniform(rng.uniform(0.3, 0.95), 1.0, counts.shape)
    elif kind == "TPM":
        counts = counts * rng.uniform(0.2, 1.0, counts.shape) / rng.uniform(0.3, 8.0, counts.shape[1])
    target = float(rng.choice([0, 1e3, 1e4, 1e4, 1e5, 1e6])) if kind != "TPM" else 1e6
    scale = str(rng.choice(SCALES[1:] if target or kind != "counts" else ("counts", *SCALES[2:])))
    linear = counts
    if target:
        linear = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9) * target
    if rng.random() < 0.5:  # part of the genes, after scaling
        m = counts.shape[1]
        linear = linear[:, rng.random(m) < rng.uniform(0.1, 0.9)]
    X = {"log1p": np.log1p, "sqrt": np.sqrt, "log2p1": lambda x: np.log2(x + 1)}.get(
        scale, (lambda x: np.log10(x + 1)) if scale == "log10p1" else np.asarray
    )(linear)
    decimals = rng.choice([0, 0, 0, 3, 4])
    if decimals and scale not in LINEAR:
        X = np.round(X, decimals)
    return scale, f"{kind} to {target:.0e}", X.astype(np.float32)


def judge(scale: str, X: np.ndarray) -> str:
    """Return "right", "wrong guess", "unsure but right" or "wrong and certain"."""
    inferred = infer_scale(sparse.csr_matrix(X))
    right = not inferred.is_mixed and (
        inferred.name == scale or (inferred.name in LINEAR and scale in LINEAR)
    )
    if right:
        return "certain and right" if inferred.is_certain else "guessed right"
    return "wrong and certain" if inferred.is_certain else "guessed wrong"


def count_errors(draws: int, seed: int = 0, files: list[sparse.csr_matrix] | None = None) -> Counter[str]:
    """Return how many draws were judged how."""
    verdicts: Counter[str] = Counter()
    for index in range(draws):
        rng = np.random.default_rng([seed, index])
        counts = real_counts(rng, files) if files and index % 2 else simulate_counts(rng)
        scale, how, X = draw(rng, counts)
        if not np.count_nonzero(X):
            continue
        verdict = judge(scale, X)
        verdicts[verdict] += 1
        if verdict == "wrong and certain":
            inferred = infer_scale(sparse.csr_matrix(X))
            print(f"draw {index}: {X.shape} {how}, {scale} taken for {inferred}")
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", type=Path)
    arguments = parser.parse_args()
    files = []
    for path in sorted(arguments.cells.glob("*.h5ad")) if arguments.cells else []:
        X = sparse.csr_matrix(ad.read_h5ad(path).X, dtype=np.float32)
        if np.array_equal(X.data, np.rint(X.data)):
            files.append(X)
    verdicts = count_errors(arguments.draws, arguments.seed, files)
    for verdict, number in verdicts.most_common():
        print(f"{verdict:20} {number:6,} {number / verdicts.total():7.2%}")


if __name__ == "__main__":
    main()
