"""`CombinableClassifier`: models that are merged, grown and cut without the cells they were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from gene_gcn.cells import as_cells, read_labels
from gene_gcn.errors import Argument, ArgumentError, first_few
from gene_gcn.estimators.explainer import CellExplainer
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.estimators.merging import ModelParts, add_cells, merge, take_types, without_batch

if TYPE_CHECKING:
    from gene_gcn.estimators.base import CellsLike
    from gene_gcn.estimators.classifier import GeneGCNClassifier

__all__ = ["CombinableClassifier", "merge_models"]


class CombinableClassifier(CellExplainer):
    """What makes models of models: `merge`, `subset`, `add` and `forget`, from the sums that models keep."""

    network: Any
    class_weight: Any
    missing_genes: str

    def merge(self, other: CombinableClassifier) -> Self:
        """Return a model of the cells of this one and of another; see `gene_gcn.merge_models`.

        Parameters
        ----------
        other : GeneGCNClassifier
            Fitted.

        Raises
        ------
        ArgumentError
            `other` is not a fitted classifier, or as in `gene_gcn.merge_models`.
        """
        if not isinstance(other, CombinableClassifier):
            problem = f" must be a fitted GeneGCNClassifier; it is a {type(other).__name__}."
            raise ArgumentError("other", Argument("other"), problem)
        return self._of_parts(merge(self._parts("self"), other._parts("other"), self._seed()))

    def subset(self, types: Sequence[Any]) -> Self:
        """Return a model of some of the types.

        Its probabilities are those of this model, scaled to sum to 1 over these types.

        Parameters
        ----------
        types : sequence
            Two or more of `classes_`, in any order.

        Raises
        ------
        ArgumentError
            There are fewer than two types, or others than `classes_`; or as in `merge`.
        """
        return self._of_parts(take_types(self._parts("self"), types), network=True)

    def add(self, X: CellsLike, y: str | Sequence[Any]) -> Self:
        """Return a model of the cells of this one and further ones, which may be of new types.

        Cells are normalized as queries are; genes that they lack are refused, as their sums would be wrong.
        Types without a new cell keep what is known of them. The head is fitted again, to cells drawn from the
        sums of all cells (docs/guide/merging.md).

        Parameters
        ----------
        X
            As in `predict`, with all genes of the model.
        y : str or array-like, shape (B,)
            The name of a column of `X.obs`, or the labels.
        """
        parts = self._parts("self")
        X = as_cells(X, [y] if isinstance(y, str) else ())
        labels = read_labels(X, y)
        query = self._read_query(X, "little is learned from them")
        absent = np.count_nonzero(~query.measured)
        if absent:
            problem = f"X lacks {absent:,} of the model's genes; fit a model to X, and use merge."
            raise ArgumentError("X", problem)
        return self._of_parts(add_cells(parts, query.matrix, labels, self._seed()))

    def forget(self, batch: str) -> Self:
        """Return a model without the cells of a batch, such as a donor who withdraws.

        Its sums are those of the other cells alone, and its head is fitted to cells drawn from them. What is
        left of the forgotten cells is their part in the normalization: the median depth of the training
        cells, and the mean fraction of each gene in them.

        Parameters
        ----------
        batch : str
            One of `batches_`: `fit` was given batches, at most 16.

        Raises
        ------
        ArgumentError
            There is no such batch, or fewer than two types remain; or as in `merge`.
        """
        parts = self._parts("self")
        if batch not in self.batches_:
            known = first_few(self.batches_) or "none"
            problem = f" is not among the batches that the model keeps apart: {known}."
            raise ArgumentError("batch", Argument("batch", batch), problem)
        index = self.batches_.index(batch)
        new = self._of_parts(without_batch(parts, index, self._seed()))
        new.batches_ = (*self.batches_[:index], *self.batches_[index + 1 :])
        return new

    def _parts(self, argument: str) -> ModelParts:
        check_is_fitted(self)
        if not isinstance(self.fitted_, LinearModel) or self.fitted_.imputer is None:
            problem = (
                "The model keeps no sums of its cells: it was trained by gradients, or without gene names"
            )
            raise ArgumentError(argument, f"{problem} or imputation.")
        return ModelParts(
            self.classes_, self.prior_, self.normalizer_, self.fitted_, self.class_weight, self.missing_genes
        )

    def _of_parts(self, parts: ModelParts, network: bool = False) -> Self:
        new = self._unfitted_copy()
        if not network:
            new.network = None
        new.classes_, new.prior_, new.normalizer_ = parts.classes, parts.prior, parts.normalizer
        new.genes_, new.n_features_in_ = parts.normalizer.genes, parts.normalizer.n_genes
        new.network_, new.gene_match_ = (self.network_ if network else None), None
        new.fitted_, new.imputer_ = parts.model, parts.model.imputer
        new.history_ = self.history_ if parts.history is None else pd.DataFrame(parts.history)
        new.batches_ = self.batches_ if len(self.batches_) == len(parts.moments.counts) else ()
        return new


def merge_models(one: GeneGCNClassifier, other: GeneGCNClassifier) -> GeneGCNClassifier:
    """Merge two fitted classifiers, as of two laboratories, without their cells.

    Models keep sums of their cells. These are brought to one depth and added; for models of the same genes
    that is what normalizing and summing all cells together would give. The head is fitted to cells drawn from
    the sums, and averaged with both heads where these share two types or more (docs/guide/merging.md).
    Parameters are those of the first model, without its network.

    Parameters
    ----------
    one, other : GeneGCNClassifier
        Fitted exactly, to genes with names. They are merged on the genes that both have; types are those of
        either.

    Returns
    -------
    GeneGCNClassifier

    Raises
    ------
    ArgumentError
        A model keeps no sums, their normalization differs, or they have too few genes in common. A
        NetworkWarning says that networks are left out.
    """
    return one.merge(other)
