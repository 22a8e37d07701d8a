"""Cells to train on and cells to test on: folds, few labels, whole groups, fewer counts, fewer genes.

All that a split takes from data, it takes from its training cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold

from gene_gcn.cells.expression import Normalizer, is_missing, read_expression, read_labels

if TYPE_CHECKING:
    from anndata import AnnData

KINDS = ("folds", "few", "groups", "shallow", "missing")
SMALLEST_TYPE = 5
MOST_LEFT_OUT = 10  # groups up to which each is held out alone
DEPTHS = (0.3, 0.1)  # shares of the counts that stay in "shallow"
PANELS = (0.5, 0.1, 500)  # shares or numbers of the genes that test cells keep in "missing"
PER_TYPE = (10, 50)  # training cells of each type in both
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the cells to train on and to test on, and what is taken from the cells.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    name : str
        What kind exactly, as tables say it: "5 folds", "30 % depth, 10 per type"…
    number : int
        Of the fold or group; elsewhere the seed.
    train, test : ndarray of int
    depth : float
        The share of the counts that stays, in training and test cells.
    panel : float or int
        Of the genes the test cells keep: a share, drawn at random, or the number of those that vary most among the
        training cells.
    """

    kind: str
    name: str
    number: int
    train: np.ndarray
    test: np.ndarray
    depth: float = 1.0
    panel: float | int = 1.0

    def cells(self, cells: AnnData) -> tuple[AnnData, AnnData]:
        """Copies of the training and the test cells, the latter without the genes they do not keep."""
        train, test = cells[self.train].copy(), cells[self.test].copy()
        if self.depth < 1:
            train, test = thin(train, self.depth, (self.number, 0)), thin(test, self.depth, (self.number, 1))
        if self.panel == 1.0:
            return train, test
        if isinstance(self.panel, float):
            # A stream of its own: few_labels draws cells from the one of the seed alone.
            order = np.random.default_rng((self.number, 2)).permutation(cells.n_vars)
            kept = order[: round(self.panel * cells.n_vars)]
        else:
            kept = most_variable(train, self.panel)
        return train, test[:, np.sort(kept)].copy()


def splits(
    cells: AnnData,
    label: str,
    kinds: Iterable[str],
    *,
    few: Sequence[int] = (10,),
    groups: Sequence[str] = (),
    seeds: int = 5,
) -> tuple[list[Split], list[str]]:
    """Split cells in all ways asked for.

    Parameters
    ----------
    cells : AnnData
        As `labelled_cells` and `frequent` leave them.
    label : str
        Column of `obs`.
    kinds : iterable of str
        ==========  ===========================================================================================
        "folds"     five stratified folds
        "few"       so many cells of each type for training, all others to test on, see `few_labels`
        "groups"    whole groups held out, see `whole_groups`
        "shallow"   counts of all cells thinned to 30 % and 10 %, at 10 and 50 training cells of each type
        "missing"   test cells keep half or a tenth of the genes, or the 500 that vary most among the training
                    cells, which keep all; at 10 and 50 of each type
        ==========  ===========================================================================================
    few : sequence of int
        Cells of each type, for "few".
    groups : sequence of str
        Columns of `obs`, for "groups".
    seeds : int
        Repeats of "few", "shallow" and "missing".

    Returns
    -------
    list of Split
    list of str
        Why what could not be had of these cells was left out.
    """
    labels = cells.obs[label].to_numpy()
    ways = {
        "folds": [partial(_folds, labels)],
        "few": [partial(_few, labels, "few", n, seeds) for n in few],
        "groups": [partial(_groups, cells, column) for column in groups],
        "shallow": [partial(_shallow, cells, labels, depth, n, seeds) for depth in DEPTHS for n in PER_TYPE],
        "missing": [partial(_missing, cells, labels, panel, n, seeds) for panel in PANELS for n in PER_TYPE],
    }
    made, left_out = [], []
    for way in (way for kind in kinds for way in ways[kind]):
        try:
            made += way()
        except ValueError as error:
            left_out.append(str(error))
    return made, list(dict.fromkeys(left_out))


def _folds(labels: np.ndarray) -> list[Split]:
    return [Split("folds", "5 folds", i, *pair) for i, pair in enumerate(folds(labels))]


def _few(labels: np.ndarray, kind: str, per_type: int, seeds: int, prefix: str = "", **taken) -> list[Split]:
    if pd.Series(labels).value_counts().max() <= per_type:
        raise ValueError(f"no type has more than {per_type} cells, of which so many could be trained on.")
    return [
        Split(kind, f"{prefix}{per_type} per type", seed, *pair, **taken)
        for seed, pair in enumerate(few_labels(labels, per_type, range(seeds)))
    ]


def _groups(cells: AnnData, column: str) -> list[Split]:
    pairs = whole_groups(group_column(cells, column))
    return [Split("groups", f"groups {column}", i, *pair) for i, pair in enumerate(pairs)]


def _shallow(cells: AnnData, labels: np.ndarray, depth: float, per_type: int, seeds: int) -> list[Split]:
    if read_expression(cells).scale != "counts":
        raise ValueError("shallow takes counts away, but the values are not whole numbers.")
    return _few(labels, "shallow", per_type, seeds, f"{100 * depth:g} % depth, ", depth=depth)


def _missing(
    cells: AnnData, labels: np.ndarray, panel: float | int, per_type: int, seeds: int
) -> list[Split]:
    if panel >= cells.n_vars:
        raise ValueError(f"missing would leave test cells {panel} genes of {cells.n_vars}, which are all.")
    words = f"{panel} genes, " if isinstance(panel, int) else f"{100 * panel:g} % of genes, "
    return _few(labels, "missing", per_type, seeds, words, panel=panel)


# ---- which cells ----


def labelled_cells(cells: AnnData, label: str, use_raw: bool = False) -> AnnData:
    """Cells that have a label, as CSR with unique gene names."""
    import anndata

    labels = read_labels(cells, label, allow_missing=True)
    expression = read_expression(cells, use_raw=use_raw)
    labelled = ~is_missing(labels)
    obs = cells.obs[labelled].assign(**{label: labels[labelled].astype(str).astype(object)})
    X = expression.X if labelled.all() else expression.X[labelled]
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=list(expression.genes)))


def frequent(cells: AnnData, label: str) -> np.ndarray:
    """Which cells are of a type with at least five cells."""
    labels = cells.obs[label]
    return labels.notna().to_numpy() & (labels.map(labels.value_counts()).to_numpy(float) >= SMALLEST_TYPE)


def folds(labels: np.ndarray, n_folds: int = 5) -> Iterator[Pair]:
    """Stratified folds over all cells, seed 0."""
    return StratifiedKFold(n_folds, shuffle=True, random_state=0).split(labels, labels)


def few_labels(labels: np.ndarray, per_type: int = 10, seeds: Iterable[int] = range(5)) -> Iterator[Pair]:
    """Train on a few cells of each type and test on all others, once per seed.

    A type gives at most half of its cells: of one without test cells, a single cell taken for it would cost
    macro-F1 as much as a whole type that is never recognised.
    """
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(labels))
        of_type = pd.Series(labels[order]).groupby(labels[order])
        train = (of_type.cumcount() < (of_type.transform("size") // 2).clip(upper=per_type)).to_numpy()
        yield np.sort(order[train]), np.sort(order[~train])


def whole_groups(groups: np.ndarray, n_folds: int = 5) -> list[Pair]:
    """Hold out whole groups of cells, such as donors or laboratories.

    Up to ten groups are held out one by one; more are shared out among `n_folds` folds of about equal size.

    Parameters
    ----------
    groups : ndarray, shape (B,)
        The group of each cell.

    Raises
    ------
    ValueError
        Only one group.
    """
    count = len(pd.unique(groups))
    if count < 2:
        raise ValueError(
            f"groups has one value, {str(groups[0])!r}, for all {len(groups):,} cells; two or "
            "more are needed to hold one out."
        )
    splitter = LeaveOneGroupOut() if count <= MOST_LEFT_OUT else GroupKFold(n_folds)
    return list(splitter.split(groups, groups=groups))


def group_column(cells: AnnData, column: str) -> np.ndarray:
    """The groups of the cells as text, shape (B,); ValueError if a cell has none or there is no such column."""
    if column not in cells.obs:
        raise ValueError(f"groups={column!r} is not a column of obs; these are: {list(cells.obs)}.")
    missing = cells.obs[column].isna()
    if missing.any():
        raise ValueError(
            f"groups={column!r} is empty for {missing.sum():,} of {cells.n_obs:,} cells; drop them."
        )
    return cells.obs[column].astype(str).to_numpy()


# ---- what is taken from them ----


def thin(cells: AnnData, depth: float, seed: int | Sequence[int]) -> AnnData:
    """Cells sequenced less deeply: each count stays with probability `depth`; all genes stay.

    Parameters
    ----------
    cells : AnnData
        Counts.
    depth : float
    seed : int or sequence of int
    """
    thinned = cells.copy()
    X = sparse.csr_matrix(cells.X, copy=True)
    X.data = np.random.default_rng(seed).binomial(X.data.astype(np.int64), depth).astype(np.float32)
    X.eliminate_zeros()
    thinned.X = X
    return thinned


def most_variable(cells: AnnData, n_genes: int) -> np.ndarray:
    """Positions of the genes with the largest variance of log1p CP10k."""
    expression = read_expression(cells)
    X = Normalizer.fit(expression, "log1p").transform(expression)
    variance = np.asarray(X.multiply(X).mean(axis=0)).ravel() - np.asarray(X.mean(axis=0)).ravel() ** 2
    return np.argsort(-variance, kind="stable")[:n_genes]
