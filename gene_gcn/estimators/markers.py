"""`MarkerClassifier`: a classifier that learns from marker genes instead of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells import as_cells, read_batches
from gene_gcn.cells.marker_lists import MarkerLists
from gene_gcn.errors import Argument, ArgumentError, LabelWarning, warn
from gene_gcn.estimators.classifier import GeneGCNClassifier
from gene_gcn.estimators.fitting import TrainingCells
from gene_gcn.estimators.targets import Targets
from gene_gcn.networks import resolve_network
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.marker_scores import MarkerOptions, MarkerScores, choose_seeds, score_types
from gene_gcn.training.options import LinearHeadOptions
from gene_gcn.training.reproducibility import exclusive

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from gene_gcn.estimators.base import CellsLike

    MarkersLike: TypeAlias = "MarkerLists | Mapping[str, Any] | pd.DataFrame | str | os.PathLike[str]"

__all__ = ["MarkerClassifier", "from_markers"]


def from_markers(markers: MarkersLike, network: Any = None, **parameters: Any) -> MarkerClassifier:
    """Return a classifier that learns from marker genes, without a labeled cell.

    Parameters
    ----------
    markers : dict, DataFrame or path
        Genes of each type, see `gene_gcn.cells.read_markers`. In a dict, a type has a list of genes, or
        ``{"positive": [...], "negative": [...]}``.
    network, **parameters
        Of `GeneGCNClassifier`.

    Returns
    -------
    MarkerClassifier
        Not fitted.

    Raises
    ------
    ArgumentError
        The markers cannot be read, or are of fewer than two types.
    FileNotFoundError
        The file does not exist.

    Examples
    --------
    >>> import scanpy as sc
    >>> import gene_gcn
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> markers = {"B": ["CD79A", "CD79B"], "NK": ["NKG7", "GNLY"], "Monocyte": ["LYZ", "CST3"]}
    >>> clf = gene_gcn.from_markers(markers, use_raw=True, random_state=0).fit(adata)
    >>> clf.classes_.tolist()
    ['B', 'Monocyte', 'NK']
    """
    return MarkerClassifier(MarkerLists.of(markers), network, **parameters)


class MarkerClassifier(GeneGCNClassifier):
    """A `GeneGCNClassifier` whose `fit` takes cells and marker genes instead of labels.

    Cells are scored by the markers of each type (`gene_gcn.training.marker_scores.score_types`). The half of
    each type's cells that fit it best become labels, the others stay unlabeled, and the classifier learns
    from both.

    Types whose markers do not occur together in cells are left out.

    Parameters
    ----------
    markers : MarkerLists, dict, DataFrame or path
        See `from_markers`.
    network, **parameters
        Of `GeneGCNClassifier`.

    Attributes
    ----------
    markers_ : DataFrame
        A row for each type: "type", "markers" (those among the genes), "agreement" (the second largest
        z-value of a marker in cells that the others give this type; NaN for types with one marker), "cells"
        (of this type in the end, of those that were learned from), "used" and "reason" if it was not.
    damping_ : float
        How far markers were spread along the network; 0 for not at all.
    """

    markers_: pd.DataFrame
    damping_: float

    def __init__(self, markers: MarkersLike, network: Any = None, **parameters: Any):
        super().__init__(network, **parameters)
        self.markers = markers

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return sorted([*GeneGCNClassifier._get_param_names(), "markers"])

    def fit(  # type: ignore[override]
        self, X: CellsLike, y: None = None, *, batch: str | Sequence[Any] | None = None
    ) -> MarkerClassifier:
        """Learn from cells without labels.

        Of more than 20,000 cells, as many are drawn at random; the classifier annotates any number.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix, array or path
            Expression, as in `GeneGCNClassifier`; genes must have names.
        y : None
            Not used: markers take the place of labels.
        batch : str or array-like, shape (B,), optional
            As in `GeneGCNClassifier`.

        Returns
        -------
        self

        Raises
        ------
        ArgumentError
            As in `GeneGCNClassifier`; markers of fewer than two types are among the genes, or occur together
            in cells.
        """
        if y is not None:
            problem = " has labels, but markers take their place; leave it out, or use GeneGCNClassifier."
            raise ArgumentError("y", Argument("y"), problem)
        self.check_parameters()
        markers = MarkerLists.of(self.markers)
        new = self._unfitted_copy()
        new._learn_from_markers(X, markers, batch)
        return self._take_over(new)

    def _learn_from_markers(self, X: CellsLike, markers: MarkerLists, batch: Any) -> None:
        X = as_cells(X, [batch] if isinstance(batch, str) else ())
        expression = self._read_training(X)
        if expression.genes is None:
            raise ArgumentError(
                "X", "X has no gene names, among which markers could be found; pass an AnnData."
            )
        markers, signs = markers.among(expression.genes)
        groups = None if batch is None else pd.factorize(read_batches(X, batch))[0]
        seed = self._seed()
        self.genes_ = expression.genes
        matrix = self._normalize_training(expression)
        rows = _rows_to_learn_from(matrix, seed)
        matrix, groups = matrix[rows], None if groups is None else groups[rows]
        self.network_, self.gene_match_ = resolve_network(
            self.network, expression.genes, organism=self.organism, cells=matrix
        )
        options = MarkerOptions()
        with exclusive():
            found = score_types(
                matrix, _codes(matrix, seed), signs, self._settings.prepare_graph(self.network_), options
            )
        used = found.evident(signs, options.evidence)
        self.damping_ = found.damping
        self.markers_ = _describe(markers, found, used)
        _refuse_fewer_than_two(self.markers_)
        types = np.array(markers.types, dtype=object)[used]
        self._learn_from_seeds(matrix, types, found.scores[:, used], groups, seed)

    def _learn_from_seeds(
        self,
        matrix: sparse.csr_matrix,
        types: np.ndarray,
        scores: np.ndarray,
        batch: np.ndarray | None,
        seed: int,
    ) -> None:
        """Learn from the cells that fit their types best, and from the others as cells without a label.

        Once only: taking the surest of what the classifier then says as labels again, until no cell changes
        its type, loses accuracy (docs/guide/markers.md).
        """
        seeds = choose_seeds(scores, MarkerOptions().seeds)
        labels = types[seeds]
        labels[seeds < 0] = None
        targets = Targets.of(labels, self.class_weight)
        self.classes_, self.prior_, self.batches_ = targets.classes, targets.prior, ()
        self._fit(TrainingCells.of(matrix, targets, batch, None, self.network_), seed)
        named = self.fitted_.logits(matrix, None, self.device).argmax(1).numpy()
        cells = pd.Series(self.classes_[named]).value_counts()
        self.markers_["cells"] = self.markers_["type"].map(cells).fillna(0).astype(int)
        _warn_of_unused(self.markers_)

    @classmethod
    def load(cls, path: str | Path) -> GeneGCNClassifier:
        """Read a classifier that `save` wrote, as a `GeneGCNClassifier`: markers are not kept.

        Parameters
        ----------
        path : path
            Folder that `save` wrote.

        Returns
        -------
        GeneGCNClassifier
            Fitted.
        """
        return GeneGCNClassifier.load(path)


def _rows_to_learn_from(matrix: sparse.csr_matrix, seed: int) -> np.ndarray:
    """Return the positions of cells that express a gene, of many cells a random sample."""
    rows = np.flatnonzero(matrix.getnnz(axis=1))
    most = LinearHeadOptions().sample_cells
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return rows


def _codes(matrix: sparse.csr_matrix, seed: int) -> np.ndarray:
    """Return the principal components (cells, R) in which neighbors are found."""
    imputer = PPCAImputer.fit(matrix, seed=seed)
    axes = imputer.axes.numpy()
    return matrix @ axes - imputer.mean.numpy() @ axes


def _describe(markers: MarkerLists, found: MarkerScores, used: np.ndarray) -> pd.DataFrame:
    positive = markers.table[markers.table["direction"] > 0]
    names = positive.groupby("type")["gene"].agg(", ".join).reindex(list(markers.types))
    cells = np.bincount(found.scores.argmax(1), minlength=len(used))
    reasons = np.where(cells == 0, "no cell fits it best", "its markers do not occur together")
    return pd.DataFrame(
        {
            "type": markers.types,
            "markers": names.to_numpy(),
            "agreement": found.second_agreement,
            "cells": cells,
            "used": used,
            "reason": np.where(used, "", reasons),
        }
    )


def _refuse_fewer_than_two(table: pd.DataFrame) -> None:
    if (count := int(table["used"].sum())) < 2:
        reasons = "; ".join(f"{row.type}: {row.reason}" for row in table[~table["used"]].itertuples())
        problem = f"cells give evidence of {count} of {len(table)} types, and two are needed ({reasons:.300})"
        raise ArgumentError("markers", f"{problem}. Check the genes, or add markers.")


def _warn_of_unused(table: pd.DataFrame) -> None:
    unused = table[~table["used"]]
    if len(unused):
        reasons = "; ".join(f"{row.type} ({row.reason})" for row in unused.itertuples())
        warn(LabelWarning(f"{len(unused)} of {len(table)} types are left out: {reasons}."))
