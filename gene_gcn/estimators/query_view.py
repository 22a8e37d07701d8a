"""A query as a linear model sees it: all its cells together, with the genes that they have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse
from scipy.special import softmax

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.estimators.base import Query
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.uncertainty import Adaptation, QueryShift, fit_adaptation, novelty_p_values

__all__ = ["QueryView"]


@dataclass(frozen=True, eq=False)
class QueryView:
    """The cells of a query, what a model says of them, and their shift.

    Attributes
    ----------
    X : csr_matrix, shape (B, genes)
        Normalized expression of the genes that the query has.
    present : ndarray of bool, shape (N,)
        These genes.
    model : LinearModel
    weight : ndarray, shape (genes, K)
    bias : ndarray, shape (K,)
        Of the logits of these genes, with the others imputed.
    probability : ndarray of float32, shape (B, K)
        Adapted to the query, if its shift is removed.
    logits : ndarray, shape (B, K)
        Without the shift.
    shift : QueryShift
    adaptation : Adaptation or None
        By which further cells of the query are classified; None where a shift cannot be told.
    """

    X: sparse.csr_matrix
    present: np.ndarray
    model: LinearModel
    weight: np.ndarray
    bias: np.ndarray
    probability: np.ndarray
    logits: np.ndarray
    shift: QueryShift
    adaptation: Adaptation | None

    @classmethod
    def of(cls, query: Query, model: LinearModel, *, can_shift: bool) -> QueryView:
        """Look at cells in the genes that were measured in all of them.

        Their shift is removed only if `can_shift`: values that are not normalized may differ in any way.
        """
        present = query.measured
        measured = None if present.all() else torch.from_numpy(present)
        # On cells of another laboratory, which the view is for, refitted heads gain nothing
        # (docs/guide/panels.md).
        weight, bias = (part.numpy() for part in model.imputed(measured))
        X = query.matrix if measured is None else query.matrix[:, present]
        weight, profiles = weight[present], model.reference.profiles.take(present)
        logits = X @ weight + bias
        adaptation = None
        if can_shift:
            adaptation, scores = fit_adaptation(X, logits, weight, profiles)
            probability, shift = adaptation.probability(scores), adaptation.shift
        else:
            probability, shift = softmax(logits, axis=1), QueryShift.none(X.shape[1])
        logits -= shift.genes @ weight
        return cls(X, present, model, weight, bias, probability, logits, shift, adaptation)

    def further(self, query: Query) -> QueryView:
        """Look at further cells of the query, from which the shift is removed that these cells have."""
        X = query.matrix if self.present.all() else query.matrix[:, self.present]
        logits = X @ self.weight + self.bias
        adaptation = self.adaptation
        probability = softmax(logits, axis=1) if adaptation is None else adaptation.classify(X, logits)
        logits -= self.shift.genes @ self.weight
        return replace(self, X=X, probability=probability, logits=logits)

    def novelty(self) -> np.ndarray:
        """Return the p-values (B,) of being of a type that the model knows.

        Raises
        ------
        ArgumentError
            The model has no imputer, or too few cells of a type.
        """
        held_out = self.model.reference.held_out
        components = self.components("novelty")
        if not len(held_out.types):
            problem = "novelty needs two types with two training cells each, from which to hold some out"
            raise ArgumentError("y", f"{problem}; fit with more cells.")
        return novelty_p_values(self.logits, components, held_out)

    def components(self, purpose: str) -> np.ndarray:
        """Return the components (B, R) of the cells on the axes of the imputer, without the shift.

        Genes that the query lacks are imputed. An error says that `purpose` needs them.

        Raises
        ------
        ArgumentError
            The model has no imputer.
        """
        imputer = self.model.imputer
        if imputer is None:
            wanted = Argument("missing_genes", "impute")
            problem = f"{purpose} needs a model that was fitted to genes with names and with "
            raise ArgumentError("missing_genes", problem, wanted, ".")
        if self.present.all():
            encoder = imputer.axes.numpy()
        else:
            encoder = imputer.encoder(torch.from_numpy(self.present)).numpy()[self.present]
        mean = imputer.mean.numpy()
        components = self.X @ encoder - (mean[self.present] + self.shift.genes) @ encoder
        return components + mean @ imputer.axes.numpy()
