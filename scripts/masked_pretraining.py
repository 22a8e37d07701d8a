"""Does attention gain from training on masked genes? See docs/benchmarks/attention_accuracy.md.

python scripts/masked_pretraining.py CELLS reads the blood sets below from a folder of .h5ad files. On some
cells of each set, which are not evaluated, one interaction layer with gene vectors learns to restore masked
genes. The other cells get their restored expression as further features, and the default head learns from a
few labels. --tiny runs everything in a minute, on too few cells for a result.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

import anndata
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from anndata import AnnData
from scipy import sparse
from sklearn.metrics import f1_score
from torch import Tensor, nn

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark.paired import paired_test
from gene_gcn.benchmark.splits import downsample, few_labels, labeled_cells, without_rare_types
from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.nn import InteractionConv
from gene_gcn.training.components import principal_axes
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.operators import Features, SmoothedCells

LABEL = "cell_type"
SETS = ("pbmc3k", "zheng_sorted_pbmc", "kang_ctrl_8k_2511genes", "kang_muscat_2donors")
SHARED_TYPES = {  # for transfer; other types keep their names
    "CD4 T": (
        "Naive CD4 T",
        "Memory CD4 T",
        "CD4+ T Helper2",
        "CD4+/CD25 T Reg",
        "CD4+/CD45RA+/CD25- Naive T",
        "CD4+/CD45RO+ Memory",
        "CD4 T cells",
    ),
    "CD8 T": ("CD8+ Cytotoxic T", "CD8+/CD45RA+ Naive Cytotoxic", "CD8 T cells"),
    "B": ("CD19+ B", "B cells"),
    "NK": ("CD56+ NK", "NK cells"),
    "CD14+ Mono": ("CD14+ Monocyte", "CD14+ Monocytes"),
    "FCGR3A+ Mono": ("FCGR3A+ Monocytes",),
}
COMMON_NAME = {name: common for common, names in SHARED_TYPES.items() for name in names}

CHANNELS = 8
MASKED = 5  # every fifth gene is masked
DEPTH = 0.1  # of shallow cells
LABELS_PER_TYPE = (10, 50)
BATCH = 32
LEARNING_RATE = 3e-3  # the highest; of 1e-3, 3e-3 and 1e-2, attention restored most with this

TINY = {"genes": 50, "pretraining_cells": 60, "evaluated_cells": 150, "epochs": 1, "seeds": 1}
UNLABELED = "default, unlabeled"  # the default on labels and the pretraining cells of the query's set

Restorer = Callable[[Tensor, Tensor], Tensor]  # expression (B, N) and the visible genes to all genes (B, N)


class MeanOfGenes(nn.Module):
    """What is left of the layer without attention: every gene gets the mean of all genes, times W."""

    def __init__(self, channels: int):
        super().__init__()
        self.lin = nn.Linear(channels, channels, bias=False)
        nn.init.eye_(self.lin.weight)

    def forward(self, features: Tensor) -> Tensor:
        return self.lin(features.mean(1, keepdim=True))


class MaskedGenes(nn.Module):
    """Restores masked genes from the visible ones; it starts as a projection on principal components.

    A gene has the features `p_i + (x_i - μ_i) e_i`, and `p_i` alone where it is masked: without it, attention
    could not tell masked genes apart.

    Parameters
    ----------
    mean : Tensor, shape (N,)
    axes : Tensor, shape (N, C)
        Principal axes.
    attention : bool
    """

    def __init__(self, mean: Tensor, axes: Tensor, attention: bool):
        super().__init__()
        channels = axes.size(1)
        vectors = axes * len(axes) ** 0.5
        self.register_buffer("mean", mean)
        self.expression_vectors = nn.Parameter(vectors.clone())
        self.gene_vectors = nn.Parameter(vectors - vectors.mean(0))
        self.conv = InteractionConv(channels, channels) if attention else MeanOfGenes(channels)
        self.decoder = nn.Parameter(vectors.clone())
        self.bias = nn.Parameter(mean.clone())

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        known = (x - self.mean) * visible  # (B, N)
        features = self.gene_vectors + known.unsqueeze(-1) * self.expression_vectors  # (B, N, C)
        return (self.conv(features) * self.decoder).sum(-1) + self.bias


class Pool(NamedTuple):
    """Cells of a set at one depth: labeled ones to learn from and to test on, and those of pretraining."""

    x: Tensor  # (B, N)
    labels: np.ndarray
    unlabeled: Tensor  # (B', N)


# ---- cells ----


def read(folder: Path, n_pretraining: int, n_evaluated: int) -> tuple[list[AnnData], list[AnnData]]:
    """Return the cells to pretrain on and the cells to evaluate of each set, with the genes that all have."""
    sets = [labeled_cells(anndata.read_h5ad(folder / f"{name}.h5ad"), LABEL) for name in SETS]
    genes = sorted(set.intersection(*(set(cells.var_names) for cells in sets)))
    pretraining, evaluated = [], []
    for cells in sets:
        order = np.random.default_rng(0).permutation(cells.n_obs)
        unlabeled, labeled = np.split(order[: n_pretraining + n_evaluated], [n_pretraining])
        pretraining.append(cells[unlabeled, genes].copy())
        evaluated.append(without_rare_types(cells[labeled, genes].copy(), LABEL))
    return pretraining, evaluated


class Expressions:
    """Square roots of counts at equal depth, of the genes that vary most among the pretraining cells."""

    def __init__(self, pretraining: list[AnnData], n_genes: int):
        expression = read_expression(anndata.concat(pretraining))
        self.normalizer = Normalizer.fit(expression)
        x = self.normalizer.transform(expression).toarray()
        self.genes = np.sort(np.argsort(-x.var(axis=0), kind="stable")[:n_genes])

    def __call__(self, cells: AnnData) -> Tensor:
        x = self.normalizer.transform(read_expression(cells))
        return torch.from_numpy(x.toarray()[:, self.genes])


def shallow(cells: list[AnnData], seed: int) -> list[AnnData]:
    return [downsample(each, DEPTH, (seed, i)) for i, each in enumerate(cells)]


# ---- pretraining ----


def pretrain(x: Tensor, target: Tensor, attention: bool, epochs: int) -> MaskedGenes:
    """Learn to restore the masked genes of `target` from the visible genes of `x`, both (B, N)."""
    generator = torch.Generator().manual_seed(0)
    features = Features(SmoothedCells(sparse.csr_matrix(target.numpy()), torch.device("cpu")))
    axes, *_ = principal_axes(features, CHANNELS, np.random.default_rng(0))
    torch.manual_seed(0)
    model = MaskedGenes(target.mean(0), axes, attention)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    steps = epochs * math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            masked = torch.rand(len(rows), x.size(1), generator=generator) < 1 / MASKED
            loss = F.mse_loss(model(x[rows], ~masked)[masked], target[rows][masked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


@torch.no_grad()
def restore(restorer: Restorer, x: Tensor) -> Tensor:
    """Restore each gene from those of the other four fifths."""
    part = torch.randperm(x.size(1), generator=torch.Generator().manual_seed(0)) % MASKED
    restored = torch.empty_like(x)
    for masked in (part == i for i in range(MASKED)):
        restored[:, masked] = torch.cat([restorer(rows, ~masked)[:, masked] for rows in x.split(BATCH)])
    return restored


def make_restorers(pretraining: list[AnnData], expressions: Expressions, epochs: int) -> dict[str, Restorer]:
    """Return the ways to restore genes; the layers also learn from shallow copies of their cells."""
    whole = torch.cat([expressions(cells) for cells in pretraining])
    thinned = torch.cat([expressions(cells) for cells in shallow(pretraining, 0)])
    x, target = torch.cat([whole, thinned]), torch.cat([whole, whole])
    imputer = PPCAImputer.fit(sparse.csr_matrix(whole.numpy()))
    restorers: dict[str, Restorer] = {
        "PPCA": lambda rows, visible: imputer.impute(rows, visible, imputer.encoder(visible))
    }
    for name in ("no attention", "attention"):
        start = time.process_time()
        restorers[name] = pretrain(x, target, name == "attention", epochs)
        print(f"{name}: pretrained on {len(whole):,} cells in {time.process_time() - start:.0f} CPU s")
    return restorers


# ---- evaluation ----


def variants(pool: Pool, restorers: dict[str, Restorer]) -> dict[str, Tensor]:
    """Return the features of each variant."""
    features = {"default": pool.x, UNLABELED: pool.x}
    for name in ("no attention", "attention"):
        restored = restore(restorers[name], pool.x).clamp(min=0)
        features[f"{name}, added"] = pool.x + restored
        features[f"{name}, beside"] = torch.cat([pool.x, restored], dim=1)
    return features


def as_cells(x: Tensor) -> AnnData:
    names = [f"gene {i}" for i in range(x.size(1))]
    return AnnData(sparse.csr_matrix(x.numpy()), var=pd.DataFrame(index=names))


def macro_f1(
    train: Tensor, y: np.ndarray, test: Tensor, true: np.ndarray, types: list[str], unlabeled: Tensor | None
) -> float:
    """Return the macro-F1 in percent of the default head over some types."""
    clf = GeneGCNClassifier(normalization="none", random_state=0)
    clf.fit(as_cells(train), y, None if unlabeled is None else as_cells(unlabeled))
    query = as_cells(test)
    clf.annotate(query)
    predicted = query.obs["gene_gcn"].astype(str)
    return 100 * float(f1_score(true, predicted, labels=types, average="macro", zero_division=0))


def few_label_scores(pools: list[Pool], features: list[dict[str, Tensor]], seeds: int) -> Iterator[tuple]:
    """Yield labels per type, split, variant and score where few cells of a set are labeled."""
    for name, pool, variants_of_set in zip(SETS, pools, features, strict=True):
        for (variant, x), per_type in product(variants_of_set.items(), LABELS_PER_TYPE):
            unlabeled = pool.unlabeled if variant == UNLABELED else None
            for seed, (train, test) in enumerate(few_labels(pool.labels, per_type, range(seeds))):
                y, true = pool.labels[train], pool.labels[test]
                score = macro_f1(x[train], y, x[test], true, sorted(set(y)), unlabeled)
                yield per_type, f"{name}, {seed}", variant, score


def transfer_scores(pools: list[Pool], features: list[dict[str, Tensor]]) -> Iterator[tuple]:
    """Yield the same where the labeled cells are of another set, for each ordered pair of sets."""
    names = [np.array([COMMON_NAME.get(label, label) for label in pool.labels]) for pool in pools]
    for (i, j), per_type in product(permutations(range(len(pools)), 2), LABELS_PER_TYPE):
        types = sorted(set(names[i]) & set(names[j]))
        known = np.isin(names[j], types)
        ((rows, _),) = few_labels(names[i], per_type, [0])
        for variant, x in features[i].items():
            unlabeled = pools[j].unlabeled if variant == UNLABELED else None
            query = features[j][variant][known]
            score = macro_f1(x[rows], names[i][rows], query, names[j][known], types, unlabeled)
            yield per_type, f"{SETS[i]} → {SETS[j]}", variant, score


def report_restoring(pools: dict[str, list[Pool]], restorers: dict[str, Restorer]) -> None:
    """Print how much of the variance of masked genes is restored in cells that were not trained on."""
    whole = torch.cat([pool.x for pool in pools["whole"]])
    rows = {}
    for name, restorer in restorers.items():
        start, explained = time.process_time(), {}
        for depth, at_depth in pools.items():
            error = restore(restorer, torch.cat([pool.x for pool in at_depth])) - whole
            explained[depth] = float(1 - error.square().sum() / (whole - whole.mean(0)).square().sum())
        ms = 1000 * (time.process_time() - start) / len(whole) / len(pools)
        rows[name] = {**explained, "CPU ms per cell": ms}
    say(pd.DataFrame(rows).T, 3)


def report_scores(scores: pd.DataFrame) -> None:
    """Print mean scores, and differences with 95 % intervals over splits."""
    by_variant = scores.pivot_table("score", ["kind", "split"], "variant", sort=False)
    say(by_variant.groupby("kind", sort=False).mean().T, 1)
    compared = [
        (f"{name}, {way}", other)
        for way in ("added", "beside")
        for name, others in (
            ("attention", (f"no attention, {way}", "default", UNLABELED)),
            ("no attention", ("default", UNLABELED)),
        )
        for other in others
    ]
    rows = []
    for (name, other), kind in product(compared, scores["kind"].unique()):
        test = paired_test((by_variant[name] - by_variant[other])[kind].to_numpy())
        points = f"{test['difference']:+.1f} ({test['low']:+.1f} to {test['high']:+.1f})"
        rows.append((f"{name} − {other}", kind, points))
    table = pd.DataFrame(rows, columns=["difference", "kind", "points"])
    say(table.pivot_table("points", "difference", "kind", aggfunc="first", sort=False))


def say(table: pd.DataFrame, digits: int = 1) -> None:
    """Print a table of Markdown."""
    print(f"| | {' | '.join(table.columns)} |", "|---" * (1 + table.shape[1]) + "|", sep="\n")
    for name, row in table.iterrows():
        values = (f"{value:.{digits}f}" if isinstance(value, float) else value for value in row)
        print(f"| {name} | {' | '.join(values)} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cells", type=Path, help="folder of the .h5ad files")
    parser.add_argument("--genes", type=int, default=600)
    parser.add_argument("--pretraining-cells", type=int, default=600, help="of each set")
    parser.add_argument("--evaluated-cells", type=int, default=1200, help="of each set, at most")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3, help="of few labels")
    parser.add_argument("--scores", type=Path, help="a .csv for the score of each split")
    parser.add_argument("--tiny", action="store_true", help="50 genes, 60 and 150 cells, one epoch, one seed")
    given = parser.parse_args()
    if given.tiny:
        vars(given).update(TINY)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    start = time.process_time()

    pretraining, evaluated = read(given.cells, given.pretraining_cells, given.evaluated_cells)
    expressions = Expressions(pretraining, given.genes)
    restorers = make_restorers(pretraining, expressions, given.epochs)
    depths = {
        "whole": (evaluated, pretraining),
        "10 % depth": (shallow(evaluated, 1), shallow(pretraining, 2)),
    }
    pools = {
        depth: [
            Pool(expressions(cells), cells.obs[LABEL].to_numpy(str), expressions(unlabeled))
            for cells, unlabeled in zip(*of_sets, strict=True)
        ]
        for depth, of_sets in depths.items()
    }
    report_restoring(pools, restorers)
    features = {depth: [variants(pool, restorers) for pool in at_depth] for depth, at_depth in pools.items()}
    by_kind = {depth: few_label_scores(pools[depth], features[depth], given.seeds) for depth in pools}
    by_kind["transfer"] = transfer_scores(pools["whole"], features["whole"])
    found = [
        (f"{kind}, {per_type} per type", *rest) for kind, rows in by_kind.items() for per_type, *rest in rows
    ]
    scores = pd.DataFrame(found, columns=["kind", "split", "variant", "score"])
    if given.scores:
        scores.to_csv(given.scores, index=False)
    report_scores(scores)
    print(f"{time.process_time() - start:.0f} CPU s in all")


if __name__ == "__main__":
    main()
