"""Genes and edges as arrays: checking them, merging the same ones, storing each both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def _as_array(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def check_edge_index(edge_index: Any, num_genes: int) -> tuple[np.ndarray, np.ndarray]:
    edge_index = _as_array(edge_index)
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        hint = "; transpose it" if edge_index.ndim == 2 and edge_index.shape[1] == 2 else ""
        raise ValueError(f"edge_index has shape {edge_index.shape} but must be (2, E){hint}.")
    if edge_index.size == 0:
        edge_index = edge_index.astype(np.int64)
    if edge_index.dtype.kind not in "iu":
        raise ValueError(f"edge_index holds {edge_index.dtype}; it must hold integers, positions in genes.")
    if edge_index.size and (edge_index.min() < 0 or edge_index.max() >= num_genes):
        wrong = edge_index.min() if edge_index.min() < 0 else edge_index.max()
        raise ValueError(
            f"edge_index holds {wrong}, but there are {num_genes:,} genes: positions go from 0 to one less."
        )
    edge_index = edge_index.astype(np.int64, copy=False)
    return edge_index.min(axis=0), edge_index.max(axis=0)


def check_edge_weight(edge_weight: Any, num_edges: int) -> np.ndarray:
    if edge_weight is None:
        return np.ones(num_edges)
    try:
        score = _as_array(edge_weight).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"edge_weight must hold numbers: {error}") from error
    if score.shape != (num_edges,):
        raise ValueError(
            f"edge_weight has shape {score.shape} but edge_index holds {num_edges:,} edges; pass "
            f"({num_edges},)."
        )
    wrong = ~(np.isfinite(score) & (score > 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"edge_weight[{at}] is {score[at]:g}; scores must be positive and finite. Leave out edges that "
            "score nothing."
        )
    return score


def positive_float32(weight: np.ndarray) -> np.ndarray:
    """Round to float32, but never to 0: an edge whose weight is 0 would be no edge."""
    return np.maximum(weight, np.finfo(np.float32).tiny).astype(np.float32)


def largest_of_each(
    low: np.ndarray, high: np.ndarray, weight: np.ndarray, num_genes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge edges that are the same; the largest weight stays. Ends are given as low < high."""
    if not len(low):
        return low, high, weight
    key = low * num_genes + high
    order = np.argsort(key)
    key, weight = key[order], weight[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    key = key[starts]
    return key // num_genes, key % num_genes, np.maximum.reduceat(weight, starts)


def smaller_of_both(
    low: np.ndarray, high: np.ndarray, weight: np.ndarray, num_genes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the edges that are given twice, as in two networks; the smaller weight stays."""
    key = low * num_genes + high
    order = np.argsort(key)
    key, weight = key[order], weight[order]
    twice = key[1:] == key[:-1]
    key = key[1:][twice]
    return key // num_genes, key % num_genes, np.minimum(weight[1:], weight[:-1])[twice]


def both_ways(
    low: np.ndarray, high: np.ndarray, weight: np.ndarray, num_genes: int, diagonal: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Store each edge in both directions, and the diagonal, sorted by (row, column)."""
    loops = np.arange(num_genes if diagonal else 0)
    rows = np.concatenate([low, high, loops])
    columns = np.concatenate([high, low, loops])
    weight = np.concatenate([weight, weight, np.ones(len(loops), dtype=np.float32)])
    order = np.argsort(rows * num_genes + columns)
    return np.stack([rows[order], columns[order]]), weight[order]


def edge_columns(columns: list[Any]) -> list[Any]:
    if "source" in columns and "target" in columns:
        names = ["source", "target"] + ["weight"] * ("weight" in columns)
    elif len(columns) in (2, 3):
        names = columns
    else:
        raise ValueError(
            f"the table has columns {columns}; name those of the edges 'source', 'target' and, if there are "
            "scores, 'weight', or pass only these two or three, in this order."
        )
    if twice := [name for name in dict.fromkeys(names) if columns.count(name) > 1]:
        raise ValueError(f"the table has several columns named {twice}; names must be unique.")
    return names


def encode(source: pd.Series, target: pd.Series) -> tuple[list[str], np.ndarray]:
    """Return the sorted names of both columns and the positions of each row's two, shape (2, E)."""
    columns = [pd.Categorical(column) for column in (source, target)]
    names = np.concatenate([column.categories.to_numpy(dtype=object) for column in columns])
    used = np.zeros(len(names), dtype=bool)
    offsets = (0, len(columns[0].categories))
    codes = [column.codes.astype(np.int64) + offset for column, offset in zip(columns, offsets, strict=True)]
    for code in codes:
        used[code] = True
    for name in names[used]:
        if not isinstance(name, str) or not name:
            raise ValueError(f"a gene is named {name!r}; every gene needs a non-empty string as its name.")
    genes = sorted(set(names[used]))
    position = np.full(len(names), -1, dtype=np.int64)
    position[used] = pd.Index(genes, dtype=object).get_indexer(names[used])
    return genes, np.stack([position[code] for code in codes])


def rename_categories(values: pd.Categorical, names: Any) -> pd.Categorical:
    """Give each category a new name; categories of the same name become one. Never works row by row."""
    codes, unique = pd.factorize(pd.Index(names, dtype=object))
    kept = values.codes
    return pd.Categorical.from_codes(codes[kept] if len(codes) else kept, categories=unique)
