"""The border to AnnData, data frames and arrays: what matrix is this, normalise it, align its genes.

Everything behind this file sees one thing: a CSR float32 matrix (cells, genes) with the training set's genes
in the training set's order. Letters: B cells, N genes.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.genes.names import gene_kind, without_versions

__all__ = ["Expression", "Normalizer", "detect_scale", "is_missing", "read_expression", "read_labels"]

METHODS = ("auto", "sqrt", "log1p", "none")
LOG1P_TARGET = 1e4  # counts per cell before log1p: the scanpy and Seurat convention
LARGEST_LOG = 25.0  # no log1p or log2(x + 1) of counts, CPM or TPM reaches this
SMALLEST_OVERLAP = 0.01  # of the smaller set of genes; a few symbols are alike in any two species
FEW_CELLS = 20  # of fewer, the range says less than the training data do
BLOCK = 2**22  # stored values handled at once

# Logs are cut before exp overflows float32; no logarithm of expression comes near.
_UNDO = {
    "counts": np.asarray,
    "cp10k": np.asarray,
    "log1p": lambda x: np.expm1(np.minimum(x, 80)),
    "sqrt": np.square,
    "log2p1": lambda x: np.expm1(np.minimum(x * np.float32(np.log(2)), 80)),
}
_REDO = {"log1p": np.log1p, "sqrt": np.sqrt, "log2p1": lambda x: np.log1p(x) / np.float32(np.log(2))}


@dataclass(frozen=True, eq=False)
class Expression:
    """A matrix of expression values with the names of its rows and columns.

    Attributes
    ----------
    X : csr_matrix of float32, shape (B, N)
        Sorted indices, no duplicates, no stored zeros. Read only: may share memory with the user's matrix.
    genes : tuple of str, or None
        Unique gene names; None for arrays and for data frames with default column labels.
    cells : tuple of str, or None
    var : DataFrame, or None
        The table of genes that came with an AnnData: other names to suggest when these do not match.
    origin : object
        What the user passed, for error messages.
    """

    X: sparse.csr_matrix
    genes: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    var: pd.DataFrame | None = field(default=None, repr=False)
    origin: Any = field(default=None, repr=False)

    @cached_property
    def _judged(self) -> tuple[str, bool]:
        return _judge(self.X)

    @property
    def scale(self) -> str:
        """The scale of the values, as `detect_scale` names it."""
        return self._judged[0]

    @property
    def scale_is_certain(self) -> bool:
        """False where the scale was only guessed from the range of the values."""
        return self._judged[1]


def read_expression(X, layer=None, use_raw=False, gene_column=None) -> Expression:
    """Read cells × genes from an AnnData, a data frame, a sparse matrix or an array.

    Parameters
    ----------
    X : AnnData, DataFrame (columns are genes), sparse matrix or array of any format, ndarray; shape (B, N)
        Never changed. Backed and dense matrices are read in blocks of rows; sparse ones are never made dense.
    layer : str, optional
        The layer of the AnnData to read instead of `.X`.
    use_raw : bool
        Read `.raw` of the AnnData instead.
    gene_column : str, optional
        The column of `.var` that names the genes, by default the index, which also fills its gaps.

    Returns
    -------
    Expression
        Genes of the same name are summed, with a warning, on the linear scale: logarithms and roots are
        undone, summed and taken again.

    Raises
    ------
    ValueError
        No cells or genes; NaN, infinity or a non-numeric dtype; an absent layer, raw or column; genes of the
        same name in data with negative values, which have no meaningful sum.
    """
    var = cells = genes = None
    matrix = X
    if is_anndata(X):
        matrix, var = _choose_matrix(X, layer, use_raw)
        genes, cells = _gene_names(var, gene_column), tuple(map(str, X.obs_names))
    elif layer is not None or use_raw or gene_column is not None:
        given = {"layer": layer, "use_raw": use_raw or None, "gene_column": gene_column}
        name, value = next((k, v) for k, v in given.items() if v is not None)
        raise ValueError(f"{name}={value!r} names a part of an AnnData, but X is a {type(X).__name__}.")
    elif isinstance(X, pd.DataFrame):
        cells = tuple(map(str, X.index))
        genes = None if X.columns.equals(pd.RangeIndex(X.shape[1])) else tuple(map(str, X.columns))

    matrix = _to_csr(matrix)
    _check_content(matrix, genes, cells)
    if genes is not None and len(set(genes)) < len(genes):
        matrix, genes = _sum_same_names(matrix, genes)
    return Expression(matrix, genes, cells, var, X)


def is_anndata(X) -> bool:
    return hasattr(X, "obs_names") and hasattr(X, "var_names") and hasattr(X, "layers")


def _choose_matrix(adata, layer, use_raw):
    if layer is not None and use_raw:
        raise ValueError(f"layer={layer!r} and use_raw=True name two matrices; pass one of them.")
    if use_raw:
        if adata.raw is None:
            raise ValueError(
                "use_raw=True, but this AnnData has no .raw; leave it out, or name a layer: "
                f"{list(adata.layers)}."
            )
        return adata.raw.X, adata.raw.var
    if layer is not None and layer not in adata.layers:
        raise ValueError(f"layer={layer!r} is not in this AnnData; it has {list(adata.layers) or 'none'}.")
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise ValueError(f"This AnnData has no .X; name one of its layers: layer={list(adata.layers)}.")
    return matrix, adata.var


def _gene_names(var: pd.DataFrame, column: str | None) -> tuple[str, ...]:
    if column is None:
        return tuple(map(str, var.index))
    if column not in var.columns:
        raise ValueError(f"gene_column={column!r} is not in var; it has {list(var.columns) or 'no columns'}.")
    pairs = zip(var[column].astype(object), var.index, strict=True)
    return tuple(str(index if pd.isna(name) or name == "" else name) for name, index in pairs)


def _to_csr(X) -> sparse.csr_matrix:
    """Any matrix as canonical CSR float32; shares the arrays of one that already is."""
    if not sparse.issparse(X) and hasattr(X, "to_memory"):
        X = X.to_memory()  # sparse matrix of a backed AnnData
    if isinstance(X, pd.DataFrame) and len(X.columns):
        if all(isinstance(d, pd.SparseDtype) and d.fill_value == 0 for d in X.dtypes):
            X = X.sparse.to_coo()
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if len(X.shape) != 2:
        raise ValueError(
            f"Expected 2D array, got {len(X.shape)}D array instead: X has shape {X.shape}. "
            "Reshape your data to cells as rows and genes as columns."
        )
    if sparse.issparse(X):
        _check_dtype(X.dtype)
        X = sparse.csr_matrix(X)  # shares the arrays of CSR
    else:
        X = _dense_to_csr(X)
    X.prune()
    if not X.has_canonical_format:
        X = X.copy()  # the next line works in place
        X.sum_duplicates()
    if X.dtype != np.float32:
        with np.errstate(over="ignore"):  # _check_content reports the infinities
            X = sparse.csr_matrix((X.data.astype(np.float32), X.indices, X.indptr), shape=X.shape)
    if np.count_nonzero(X.data) < X.nnz:
        X = X.copy()
        X.eliminate_zeros()
    return X


def _dense_to_csr(X) -> sparse.csr_matrix:
    n, m = X.shape
    if not n or not m:
        return sparse.csr_matrix((n, m), dtype=np.float32)
    rows = X.iloc if isinstance(X, pd.DataFrame) else X
    step = max(1, BLOCK // m)
    blocks = [sparse.csr_matrix(_as_float32(rows[i : i + step])) for i in range(0, n, step)]
    return blocks[0] if len(blocks) == 1 else sparse.vstack(blocks, format="csr")


def _as_float32(block) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):
            if isinstance(block, pd.DataFrame):
                return block.to_numpy(dtype=np.float32, na_value=np.nan)
            block = np.asarray(block)
            _check_dtype(block.dtype)
            return block.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        if isinstance(block, pd.DataFrame):
            text = [c for c in block if not pd.api.types.is_numeric_dtype(block[c].dtype)]
            raise ValueError(
                f"X has columns that are not numbers: {text[:5]}. Every column must be a gene; "
                "drop the others."
            ) from error
        raise type(error)(f"X must be numeric: {error}") from error


def _check_dtype(dtype) -> None:
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X has dtype {dtype}.")
    if dtype.kind not in "biufO":
        raise ValueError(f"dtype {dtype} is not numeric; give counts or normalised expression values.")


def _check_content(X: sparse.csr_matrix, genes, cells) -> None:
    for count, what in zip(X.shape, ("sample(s)", "feature(s)"), strict=True):  # scikit-learn's words
        if not count:
            raise ValueError(f"X has 0 {what} (shape={X.shape}) while a minimum of 1 is required.")
    bad = np.flatnonzero(~np.isfinite(X.data))
    if len(bad):
        row, col = int(np.searchsorted(X.indptr, bad[0], side="right")) - 1, int(X.indices[bad[0]])
        what = "NaN" if np.isnan(X.data[bad]).any() else "infinity or a value too large for dtype('float32')"
        cell, gene = cells[row] if cells else row, genes[col] if genes else col
        raise ValueError(
            f"Input X contains {what}: {len(bad):,} such values, the first in cell {cell!r}, "
            f"gene {gene!r}. Set missing expression to 0 or drop these genes."
        )


def _sum_same_names(X: sparse.csr_matrix, genes: tuple[str, ...]):
    unique = tuple(dict.fromkeys(genes))
    names, counts = np.unique(np.asarray(genes, dtype=object), return_counts=True)
    repeated = names[counts > 1].tolist()
    what = f"{len(repeated):,} gene names occur more than once ({_some(repeated)})"
    scale = _judge(X)[0]
    if scale == "scaled":
        raise ValueError(f"{what} and X has negative values, which cannot be summed; make the names unique.")
    warnings.warn(f"{what}; their columns are summed.", UserWarning, stacklevel=3)
    place = {gene: i for i, gene in enumerate(unique)}
    X = _with_data(X, _UNDO[scale](X.data)) @ _selection([place[g] for g in genes], len(unique))
    X.sort_indices()
    return _with_data(X, _REDO.get(scale, np.asarray)(X.data)), unique


def _with_data(X: sparse.csr_matrix, data: np.ndarray) -> sparse.csr_matrix:
    return sparse.csr_matrix((data.astype(np.float32, copy=False), X.indices, X.indptr), shape=X.shape)


def _selection(place, n_columns: int) -> sparse.csr_matrix:
    """The 0/1 matrix that moves column i to column `place[i]`, or drops it where that is −1."""
    place = np.asarray(place)
    kept = np.flatnonzero(place >= 0)
    ones = np.ones(len(kept), np.float32)
    return sparse.csr_matrix((ones, (kept, place[kept])), shape=(len(place), n_columns))


def _some(names, n: int = 3) -> str:
    return ", ".join(map(str, names[:n])) + ("…" if len(names) > n else "")


def detect_scale(X) -> str:
    """Tell the scale of a matrix from all its stored values.

    Counts leave a trace in whatever is made of them: undo the right transformation, divide each cell by its
    smallest value, and small values are integers again. Under a wrong inverse 10 % (at most 30 %) are, by
    chance. Where data do not come from counts (TPM), the right inverse gives all cells one total; failing
    that, the range decides: values above 25 are linear, others log1p.

    Parameters
    ----------
    X : sparse matrix, array or DataFrame, shape (B, N)

    Returns
    -------
    str
        "counts": non-negative integers; "cp10k": other linear values (CP10k, CPM, TPM, estimated counts);
        "log1p", "log2p1" (log2(x + 1)) or "sqrt" of either; "scaled": negative values.
    """
    return _judge(_to_csr(X))[0]


def _judge(X: sparse.csr_matrix) -> tuple[str, bool]:
    """The scale, and whether there is evidence for it beyond the range of the values."""
    if not X.nnz:
        return "counts", False
    if X.data.min() < 0:
        return "scaled", True
    if all(np.array_equal(x, np.rint(x)) for x, _ in _row_blocks(X)):
        return "counts", bool(X.data.max() > 1)

    candidates = ("cp10k", "log1p", "sqrt", "log2p1")  # linear first: squares of counts are integers
    hits, seen = dict.fromkeys(candidates, 0), dict.fromkeys(candidates, 0)
    totals: dict[str, list[np.ndarray]] = {name: [] for name in candidates}
    for x, lengths in _row_blocks(X):
        starts = np.cumsum(lengths) - lengths
        for name in candidates:
            with np.errstate(over="ignore", invalid="ignore"):
                v = _UNDO[name](x)
                totals[name].append(np.add.reduceat(v, starts, dtype=np.float64))
                ratio = v / np.repeat(np.minimum.reduceat(v, starts), lengths)
                ratio = ratio[(ratio > 1.05) & (ratio < 20.5)]  # small: data may be rounded to 3 decimals
            seen[name] += len(ratio)
            hits[name] += int(np.count_nonzero(np.abs(ratio - np.rint(ratio)) < 0.05))

    share = {name: hits[name] / seen[name] if seen[name] >= 30 else 0.0 for name in candidates}
    if max(share.values()) > (0.4 if X.shape[0] >= FEW_CELLS else 0.8):  # chance hits repeat in a cell
        return next(name for name in candidates if share[name] > max(share.values()) - 0.05), True
    for name in candidates:
        low, middle, high = np.percentile(np.concatenate(totals[name]), [5, 50, 95])
        if X.shape[0] >= 5 and high - low < 2e-3 * middle:
            return name, True
    return ("cp10k" if X.data.max() > LARGEST_LOG else "log1p"), False


def _row_blocks(X: sparse.csr_matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Stored values of whole rows, some `BLOCK` at a time, with the number in each row that is not empty."""
    cuts = np.unique(np.searchsorted(X.indptr, [*range(0, X.nnz, BLOCK), X.nnz]))
    for first, last in zip(cuts[:-1], cuts[1:], strict=True):
        lengths = np.diff(X.indptr[first : last + 1])
        yield X.data[X.indptr[first] : X.indptr[last]], lengths[lengths > 0]


@dataclass(frozen=True, eq=False)
class Normalizer:
    """What is learned from the training cells to bring any query to their genes, order and scale.

    Cell b, gene i: undo the query's own transformation, divide by the depth over the genes S that the query
    shares with the training set, multiply by the depth expected there, then take the root or the logarithm:

    `z_bi = g(x_bi / Σ_{j∈S} x_bj · target_sum · Σ_{j∈S} gene_share_j)`, `g` = sqrt or log1p.

    So a query that lacks genes is not inflated, and a row depends on its own cell, not on its batch.

    Attributes
    ----------
    method : {"sqrt", "log1p", "none"}
        "none" only matches the genes and accepts any values.
    genes : tuple of str, or None
        The training genes; None where they have no names and columns are matched by position.
    n_genes : int
    target_sum : float
        Depth of a cell before `g`: the median of the training cells for sqrt, 10,000 for log1p.
    gene_share : ndarray of float32, shape (N,)
        Mean fraction of a training cell's expression in each gene; sums to 1.
    input_scale : str
        Scale of the training matrix, as `detect_scale` names it.
    """

    method: str
    genes: tuple[str, ...] | None
    n_genes: int
    target_sum: float
    gene_share: np.ndarray
    input_scale: str

    @classmethod
    def fit(cls, expr: Expression, method: str = "auto") -> Normalizer:
        """Learn depth, gene shares and scale from the training cells.

        Parameters
        ----------
        expr : Expression of the training cells
        method : {"auto", "sqrt", "log1p", "none"}
            "auto" is "sqrt". Arrays and data frames that hold negative values are taken as features already
            prepared ("none"; with a warning where their columns have names); an AnnData with negative values
            is refused: it has, or had, a better matrix.

        Raises
        ------
        ValueError
            An unknown method; negative values with "sqrt" or "log1p", or from an AnnData with "auto".
        """
        if method not in METHODS:
            raise ValueError(f"normalization={method!r} is unknown; choose one of {METHODS}.")
        if method == "auto":
            prepared = expr.scale == "scaled" and not is_anndata(expr.origin)
            if prepared and expr.genes is not None:
                warnings.warn(
                    "X has negative values and is taken as it is, as normalization='none' would. "
                    "Give counts to have them normalised.",
                    UserWarning,
                    stacklevel=2,
                )
            method = "none" if prepared else "sqrt"
        n = expr.X.shape[1]
        if method == "none":
            return cls(method, expr.genes, n, 1.0, np.full(n, 1 / n, np.float32), expr.scale)
        if expr.scale == "scaled":
            raise ValueError(_negative_values(expr, method))

        values, depth, rows = _linear(expr.X, expr.scale)
        filled = depth > 0
        if not filled.any():
            raise ValueError(f"X is zero everywhere (shape {expr.X.shape}); there is nothing to learn from.")
        target = LOG1P_TARGET if method == "log1p" else float(np.median(depth[filled]))
        share = np.bincount(expr.X.indices, values / depth[rows], minlength=n) / filled.sum()
        return cls(method, expr.genes, n, target, share.astype(np.float32), expr.scale)

    def transform(self, expr: Expression, place: np.ndarray | None = None) -> sparse.csr_matrix:
        """Bring cells to the training genes and scale.

        Parameters
        ----------
        expr : Expression, shape (B, any number of genes)
            Genes are matched by name, in any order; genes the training set lacks are ignored, genes it has in
            addition are zero, with a warning. Version suffixes of Ensembl and RefSeq ids are ignored
            where that is unambiguous. Without names (on either side) columns are matched by position.
        place : ndarray of int, optional
            What `match` gave for these cells.

        Returns
        -------
        csr_matrix of float32, shape (B, n_genes)
            Cells without expression in the shared genes are zero.

        Raises
        ------
        ValueError
            Negative values (unless `method` is "none"); fewer than 1 % of the smaller set of genes in common;
            without names, another number of columns.

        Notes
        -----
        The scale of a query with gene names is detected. Where that is only a guess from the range of fewer
        than 20 cells, the training scale is used unless the values rule it out, so that one cell gives the
        same row as in a large batch. A query without names is always on the training scale.
        """
        place = self.match(expr) if place is None else place  # column of X -> training gene or −1
        X = expr.X
        if not np.array_equal(place, np.arange(self.n_genes)):
            X = X @ _selection(place, self.n_genes)  # (B, genes of X) -> (B, N)
            X.sort_indices()
        if self.method == "none":
            return X.copy() if X is expr.X else X
        values, depth, rows = _linear(X, self._scale_of(expr))
        empty = depth == 0
        if empty.any() and expr.genes is not None:
            warnings.warn(
                f"{empty.sum():,} of {len(empty):,} cells express none of the model's genes; their "
                "rows are zero.",
                UserWarning,
                stacklevel=2,
            )
        expected = self.target_sum * self.gene_share[place[place >= 0]].sum(dtype=np.float64)
        values = values * (expected / np.where(empty, 1.0, depth))[rows]
        values = np.sqrt(values, out=values) if self.method == "sqrt" else np.log1p(values, out=values)
        return _with_data(X, values).copy()  # owns its indices as well

    def match(self, expr: Expression) -> np.ndarray:
        """The training gene of each column of X, −1 where there is none; warnings and errors as `transform`."""
        n = expr.X.shape[1]
        if self.genes is None or expr.genes is None:
            if n != self.n_genes:
                raise ValueError(
                    f"X has {n} features, but the model is expecting {self.n_genes} features as input."
                )
            return np.arange(n)
        if expr.genes == self.genes:
            return np.arange(n)
        ours, theirs = without_versions(self.genes, expr.genes)
        index = {gene: i for i, gene in enumerate(ours)}
        place = np.array([index.get(gene, -1) for gene in theirs])
        shared = int((place >= 0).sum())
        if shared < max(1, SMALLEST_OVERLAP * min(n, self.n_genes)):
            raise ValueError(_no_overlap(self.genes, expr, shared))
        missing = self.n_genes - shared
        if missing:
            warnings.warn(
                f"{missing:,} of the model's {self.n_genes:,} genes ({missing / self.n_genes:.1%}) "
                "are missing from X.",
                UserWarning,
                stacklevel=3,
            )
        return place

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays, fit for JSON."""
        return {
            "method": self.method,
            "genes": None if self.genes is None else list(self.genes),
            "n_genes": self.n_genes,
            "target_sum": self.target_sum,
            "input_scale": self.input_scale,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to save next to `to_dict`: `gene_share`, float32 (N,)."""
        return {"gene_share": self.gene_share}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Normalizer:
        """Build again what `to_dict` and `arrays` gave."""
        genes = values["genes"]
        share = np.asarray(arrays["gene_share"], np.float32)
        return cls(
            values["method"],
            None if genes is None else tuple(genes),
            int(values["n_genes"]),
            float(values["target_sum"]),
            share,
            values["input_scale"],
        )

    def _scale_of(self, expr: Expression) -> str:
        if expr.X.nnz and expr.X.data.min() < 0:
            raise ValueError(_negative_values(expr, self.method))
        if _UNDO[expr.scale] is _UNDO[self.input_scale]:
            return self.input_scale
        if expr.genes is None or self.genes is None:
            if expr.scale_is_certain and expr.X.shape[0] >= FEW_CELLS:
                warnings.warn(
                    f"X looks like {expr.scale}, the model was fitted on {self.input_scale}. It is "
                    f"taken as {self.input_scale}; pass it with gene names to have it converted.",
                    UserWarning,
                    stacklevel=3,
                )
            return self.input_scale
        if expr.scale_is_certain:
            return expr.scale
        too_large = "log" in self.input_scale and expr.scale == "cp10k"
        if expr.X.shape[0] < FEW_CELLS and self.input_scale != "counts" and not too_large:
            return self.input_scale
        warnings.warn(
            f"X is taken as {expr.scale} by the range of its values (the model was fitted on "
            f"{self.input_scale}); pass counts to be sure.",
            UserWarning,
            stacklevel=3,
        )
        return expr.scale


def _linear(X: sparse.csr_matrix, scale: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stored values on the linear scale (nnz,), depth of each cell (B,), row of each value (nnz,)."""
    values = _UNDO[scale](X.data)
    rows = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
    depth = np.bincount(rows, values, minlength=X.shape[0])  # float64, in order: the same sum in any batch
    return values, depth, rows


def _negative_values(expr: Expression, method: str) -> str:
    remedy = "pass counts or log-normalised values"
    if is_anndata(expr.origin):
        raw = ["use_raw=True"] if expr.origin.raw is not None else []
        options = [*(f"layer={name!r}" for name in expr.origin.layers), *raw]
        remedy = f"read another matrix ({', '.join(options)})" if options else remedy
    return (
        f"X has negative values (down to {expr.X.data.min():.3g}), as scaled or batch-corrected data do, "
        f"which {method} cannot normalise: {remedy}, or fit with normalization='none'."
    )


def _no_overlap(genes: tuple[str, ...], expr: Expression, shared: int) -> str:
    ours, theirs = gene_kind(genes), gene_kind(expr.genes)
    text = (
        f"X and the model have {shared or 'no'} genes in common: X's genes look like {theirs} "
        f"({_some(expr.genes)}), the model's like {ours} ({_some(genes)}). "
    )
    column, share = _better_column(genes, expr.var)
    if share > 0.1:
        name = "the index of var" if column is None else f"var[{column!r}]"
        return text + f"{name} names {share:.0%} of the model's genes: pass gene_column={column!r}."
    alike = len({g.upper() for g in genes} & {g.upper() for g in expr.genes})
    if alike > 0.1 * min(len(genes), len(expr.genes)):
        return text + (
            f"{alike:,} match when letter case is ignored: rename the genes of X, through "
            "orthologs if it is of another species."
        )
    return text + f"Rename the genes of X to {ours}, or name the column of var that holds them: gene_column=."


def _better_column(genes: tuple[str, ...], var: pd.DataFrame | None) -> tuple[str | None, float]:
    """The column of var (None: its index) that names most of the genes, and the share of them."""
    if var is None:
        return None, 0.0
    shares = {}
    for column in [None, *(c for c in var if var[c].dtype.kind == "O")]:
        names = dict.fromkeys(map(str, var.index if column is None else var[column]))
        ours, theirs = without_versions(genes, tuple(names))
        shares[column] = len(set(ours) & set(theirs)) / len(genes)
    best = max(shares, key=shares.get)
    return best, shares[best]


def read_labels(X, y, *, min_classes: int = 1, allow_missing: bool = False) -> np.ndarray:
    """Read one label per cell.

    Parameters
    ----------
    X : what `read_expression` reads, B cells
    y : str or array-like, shape (B,)
        The name of a column of `X.obs` where X is an AnnData, or the labels, in the order of the cells.
    min_classes : int
        Refuse fewer classes.
    allow_missing : bool
        Let missing labels pass; `is_missing` finds them.

    Returns
    -------
    ndarray, shape (B,)
        Labels in their own dtype; categoricals in that of their categories.

    Raises
    ------
    ValueError
        An absent column; another number of labels than cells; labels of the same cells in another order;
        missing labels (None, NaN, NA, empty text) unless they are allowed; too few classes.
    """
    cells = tuple(map(str, X.obs_names)) if is_anndata(X) else None
    if isinstance(y, str):
        y = _obs_column(X, y)
    elif y is None:
        raise ValueError("requires y to be passed, but the target y is None: pass labels or an obs column.")
    elif isinstance(y, pd.Series) and cells and len(y) == len(cells):
        index = tuple(map(str, y.index))
        if index != cells and set(index) == set(cells):
            raise ValueError("y has the cells of X in another order; pass y.loc[X.obs_names].")
    labels = np.asarray(y)
    labels = labels.ravel() if labels.ndim == 2 and labels.shape[1] == 1 else labels
    n = len(cells) if cells else X.shape[0] if hasattr(X, "shape") else len(X)
    if labels.shape != (n,):
        raise ValueError(f"y has shape {labels.shape}, but X has {n:,} cells; give one label per cell.")

    missing = is_missing(labels)
    if missing.any() and not allow_missing:
        where = np.flatnonzero(missing)
        first = [cells[i] if cells else i for i in where[:3]]
        raise ValueError(
            f"Input y contains NaN: {len(where):,} labels are missing or empty, the first of "
            f"cells {_some(first)}. Drop these cells."
        )
    classes = pd.unique(labels[~missing])
    if len(classes) < min_classes:
        raise ValueError(f"y has {len(classes)} class ({_some(classes)}); at least {min_classes} are needed.")
    return labels


def is_missing(labels: np.ndarray) -> np.ndarray:
    """Which labels are None, NaN, NA or empty text, shape (B,)."""
    missing = pd.isna(labels)
    if labels.dtype.kind in "OUT":
        missing |= np.array([isinstance(label, str) and not label.strip() for label in labels], dtype=bool)
    return missing


def _obs_column(X, name: str) -> pd.Series:
    if not is_anndata(X):
        raise ValueError(f"y={name!r} names a column of obs, but X is a {type(X).__name__}; pass the labels.")
    if name in X.obs.columns:
        return X.obs[name]
    near = difflib.get_close_matches(name, map(str, X.obs.columns), n=3)
    few = [c for c in X.obs if X.obs[c].nunique() <= min(200, max(2, X.n_obs // 2))]
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise ValueError(f"y={name!r} is not a column of obs. {hint}Columns with few values: {few or 'none'}.")
