"""Edges as arrays: check them, merge duplicates, store them in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from gene_gcn.errors import ArgumentError

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike

    ArrayOrTensor: TypeAlias = ArrayLike | torch.Tensor


class Edges(NamedTuple):
    """Undirected edges without self-loops; three arrays of shape (E,).

    Attributes
    ----------
    low, high : numpy.ndarray of int64
        Positions of the two genes, ``low < high``.
    weight : numpy.ndarray of float
    """

    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray

    def select(self, rows: np.ndarray) -> Edges:
        """Return some of the edges, by a mask or by positions."""
        return Edges(self.low[rows], self.high[rows], self.weight[rows])

    def joined(self, other: Edges) -> Edges:
        """Return these edges followed by others of the same genes."""
        return Edges(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def undirected(edge_index: np.ndarray, weight: np.ndarray) -> Edges:
    """Sort the ends of each edge, shape (2, E), and drop self-loops."""
    low, high = edge_index.min(axis=0), edge_index.max(axis=0)
    return Edges(low, high, weight).select(low != high)


# ---- checks ----


def check_edge_index(edge_index: ArrayOrTensor, num_genes: int) -> np.ndarray:
    """Return pairs of positions as an int64 array of shape (2, E)."""
    index = _as_array(edge_index)
    if index.ndim != 2 or index.shape[0] != 2:
        hint = "; transpose it" if index.ndim == 2 and index.shape[1] == 2 else ""
        text = f"edge_index has shape {index.shape} but must be (2, E){hint}."
        raise ArgumentError("edge_index", text)
    if index.size == 0:
        index = index.astype(np.int64)
    if index.dtype.kind not in "iu":
        text = f"edge_index has dtype {index.dtype} but must contain integers, positions in genes."
        raise ArgumentError("edge_index", text)
    if index.size and (index.min() < 0 or index.max() >= num_genes):
        wrong = index.min() if index.min() < 0 else index.max()
        text = (
            f"edge_index contains {wrong}, but positions of {num_genes:,} genes are 0 to {num_genes - 1:,}."
        )
        raise ArgumentError("edge_index", text)
    return index.astype(np.int64, copy=False)


def check_edge_weight(edge_weight: ArrayOrTensor | None, num_edges: int) -> np.ndarray:
    """Return positive, finite scores as a float64 array of shape (E,); ones for None."""
    if edge_weight is None:
        return np.ones(num_edges)
    try:
        score = _as_array(edge_weight).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError("edge_weight", f"edge_weight must contain numbers: {error}") from error
    if score.shape != (num_edges,):
        text = (
            f"edge_weight has shape {score.shape}, but edge_index has {num_edges:,} edges; pass one per edge."
        )
        raise ArgumentError("edge_weight", text)
    wrong = ~(np.isfinite(score) & (score > 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        text = f"edge_weight[{at}] is {score[at]:g}, but scores must be positive and finite; omit such edges."
        raise ArgumentError("edge_weight", text)
    return score


def _as_array(values: ArrayOrTensor) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


# ---- operations ----


def positive_float32(weight: np.ndarray) -> np.ndarray:
    """Round to float32, but never to 0: an edge of weight 0 would not be an edge."""
    return np.maximum(weight, np.finfo(np.float32).tiny).astype(np.float32)


def divide_by_degrees(edge_index: np.ndarray, weight: np.ndarray, num_genes: int) -> np.ndarray:
    """Divide the weight of each edge, given in both directions, by the square roots of its ends' degrees."""
    rows, columns = edge_index
    weight = weight.astype(np.float64)
    strength = np.bincount(rows, weights=weight, minlength=num_genes)
    return positive_float32(weight / np.sqrt(strength[rows] * strength[columns]))


def keep_largest(edges: Edges, num_genes: int) -> Edges:
    """Merge duplicate edges into one with their largest weight, sorted by (low, high)."""
    if not len(edges.low):
        return edges
    key, weight = _sorted_by_key(edges, num_genes)
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    return _from_key(key[starts], np.maximum.reduceat(weight, starts), num_genes)


def keep_common(edges: Edges, num_genes: int) -> Edges:
    """Keep the edges that are given twice, once by each of two networks, with the smaller weight."""
    key, weight = _sorted_by_key(edges, num_genes)
    twice = key[1:] == key[:-1]
    return _from_key(key[1:][twice], np.minimum(weight[1:], weight[:-1])[twice], num_genes)


def both_directions(edges: Edges, num_genes: int, diagonal: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Store each edge in both directions, and self-loops if `diagonal` is 1, sorted by (row, column).

    Returns
    -------
    edge_index : numpy.ndarray of int64, shape (2, 2 E + N * diagonal)
    edge_weight : numpy.ndarray of float32, shape (2 E + N * diagonal,)
    """
    loops = np.arange(num_genes if diagonal else 0)
    rows = np.concatenate([edges.low, edges.high, loops])
    columns = np.concatenate([edges.high, edges.low, loops])
    weight = np.concatenate([edges.weight, edges.weight, np.ones(len(loops), dtype=np.float32)])
    order = np.argsort(rows * num_genes + columns)
    return np.stack([rows[order], columns[order]]), weight[order]


def _sorted_by_key(edges: Edges, num_genes: int) -> tuple[np.ndarray, np.ndarray]:
    key = edges.low * num_genes + edges.high
    order = np.argsort(key)
    return key[order], edges.weight[order]


def _from_key(key: np.ndarray, weight: np.ndarray, num_genes: int) -> Edges:
    return Edges(key // num_genes, key % num_genes, weight)
