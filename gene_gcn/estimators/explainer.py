"""`CellExplainer`: what can be asked about the types and genes of a fitted classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from gene_gcn.cells import as_cells, read_labels
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.estimators.annotator import CellAnnotator
from gene_gcn.estimators.explaining import (
    N_STEPS,
    ExplainedTypes,
    explain_by_gradients,
    explain_query,
    integrated_gradients,
    linear_logits,
    positions_of_labels,
)
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.estimators.panel import Panel, judge_panel
from gene_gcn.explain import Explanation, GradientExplanation, stable_markers, type_markers

if TYPE_CHECKING:
    from gene_gcn.estimators.base import CellsLike
    from gene_gcn.orthologs.match import OrthologsLike


class CellExplainer(CellAnnotator):
    """Explains why cells have their types, and what panels of genes can tell apart."""

    def explain(
        self,
        X: CellsLike,
        types: Any = None,
        against: Any = None,
        *,
        n_steps: int = N_STEPS,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
    ) -> Explanation | GradientExplanation:
        """Say what each gene, and each edge of the network, adds to the logits of cells.

        With the logits of the mean training cell, contributions sum to the logits whose softmax
        `predict_proba` returns, before cells with few genes are drawn towards the prior. Those of `annotate`
        differ where it removes the shift of a query. Contributions are exact for the default model; those of
        models trained by gradients are integrated gradients, computed when they are asked for.

        Parameters
        ----------
        X
            As in `predict_proba`, and with its errors.
        types : sequence of types, or one type, optional
            The types to explain; by default all.
        against : type, optional
            Explain by how much the logits of `types` exceed the logit of this type.
        n_steps : int
            Gradients on the path from the mean training cell to each cell; more make the gap between
            contributions and logits smaller. Not used for the default model.
        organism, orthologs
            As in `predict_proba`. Contributions are those of the model's genes.

        Returns
        -------
        gene_gcn.explain.Explanation or gene_gcn.explain.GradientExplanation
            The latter for models trained by gradients.

        Raises
        ------
        ArgumentError
            X has no cells, `types` and `against` are not different types of the model, or `n_steps` is not
            a positive number.
        """
        check_is_fitted(self)
        explained = ExplainedTypes.of(self.classes_.tolist(), types, against)
        if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
            problem = " must be a whole number of at least 1."
            raise ArgumentError("n_steps", Argument("n_steps", n_steps), problem)
        query = self._read_query(self._of_species(X, organism, orthologs), "their explanations say little")
        names = self._gene_names()
        if isinstance(self.fitted_, LinearModel):
            return explain_query(query, self.fitted_, explained, names, self.gene_column, self.network_)
        gradients = integrated_gradients(self.fitted_, n_steps, self.device)
        return explain_by_gradients(query, gradients, explained, names, self.gene_column)

    def explain_types(
        self,
        X: CellsLike | None = None,
        y: str | Sequence[Any] | None = None,
        *,
        top: int = 20,
        n_bootstraps: int = 100,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
    ) -> pd.DataFrame:
        """Return markers: the genes by which the model tells the mean cell of each type from other types.

        Without cells, types are compared by their mean training cells, which the model keeps. With cells, by
        the means of these: the training cells, for instance, or those of another laboratory. Their types are
        drawn again, cell by cell, `n_bootstraps` times, to find how stable the lists are. The model stays as
        it is.

        Parameters
        ----------
        X : optional
            Cells as in `predict_proba`, and with its errors. Only genes measured in all of them are listed.
        y : str or sequence, shape (B,), optional
            The types of X, or the column of `X.obs` that has them; cells without one are left out. By default
            those that `predict` gives.
        top : int
            Number of genes, at most, for each type and comparison.
        n_bootstraps : int
            Samples of the cells, drawn with `random_state`.
        organism, orthologs
            As in `predict_proba`.

        Returns
        -------
        DataFrame
            "type", "gene", "contribution" (to the difference of the logits), "mean_in_type" and
            "mean_in_others" (normalized expression); with cells, "fraction_in_type" and "fraction_in_others"
            of cells that express the gene, and "stability", the fraction of samples in which the gene is
            among the first `top`; "against": "others", or the nearest type.

        Raises
        ------
        ArgumentError
            The model was trained by gradients; `top` or `n_bootstraps` is not a positive number; y has types
            that the model does not know, or cells of fewer than two.

        See Also
        --------
        gene_gcn.explain.type_markers : how they are chosen.
        gene_gcn.explain.stable_markers : the same with cells.
        """
        check_is_fitted(self)
        if not isinstance(model := self.fitted_, LinearModel):
            self._refuse("optimizer", "trains by gradients: to list markers of types use 'lbfgs'")
        logits, names, classes = linear_logits(model), self._gene_names(), self.classes_.tolist()
        if X is None:
            if y is not None:
                text = " has the types of cells; pass these cells as "
                raise ArgumentError("y", Argument("y"), text, Argument("X"), ".")
            return type_markers(logits, model.reference.profiles.mean, names, classes, top)
        X = as_cells(X, [y] if isinstance(y, str) else ())
        query = self._read_query(self._of_species(X, organism, orthologs), "their markers say little")
        if y is None:
            of_cell = np.where(query.matrix.getnnz(axis=1) > 0, self._logits(query).argmax(1).numpy(), -1)
        else:
            of_cell = positions_of_labels(read_labels(X, y, allow_missing=True), self.classes_)
        matrix = query.matrix @ sparse.diags(query.measured.astype(np.float32))
        settings = {"n_bootstraps": n_bootstraps, "seed": self._seed()}
        return stable_markers(logits, matrix.tocsr(), of_cell, names, classes, top, **settings)

    # ---- panels of genes ----

    def panel(self, genes: Sequence[str], n_added: int = 10) -> Panel:
        """Say which types a panel of genes can and cannot tell apart, before cells are measured.

        From sums of the training cells that the model keeps (docs/guide/panels.md says how well this agrees
        with what is measured): cells of a type are taken to be Gaussian around its mean, as in the training
        cells, and are classified as `predict` would with these genes.

        Parameters
        ----------
        genes : sequence of str
            Names, as in `genes_`.
        n_added : int
            Genes to suggest that would tell the types apart best together with these.

        Returns
        -------
        Panel
            Print it, or read its tables.

        Raises
        ------
        ArgumentError
            The model was trained by gradients, has no names of genes, or knows none of these.
        """
        check_is_fitted(self)
        if not isinstance(model := self.fitted_, LinearModel):
            self._refuse("optimizer", "trains by gradients: to judge panels use 'lbfgs'")
        return judge_panel(model, self.normalizer_, self.classes_, genes, n_added)

    def _gene_names(self) -> tuple[str, ...]:
        """Return the names of the genes, or their positions if they have none."""
        return self.genes_ or tuple(map(str, range(self.n_features_in_)))
