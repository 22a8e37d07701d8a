"""Normalize cells, and bring any query to the genes, their order and the scale of the training cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.expression import Expression, is_anndata
from gene_gcn.cells.gene_panels import GenePanels, find_gene_panels
from gene_gcn.cells.matrix import move_columns, row_parts, with_data
from gene_gcn.cells.scale import FEW_CELLS, LINEAR, InferredScale, exceeds, map_values
from gene_gcn.errors import (
    Argument,
    ArgumentError,
    EmptyCellsWarning,
    GeneNamesWarning,
    MissingGenesWarning,
    ScaleWarning,
    first_few,
    warn,
)
from gene_gcn.genes.names import gene_kind, match_names
from gene_gcn.genes.organism_of_genes import organism_of_genes

__all__ = ["SMALLEST_OVERLAP", "BlockSums", "Normalizer", "settle_scale"]

METHODS = ("auto", "sqrt", "log1p", "none")
LOG1P_TARGET = 1e4  # counts per cell before log1p: the convention of scanpy and Seurat
SMALLEST_OVERLAP = 0.01  # fraction of the smaller set of genes; any two species share a few symbols

_AS_IS = Argument("normalization", "none")
_SCALE = Argument("scale")


class BlockSums(NamedTuple):
    """What a normalizer learns from a block of cells.

    Attributes
    ----------
    depth : ndarray of float64, shape (cells,)
    share : ndarray of float64, shape (N,)
        Fraction of the expression of a cell in each gene, summed over cells.
    """

    depth: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, X: sparse.csr_matrix) -> BlockSums:
        """Sum cells (cells, N) on the linear scale, without negative values."""
        depth = _depth(X)
        weights = X.data / np.repeat(depth, np.diff(X.indptr))
        return cls(depth, np.bincount(X.indices, weights, minlength=X.shape[1]))

    @classmethod
    def nothing(cls, X: sparse.csr_matrix) -> BlockSums:
        """Return what is learned from any cells (cells, N) that are not normalized."""
        return cls(np.zeros(0), np.zeros(X.shape[1]))


@dataclass(frozen=True, eq=False)
class Normalizer:
    """Statistics of the training cells that bring any query to their genes, order and scale.

    For cell b and gene i: invert the query's own transformation, divide by the depth over the genes S that
    the query shares with the training set, multiply by the depth expected there, then take the root or the
    logarithm:

    `z_bi = g(x_bi / Σ_{j∈S} x_bj · target_sum · Σ_{j∈S} gene_share_j)`, `g` = sqrt or log1p.

    So missing genes do not inflate the others, and a row depends on its own cell, not on its batch.

    Attributes
    ----------
    method : {"sqrt", "log1p", "none"}
        "none" only matches the genes and accepts any values.
    genes : tuple of str, or None
        The training genes; None if they have no names and columns are matched by position.
    n_genes : int
    target_sum : float
        Depth of a cell before `g`: the median of the training cells for sqrt, 10,000 for log1p.
    gene_share : ndarray of float32, shape (N,)
        Mean fraction of a training cell's expression in each gene; sums to 1.
    input_scale : str
        Scale of the training matrix, as `detect_scale` calls it.
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
        expr : Expression
            The training cells.
        method : {"auto", "sqrt", "log1p", "none"}
            "auto" is "sqrt", except for arrays and data frames with negative values: these are taken as
            features that are already prepared ("none"), with a warning if their columns have names. An
            AnnData with negative values is refused, as its counts are likely in another matrix.

        Returns
        -------
        Normalizer

        Raises
        ------
        ArgumentError
            If the method is unknown; if there are negative values with "sqrt", "log1p" or, in an AnnData,
            "auto"; if all values are zero.
        """
        if method not in METHODS:
            text = f" is not supported; choose one of {', '.join(map(repr, METHODS))}."
            raise ArgumentError("normalization", Argument("normalization", method), text)
        if method == "auto":
            method = "none" if _is_prepared(expr) else "sqrt"
        n = expr.X.shape[1]
        if method == "none":
            return cls(method, expr.genes, n, 1.0, np.full(n, 1 / n, np.float32), expr.scale)
        if expr.scale == "scaled":
            raise _negative_values(expr)

        linear = _linear(expr.X, _training_scale(expr))
        sums = (BlockSums.of(part) for part in row_parts(linear))
        return cls.fit_sums(sums, expr.genes, n, expr.scale, method)

    @classmethod
    def fit_sums(
        cls,
        sums: Iterable[BlockSums],
        genes: tuple[str, ...] | None,
        n_genes: int,
        input_scale: str,
        method: str = "auto",
    ) -> Normalizer:
        """Learn depth and gene shares from sums of blocks of training cells, in their order.

        With "none", they do not matter.

        Parameters
        ----------
        sums : iterable of BlockSums
            Of each block: the depths of its cells, and the sum of the shares of each gene.
        genes : tuple of str, or None
            Names of the N genes.
        n_genes : int
            N.
        input_scale : str
            Scale of the training cells.
        method : {"auto", "sqrt", "log1p", "none"}
            As in `fit`.

        Returns
        -------
        Normalizer

        Raises
        ------
        ArgumentError
            If all values are zero.
        """
        depths, share = [], np.zeros(n_genes)
        for block in sums:
            depths.append(block.depth)
            share += block.share
        if method == "none":
            return cls(method, genes, n_genes, 1.0, np.full(n_genes, 1 / n_genes, np.float32), input_scale)
        depth = np.concatenate(depths)
        filled = depth[depth > 0]
        if not len(filled):
            text = f"X is zero everywhere (shape {len(depth), n_genes}), so there is nothing to learn from."
            raise ArgumentError("X", text)
        target = LOG1P_TARGET if method == "log1p" else float(np.median(filled))
        share = (share / len(filled)).astype(np.float32)
        return cls("sqrt" if method == "auto" else method, genes, n_genes, target, share, input_scale)

    def transform(
        self,
        expr: Expression,
        indexer: np.ndarray | None = None,
        panels: GenePanels | None = None,
        depth: np.ndarray | None = None,
    ) -> sparse.csr_matrix:
        """Bring cells to the training genes and scale.

        Parameters
        ----------
        expr : Expression, shape (B, any number of genes)
            Genes are matched by name, in any order. Genes that the training set lacks are ignored; training
            genes that are missing are zero, with a warning. Version suffixes of Ensembl and RefSeq ids are
            ignored if that is unambiguous. Without names (on either side) columns are matched by position.
        indexer : ndarray of int, optional
            What `match` returned for these cells.
        panels : GenePanels, optional
            What `find_panels` returned for these cells; by default all of them were measured in all genes.
        depth : ndarray, shape (B,), optional
            As for `rescale`.

        Returns
        -------
        csr_matrix of float32, shape (B, n_genes)
            Cells without expression in the shared genes are zero.

        Raises
        ------
        ArgumentError
            If there are negative values (unless `method` is "none"); if less than 1 % of the smaller set of
            genes is shared; if the number of columns differs and they have no names.

        Notes
        -----
        The scale of a query with gene names is inferred, that of each cell if parts of them are on different
        scales. If it is only a guess from the range of fewer than 20 cells, the training scale is used unless
        the values rule it out, so that a single cell gives the same row as in a large batch. A query without
        names is always taken to be on the training scale. A stated scale is used as it is; one that is that
        of the training cells too gives way to evidence that the query is on another.
        """
        indexer = self.match(expr) if indexer is None else indexer
        X = self._move(expr, indexer)
        if self.method == "none":
            if self.input_scale != "scaled":  # there a zero is the mean of the gene
                self.warn_of_empty(np.diff(X.indptr) == 0)
            return X.copy() if X is expr.X else X
        linear = _linear(X, self.scale_of_query(expr))
        share = self.gene_share[indexer[indexer >= 0]].sum(dtype=np.float64)
        if panels is not None and len(panels.present) > 1:
            shares = [self.gene_share[genes].sum(dtype=np.float64) for genes in panels.present]
            share = np.array(shares)[panels.of_cell]
        out = self.rescale(linear, share, depth)
        self.warn_of_empty(np.diff(out.indptr) == 0)
        if X is expr.X:  # the user's, perhaps
            out.indices, out.indptr = out.indices.copy(), out.indptr.copy()
        return out

    def rescale(
        self,
        linear: sparse.csr_matrix,
        share: np.ndarray | float | None = None,
        depth: np.ndarray | None = None,
    ) -> sparse.csr_matrix:
        """Bring cells on the linear scale, with the training genes in their order, to the training scale.

        Parameters
        ----------
        linear : csr_matrix of float32, shape (B, N)
            Without stored zeros; with "none" any values, which stay as they are.
        share : float or ndarray, shape (B,), optional
            Part of the expression of a training cell in the genes that the cells have; by default all.
        depth : ndarray, shape (B,), optional
            Expression of each cell in these genes, as it is estimated; by default its sum.

        Returns
        -------
        csr_matrix of float32, shape (B, N)
            Shares its index arrays with the given one.
        """
        if self.method == "none":
            return linear
        share = self.gene_share.sum(dtype=np.float64) if share is None else share
        expected = np.broadcast_to(self.target_sum * np.asarray(share), linear.shape[:1])
        data, first = np.empty(linear.nnz, np.float32), 0
        for part in row_parts(linear):
            rows = slice(first, first + part.shape[0])
            own = _depth(part) if depth is None else depth[rows]
            scaled = np.repeat(expected[rows] / np.where(own == 0, 1.0, own), np.diff(part.indptr))
            scaled *= part.data  # float64
            scaled = np.sqrt(scaled, out=scaled) if self.method == "sqrt" else np.log1p(scaled, out=scaled)
            data[linear.indptr[rows.start] : linear.indptr[rows.stop]] = scaled
            first = rows.stop
        return with_data(linear, data)

    def find_panels(
        self,
        expr: Expression,
        indexer: np.ndarray,
        consequence: str = "these genes are treated as missing there",
    ) -> GenePanels:
        """Return which training genes were measured in which cells; warn if these differ.

        Where panels are joined, genes that one of them lacks are stored as zeros. They show as many genes
        without a count in any cell of a group, while other cells express them.

        Parameters
        ----------
        expr : Expression
        indexer : ndarray of int
            What `match` returned for these cells.
        consequence : str
            What the warning says about the zeros.
        """
        present = np.isin(np.arange(self.n_genes), indexer)
        if self.method == "none" or self.genes is None or expr.genes is None:
            return GenePanels.single(present, expr.X.shape[0])
        panels = find_gene_panels(self._move(expr, indexer), self.gene_share, present)
        for cells, genes in panels:
            absent = np.count_nonzero(present & ~genes)
            if absent:
                what = f"{len(cells):,} of {expr.X.shape[0]:,} cells have no count in any of {absent:,}"
                why = (
                    f"of the model's {self.n_genes:,} genes, as if panels were joined and absent genes filled"
                )
                warn(MissingGenesWarning(f"{what} {why} with zeros; {consequence}."))
        return panels

    def _move(self, expr: Expression, indexer: np.ndarray) -> sparse.csr_matrix:
        if np.array_equal(indexer, np.arange(self.n_genes)):
            return expr.X
        return move_columns(expr.X, indexer, self.n_genes)

    def match(self, expr: Expression) -> np.ndarray:
        """Return the training gene of each column of X, −1 where there is none.

        Warns and raises as `transform` does.

        Parameters
        ----------
        expr : Expression
            Cells of a query.

        Returns
        -------
        ndarray of int, shape (genes of X,)
        """
        n = expr.X.shape[1]
        if self.genes is None or expr.genes is None:
            if self.genes is not None and is_anndata(expr.origin) and gene_kind(self.genes) != "positions":
                text = f"The genes of X have no names, those of the model have ({first_few(self.genes)}); "
                choose = "choose the column of .var with their names by "
                raise ArgumentError("gene_column", text, choose, Argument("gene_column"), ".")
            if n != self.n_genes:
                text = f"X has {n} features, but the model is expecting {self.n_genes} features as input."
                raise ArgumentError("X", text)
            return np.arange(n)
        if expr.genes == self.genes:
            return np.arange(n)
        indexer = match_names(self.genes, expr.genes)
        shared = int((indexer >= 0).sum())
        if shared < max(1, SMALLEST_OVERLAP * min(n, self.n_genes)):
            raise _no_overlap(self.genes, expr, shared)
        if shared < 0.5 * min(n, self.n_genes) and (species := _other_species(self.genes, expr.genes)):
            warn(GeneNamesWarning(f"X shares only {shared:,} genes with the model. ", *species))
        self.warn_of_missing(self.n_genes - shared)
        return indexer

    def warn_of_missing(self, missing: int, how: str = "are missing from") -> None:
        """Say how many of the training genes X lacks, if any.

        Parameters
        ----------
        missing : int
            Number of these genes.
        how : str
            Verb of the warning.
        """
        if missing:
            share = f"{missing:,} of the model's {self.n_genes:,} genes ({missing / self.n_genes:.1%})"
            warn(MissingGenesWarning(f"{share} {how} X."))

    def warn_of_empty(self, empty: np.ndarray) -> None:
        """Say how many cells, of those of a mask (B,), express no gene of the model.

        Parameters
        ----------
        empty : ndarray of bool, shape (B,)
            Whether a cell expresses none.
        """
        if empty.any():
            what = (
                f"{empty.sum():,} of {len(empty):,} cells express none of the model's {self.n_genes:,} genes"
            )
            warn(EmptyCellsWarning(f"{what}, so nothing is known about them; filter them out."))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, as values that JSON can hold."""
        return {
            "method": self.method,
            "genes": None if self.genes is None else list(self.genes),
            "n_genes": self.n_genes,
            "target_sum": self.target_sum,
            "input_scale": self.input_scale,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays to save next to `to_dict`: `gene_share`, float32 (N,)."""
        return {"gene_share": self.gene_share}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Normalizer:
        """Rebuild a normalizer from what `to_dict` and `arrays` returned.

        Parameters
        ----------
        values : dict
            What `to_dict` returned.
        arrays : dict of str to ndarray
            What `arrays` returned.

        Returns
        -------
        Normalizer
        """
        genes = values["genes"]
        return cls(
            values["method"],
            None if genes is None else tuple(genes),
            int(values["n_genes"]),
            float(values["target_sum"]),
            np.asarray(arrays["gene_share"], np.float32),
            values["input_scale"],
        )

    def scale_of_query(self, expr: Expression) -> InferredScale:
        """Return the scale on which to read a query, or each of its cells.

        Parameters
        ----------
        expr : Expression
            Cells of a query.

        Raises
        ------
        ArgumentError
            Values are negative, or contradict the scale that was stated.
        """
        if expr.X.nnz and expr.X.data.min() < 0:
            raise _negative_values(expr)
        inferred, trained = expr.inferred_scale, InferredScale.single(self.input_scale, True)
        if expr.stated_scale is not None:
            return self._stated_scale(expr, inferred)
        if inferred.n_guessed and not inferred.is_mixed and expr.genes is not None:
            _warn_of_guessed_cells(inferred, expr.X.shape[0])
        if _is_same(inferred, trained):
            return trained
        if expr.genes is None or self.genes is None:
            if inferred.is_certain and expr.X.shape[0] >= FEW_CELLS:
                what = f"X looks like {inferred} but is treated as {trained}"
                remedy = "fit and predict on AnnData or DataFrames with gene names to have it converted"
                warn(ScaleWarning(f"{what}, as the training data are; {remedy}."))
            return trained
        if inferred.is_mixed:
            _warn_of_mixture(inferred)
        return inferred if inferred.is_certain else self._guessed_scale(expr, inferred)

    def _guessed_scale(self, expr: Expression, inferred: InferredScale) -> InferredScale:
        trained, guess = InferredScale.single(self.input_scale, True), inferred
        if "log" in self.input_scale and "log" in guess.name and not exceeds(expr.X, self.input_scale):
            guess = trained  # the range tells logarithms, but not their base
        is_few = expr.X.shape[0] < FEW_CELLS and self.input_scale != "counts"
        if is_few and not exceeds(expr.X, self.input_scale):
            return trained
        what = f"X is taken as {guess}, a guess from the range of its values"
        fitted = f"the model was fitted on {trained}"
        warn(
            ScaleWarning(
                f"{what} ({fitted}); state its scale with ", _SCALE, ", or pass raw counts to be sure."
            )
        )
        return guess

    def _stated_scale(self, expr: Expression, inferred: InferredScale) -> InferredScale:
        """Return the scale that the user stated, which may be that of the training cells only."""
        stated = InferredScale.single(str(expr.stated_scale), True)
        if expr.stated_scale != self.input_scale:
            _check_stated_scale(expr)
            return stated
        if inferred.is_certain and not _is_same(inferred, stated) and expr.genes is not None:
            if inferred.is_mixed:
                _warn_of_mixture(inferred)
            return inferred  # such as counts for a model that was fitted on logarithms
        return self._guessed_scale(expr, inferred) if exceeds(expr.X, self.input_scale) else stated


def settle_scale(expr: Expression) -> Expression:
    """State the scale of training cells, with the warnings and errors of `Normalizer.fit`.

    Returns
    -------
    Expression
        Linear, and stated to be "cp10k", if parts of its cells are on different scales.
    """
    if expr.scale == "scaled":
        raise _negative_values(expr)
    scale = _training_scale(expr)
    if not scale.is_mixed:
        return replace(expr, stated_scale=scale.name)
    return replace(expr, X=with_data(expr.X, map_values(expr.X, scale)), stated_scale="cp10k")


def _is_same(inferred: InferredScale, other: InferredScale) -> bool:
    if inferred.is_mixed:
        return False
    return inferred.name == other.name or (inferred.name in LINEAR and other.name in LINEAR)


def _training_scale(expr: Expression) -> InferredScale:
    """Return the scale of the training cells, and say if it is a guess, or not the same for all."""
    inferred = expr.inferred_scale
    if expr.stated_scale is not None:
        _check_stated_scale(expr)
        return InferredScale.single(expr.stated_scale, True)
    if inferred.is_mixed:
        if expr.genes is None:
            what = f"X joins {inferred}; bring them to one scale, or state it with "
            raise ArgumentError("X", what, _SCALE, ".")
        _warn_of_mixture(inferred)
    elif inferred.n_guessed:
        _warn_of_guessed_cells(inferred, expr.X.shape[0])
    elif not inferred.is_certain and inferred.name != "counts":
        what = f"X is taken as {inferred}, a guess from the range of its values; state its scale with "
        warn(ScaleWarning(what, _SCALE, ", or pass raw counts to be sure."))
    return inferred


def _check_stated_scale(expr: Expression) -> None:
    """Refuse a stated scale that the values cannot have; warn of one that they likely have not."""
    inferred, stated = expr.inferred_scale, InferredScale.single(str(expr.stated_scale), True)
    argument = Argument("scale", expr.stated_scale)
    if exceeds(expr.X, stated.name):
        text = f" cannot be right, as X has values up to {expr.X.data.max():.4g}; leave it out to infer it."
        raise ArgumentError("scale", argument, text)
    if inferred.is_certain and not _is_same(inferred, stated):
        warn(ScaleWarning(f"X looks like {inferred} but is read as {stated}, as ", argument, " says."))


def _warn_of_mixture(inferred: InferredScale) -> None:
    guess = f", a guess for {inferred.n_guessed:,} of them" if inferred.n_guessed else ""
    what = f"X joins {inferred}{guess}; each part is converted from its own scale. State one scale with "
    warn(ScaleWarning(what, _SCALE, " if this is wrong."))


def _warn_of_guessed_cells(inferred: InferredScale, n: int) -> None:
    what = (
        f"X is taken as {inferred}, a guess for {inferred.n_guessed:,} of {n:,} cells; state its scale with "
    )
    warn(ScaleWarning(what, _SCALE, ", or pass raw counts to be sure."))


def _is_prepared(expr: Expression) -> bool:
    """Return whether "auto" leaves the values as they are; warn if that may be a surprise."""
    if expr.scale != "scaled" or is_anndata(expr.origin):
        return False
    if expr.genes is not None:
        text = "X has negative values, as scaled data do, so it is not normalized ("
        warn(ScaleWarning(text, _AS_IS, "). Pass raw counts to have them normalized."))
    return True


def _linear(X: sparse.csr_matrix, scale: InferredScale) -> sparse.csr_matrix:
    """Return a matrix on the linear scale, which shares its arrays where they stay the same."""
    return with_data(X, map_values(X, scale))


def _depth(X: sparse.csr_matrix) -> np.ndarray:
    """Return the sum of each cell (B,)."""
    return X @ np.ones(X.shape[1])  # float64, added in order: the same sum in any batch


def _negative_values(expr: Expression) -> ArgumentError:
    what = f"X has negative values (minimum {expr.X.data.min():.3g})"
    problem = f"{what}, as scaled or batch-corrected data do, and cannot be normalized. "
    remedy: list[str | Argument]
    remedy = ["Pass raw counts or log-normalized values, or fit the model with ", _AS_IS, "."]
    if is_anndata(expr.origin):
        others = [Argument("layer", name) for name in expr.origin.layers if name is not None]
        others += [Argument("use_raw", True)] if expr.origin.raw is not None else []
        if others:
            remedy = ["Read another matrix (", *_joined(others), ")."]
    return ArgumentError("X", problem, *remedy)


def _joined(arguments: list[Argument]) -> list[str | Argument]:
    return [part for argument in arguments for part in (" or ", argument)][1:]


def _no_overlap(genes: tuple[str, ...], expr: Expression, shared: int) -> ArgumentError:
    query, cells, var = expr.genes or (), tuple(dict.fromkeys(expr.cells or ())), expr.var
    ours, theirs = gene_kind(genes), gene_kind(query)
    problem = (
        f"X and the model have {shared or 'no'} genes in common: the genes of X look like {theirs} "
        f"({first_few(query)}), those of the model like {ours} ({first_few(genes)}). "
    )
    in_rows = int(np.count_nonzero(match_names(genes, cells) >= 0))
    if in_rows > 0.1 * min(len(genes), len(cells)):
        what = (
            f"The rows of X are named like {in_rows:,} genes of the model: transpose it (X.T), as rows must "
        )
        return ArgumentError("X", problem, f"{what}be cells and columns must be genes.")
    column, share = _best_column(genes, var)
    if share > 0.1:
        where = "The index of .var" if column is None else f".var[{column!r}]"
        found = f"{where} has {share:.0%} of the model's genes: "
        if column is None:
            return ArgumentError("X", problem, found, "leave out ", Argument("gene_column"), ".")
        return ArgumentError("X", problem, found, "pass ", Argument("gene_column", column), ".")
    if species := _other_species(genes, query):
        return ArgumentError("X", problem, *species)
    alike = len({gene.upper() for gene in genes} & {gene.upper() for gene in query})
    if alike > 0.1 * min(len(genes), len(query)):
        what = (
            f"{alike:,} names match if letter case is ignored: rename the genes of X or, if it is of another "
        )
        return ArgumentError("X", problem, what, "species, name that with ", Argument("organism"), ".")
    rename = f"Rename the genes of X to {ours}"
    if var is None:
        return ArgumentError("X", problem, f"{rename}.")
    choose = ", or choose the column of .var that has them with "
    return ArgumentError("X", problem, rename, choose, Argument("gene_column"), ".")


def _other_species(genes: Sequence[str], query: Sequence[str]) -> tuple[str | Argument, ...]:
    """Say, as parts of a message, that the genes of X are evidently of another species; nothing if not."""
    ours, theirs = organism_of_genes(genes), organism_of_genes(query)
    if ours is None or theirs is None or ours == theirs:
        return ()
    text = f"X looks like cells of {theirs}, the model like one of {ours}: predict and annotate map genes to "
    return (text, "orthologs with ", Argument("organism", theirs.common_names[0]), ".")


def _best_column(genes: tuple[str, ...], var: pd.DataFrame | None) -> tuple[str | None, float]:
    """Return the column of var (None: its index) with most of the genes, and the fraction that it has."""
    if var is None:
        return None, 0.0
    shares: dict[str | None, float] = {}
    for column in [None, *(c for c in var if var[c].dtype.kind == "O")]:
        names = dict.fromkeys(map(str, var.index if column is None else var[column]))
        shares[column] = np.count_nonzero(match_names(genes, tuple(names)) >= 0) / len(genes)
    best = max(shares, key=lambda column: shares[column])
    return best, shares[best]
