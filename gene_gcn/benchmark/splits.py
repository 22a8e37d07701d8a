"""Cells to train on and cells to test on: folds, few labels, whole groups, fewer counts, fewer genes.

Whatever a split learns from data, it learns from its training cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold

from gene_gcn.cells import Normalizer, is_missing, read_batches, read_expression, read_labels
from gene_gcn.errors import ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

KINDS = ("folds", "few-label", "groups", "downsampled", "missing-gene")
MIN_CELLS = 5  # of a type; smaller types are excluded
MAX_SINGLE_GROUPS = 10  # held out one by one; more are combined into folds
DEPTHS = (0.3, 0.1)  # shares of the counts that "downsampled" keeps
PANELS = (0.5, 0.1, 500)  # shares or numbers of the genes that test cells of "missing-gene" keep
TRAINING_SIZES = (10, 50)  # training cells per type in both
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the cells to train on and to test on, and how the cells are degraded.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    name : str
        The kind with its settings, as tables show it: "5 folds", "30 % depth, 10 per type", …
    number : int
        Of the fold or group; for other kinds the seed.
    train, test : ndarray of int
    depth : float
        The share of the counts that training and test cells keep.
    panel : float or int
        The genes that test cells keep: a share, drawn at random, or the number of those that vary most among
        the training cells.
    """

    kind: str
    name: str
    number: int
    train: np.ndarray
    test: np.ndarray
    depth: float = 1.0
    panel: float | int = 1.0

    def cells(self, cells: AnnData) -> tuple[AnnData, AnnData]:
        """Return copies of the training and the test cells, the latter without the genes they lose."""
        train, test = cells[self.train].copy(), cells[self.test].copy()
        if self.depth < 1:
            train = downsample(train, self.depth, (self.number, 0))
            test = downsample(test, self.depth, (self.number, 1))
        if self.panel == 1.0:
            return train, test
        if isinstance(self.panel, float):
            # A stream of its own: few_labels draws cells from the one of the seed alone.
            order = np.random.default_rng((self.number, 2)).permutation(cells.n_vars)
            kept = order[: round(self.panel * cells.n_vars)]
        else:
            kept = most_variable(train, self.panel)
        return train, test[:, np.sort(kept)].copy()


def make_splits(
    cells: AnnData,
    label: str,
    kinds: Iterable[str],
    *,
    cells_per_type: Sequence[int] = (10,),
    groups: Sequence[str] = (),
    seeds: int = 5,
) -> tuple[list[Split], list[ArgumentError]]:
    """Split cells in several ways.

    Parameters
    ----------
    cells : AnnData
        As `labeled_cells` and `without_rare_types` return them.
    label : str
        Column of `obs`.
    kinds : iterable of str
        ==============  =====================================================================================
        "folds"         five stratified folds
        "few-label"     a few cells of each type for training, all others for testing, see `few_labels`
        "groups"        whole groups held out, see `whole_groups`
        "downsampled"   counts of all cells downsampled to 30 % and 10 %, with 10 and 50 training cells per
                        type
        "missing-gene"  test cells keep half or a tenth of the genes, or the 500 that vary most among the
                        training cells, which keep all; with 10 and 50 training cells per type
        ==============  =====================================================================================
    cells_per_type : sequence of int
        Numbers of training cells per type, for "few-label".
    groups : sequence of str
        Columns of `obs`, for "groups".
    seeds : int
        Repeats of "few-label", "downsampled" and "missing-gene".

    Returns
    -------
    splits : list of Split
    skipped : list of ArgumentError
        Why these cells allow no splits of a kind.
    """
    labels = cells.obs[label].to_numpy()
    makers: dict[str, list[Callable[[], list[Split]]]] = {
        "folds": [partial(_folds, labels)],
        "few-label": [partial(_few_label, labels, "few-label", n, seeds) for n in cells_per_type],
        "groups": [partial(_groups, cells, column) for column in groups],
        "downsampled": [
            partial(_downsampled, cells, labels, depth, n, seeds) for depth in DEPTHS for n in TRAINING_SIZES
        ],
        "missing-gene": [
            partial(_missing_gene, cells, labels, panel, n, seeds) for panel in PANELS for n in TRAINING_SIZES
        ],
    }
    splits, skipped = [], {}
    for make in (make for kind in kinds for make in makers[kind]):
        try:
            splits += make()
        except ArgumentError as error:
            skipped[str(error)] = error
    return splits, list(skipped.values())


def _folds(labels: np.ndarray) -> list[Split]:
    return [Split("folds", "5 folds", i, *pair) for i, pair in enumerate(folds(labels))]


def _few_label(
    labels: np.ndarray,
    kind: str,
    per_type: int,
    seeds: int,
    prefix: str = "",
    *,
    depth: float = 1.0,
    panel: float | int = 1.0,
) -> list[Split]:
    if pd.Series(labels).value_counts().max() <= per_type:
        raise ArgumentError(
            "cells_per_type",
            f"no type has more than {per_type} cells, so {per_type} training cells per type would leave none "
            "for testing.",
        )
    return [
        Split(kind, f"{prefix}{per_type} per type", seed, *pair, depth, panel)
        for seed, pair in enumerate(few_labels(labels, per_type, range(seeds)))
    ]


def _groups(cells: AnnData, column: str) -> list[Split]:
    pairs = whole_groups(read_batches(cells, column, "groups"))
    return [Split("groups", f"groups {column}", i, *pair) for i, pair in enumerate(pairs)]


def _downsampled(cells: AnnData, labels: np.ndarray, depth: float, per_type: int, seeds: int) -> list[Split]:
    if read_expression(cells).scale != "counts":
        raise ArgumentError(
            "cells", "downsampled splits need counts, but the values of the cells are not whole numbers."
        )
    return _few_label(labels, "downsampled", per_type, seeds, f"{100 * depth:g} % depth, ", depth=depth)


def _missing_gene(
    cells: AnnData, labels: np.ndarray, panel: float | int, per_type: int, seeds: int
) -> list[Split]:
    if panel >= cells.n_vars:
        raise ArgumentError(
            "cells",
            f"missing-gene splits cannot leave test cells {panel} genes of {cells.n_vars}, which are all.",
        )
    prefix = f"{panel} genes, " if isinstance(panel, int) else f"{100 * panel:g} % of genes, "
    return _few_label(labels, "missing-gene", per_type, seeds, prefix, panel=panel)


# ---- which cells ----


def labeled_cells(cells: AnnData, label: str, use_raw: bool = False) -> AnnData:
    """Return the cells that have a label, as CSR with unique gene names."""
    import anndata

    labels = read_labels(cells, label, allow_missing=True)
    expression = read_expression(cells, use_raw=use_raw)
    assert expression.genes is not None  # an AnnData names its genes
    labeled = ~is_missing(labels)
    obs = cells.obs[labeled].assign(**{label: labels[labeled].astype(str).astype(object)})
    X = expression.X if labeled.all() else expression.X[labeled]
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=list(expression.genes)))


def without_rare_types(cells: AnnData, label: str) -> AnnData:
    """Return the cells of types that have at least five cells."""
    labels = cells.obs[label]
    size = labels.map(labels.value_counts()).to_numpy(float)
    kept = labels.notna().to_numpy() & (size >= MIN_CELLS)
    return cells if kept.all() else cells[kept].copy()


def folds(labels: np.ndarray, n_folds: int = 5) -> Iterator[Pair]:
    """Split all cells into stratified folds, with seed 0."""
    return StratifiedKFold(n_folds, shuffle=True, random_state=0).split(labels, labels)


def few_labels(labels: np.ndarray, per_type: int = 10, seeds: Iterable[int] = range(5)) -> Iterator[Pair]:
    """Train on a few cells of each type and test on all others, once per seed.

    At most half of the cells of a type are trained on: if a type without test cells were predicted for a
    single cell, macro-F1 would drop as if a whole type were never recognized.

    Parameters
    ----------
    labels : ndarray, shape (B,)
    per_type : int
        Training cells per type.
    seeds : iterable of int

    Yields
    ------
    train, test : ndarray of int
    """
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(labels))
        by_type = pd.Series(labels[order]).groupby(labels[order])
        train = (by_type.cumcount() < (by_type.transform("size") // 2).clip(upper=per_type)).to_numpy()
        yield np.sort(order[train]), np.sort(order[~train])


def whole_groups(groups: np.ndarray, n_folds: int = 5) -> list[Pair]:
    """Hold out whole groups of cells, such as donors or laboratories.

    Up to ten groups are held out one by one; more are distributed over `n_folds` folds of about equal size.

    Parameters
    ----------
    groups : ndarray, shape (B,)
        The group of each cell.
    n_folds : int

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Training and test cells.

    Raises
    ------
    ArgumentError
        There is only one group.
    """
    count = len(pd.unique(groups))
    if count < 2:
        raise ArgumentError(
            "groups",
            f"groups has one value, {str(groups[0])!r}, for all {len(groups):,} cells; holding one out takes "
            "at least two.",
        )
    splitter = LeaveOneGroupOut() if count <= MAX_SINGLE_GROUPS else GroupKFold(n_folds)
    return list(splitter.split(groups, groups=groups))


# ---- degraded cells ----


def downsample(cells: AnnData, depth: float, seed: int | Sequence[int]) -> AnnData:
    """Simulate cells sequenced less deeply: each count stays with probability `depth`; all genes stay.

    Parameters
    ----------
    cells : AnnData
        Counts.
    depth : float
    seed : int or sequence of int

    Returns
    -------
    AnnData
    """
    downsampled = cells.copy()
    X = sparse.csr_matrix(cells.X, copy=True)
    X.data = np.random.default_rng(seed).binomial(X.data.astype(np.int64), depth).astype(np.float32)
    X.eliminate_zeros()
    downsampled.X = X
    return downsampled


def most_variable(cells: AnnData, n_genes: int) -> np.ndarray:
    """Return the positions of the genes with the largest variance of log1p CP10k."""
    expression = read_expression(cells)
    X = Normalizer.fit(expression, "log1p").transform(expression)
    variance = np.asarray(X.multiply(X).mean(axis=0)).ravel() - np.asarray(X.mean(axis=0)).ravel() ** 2
    return np.argsort(-variance, kind="stable")[:n_genes]
