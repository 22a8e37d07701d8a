"""`CellAnnotator`: what a fitted classifier says of cells, and why."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from gene_gcn import __version__
from gene_gcn.cells import Normalizer, as_cells, is_anndata, read_labels, stays_on_disk, to_same_kind
from gene_gcn.cells.keys import check_key
from gene_gcn.errors import Argument, ArgumentError, LabelWarning, ShiftWarning, first_few, warn
from gene_gcn.estimators.annotation import Annotation
from gene_gcn.estimators.base import CellEstimator, Query
from gene_gcn.estimators.consensus import Clusters, Neighbors, find_clusters, read_over
from gene_gcn.estimators.fitted import GradientModel, LinearModel
from gene_gcn.estimators.hierarchy import Placement
from gene_gcn.estimators.other_species import OtherSpecies
from gene_gcn.estimators.query_run import describe_run, matrix_digest, model_digest
from gene_gcn.estimators.query_view import QueryView
from gene_gcn.estimators.stored_query import Blocks, StoredQuery, StoredView
from gene_gcn.networks import GeneMatch, GeneNetwork
from gene_gcn.ontology import Hierarchy
from gene_gcn.storage.partial_results import PartialResults
from gene_gcn.training.device import choose_device
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.uncertainty import QueryShift, class_p_values, type_fractions, uncertified_types

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn.estimators.base import CellsLike
    from gene_gcn.orthologs.match import OrthologsLike


class CellAnnotator(ClassifierMixin, CellEstimator):
    """A fitted classifier, as those see it who annotate cells.

    `GeneGCNClassifier` adds its parameters, `fit`, `save` and `load`, and documents the attributes.
    """

    organism: str | int | None
    device: str
    verbose: bool
    classes_: np.ndarray
    prior_: np.ndarray
    normalizer_: Normalizer
    network_: GeneNetwork | None
    gene_match_: GeneMatch | None
    fitted_: LinearModel | GradientModel
    imputer_: PPCAImputer | None
    hierarchy_: Hierarchy | None = None
    history_: pd.DataFrame
    batches_: tuple[str, ...]

    @property
    def judges_novelty(self) -> bool:
        """Whether the fitted model has what `novelty` needs: an exact fit to genes with names."""
        check_is_fitted(self)
        return isinstance(self.fitted_, LinearModel) and self.imputer_ is not None

    # ---- annotating ----

    def predict_proba(
        self,
        X: CellsLike,
        level: str | None = None,
        *,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
    ) -> np.ndarray:
        """Return the probability of each type.

        A cell that expresses none of the model's genes gets `prior_`, and one that expresses very few is
        drawn towards it; EmptyCellsWarning says how many.

        Parameters
        ----------
        X : AnnData, DataFrame, sparse matrix or array, shape (B, any number of genes)
            Genes are matched by name in any order; missing ones are imputed (see `missing_genes`), with a
            warning. Without names the columns must be those of the training set.
        level : str, optional
            A level of the hierarchy, such as the column of coarse labels that `fit` was given: probabilities
            are summed over the types of each coarse one.
        organism : str or int, optional
            Name or taxonomy id of the species of X, if it is not that of the training cells: genes of the
            model then get the sum of their orthologs (docs/guide/species.md).
        orthologs : DataFrame, path, "hcop" or "string", optional
            A table with a pair of orthologs in each row, see `gene_gcn.orthologs.read_orthologs`. By default
            "hcop", which is downloaded once; "string" also pairs genes without orthologs by their places in
            STRING's networks. With a table, `organism` may be left out.

        Returns
        -------
        ndarray of float32, shape (B, K)
            Columns in the order of `classes_`; with `level`, in that of ``hierarchy_.at_level(level)``.

        Raises
        ------
        ArgumentError
            X cannot be read, or shares too few genes with the training set; there is no such level; the
            species is unknown or has no orthologs.
        """
        if level is None:
            return self._probability(self._of_species(X, organism, orthologs))
        hierarchy = self._require_hierarchy("level", level)
        hierarchy.at_level(level)  # refuses what is none, before anything takes long
        return hierarchy.sum_to_level(self._probability(self._of_species(X, organism, orthologs)), level)

    def _probability(self, X: Any) -> np.ndarray:
        if self._stays_on_disk(X):
            return self._annotation_from_disk(X, None).probability
        query = self._read_query(X, "their confidence is lowered")
        return query.evidence.shrink(self._logits(query).softmax(1).numpy(), self.prior_)

    def _require_hierarchy(self, argument: str, value: Any) -> Hierarchy:
        check_is_fitted(self)
        if self.hierarchy_ is None:
            text = (
                " needs a hierarchy, which the model lacks; fit it with columns from coarse to fine or with "
            )
            raise ArgumentError(argument, Argument(argument, value), text, Argument("parents"), ".")
        return self.hierarchy_

    def _logits(self, query: Query) -> torch.Tensor:
        """Return the logits (B, K) of cells, each on its own."""
        logits = torch.empty(query.matrix.shape[0], len(self.classes_))
        for cells, genes in query.panels:
            part = query.matrix if len(cells) == len(logits) else query.matrix[cells]
            measured = None if genes.all() else torch.from_numpy(genes)
            logits[torch.from_numpy(cells)] = self.fitted_.logits(part, measured, self.device)
        return logits

    def predict(
        self,
        X: CellsLike,
        level: str | None = None,
        *,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
    ) -> np.ndarray:
        """Return the most probable type of each cell, shape (B,), in the dtype of the labels.

        Parameters
        ----------
        X, level, organism, orthologs
            As in `predict_proba`, and with its errors. Labels of a level are text.
        """
        best = self.predict_proba(X, level, organism=organism, orthologs=orthologs).argmax(1)
        if level is None:
            return self.classes_[best]
        names, _ = self._require_hierarchy("level", level).at_level(level)
        return np.array(names, dtype=object)[best]

    def score(
        self,
        X: CellsLike,
        y: str | Sequence[Any],
        sample_weight: np.ndarray | None = None,
        *,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
    ) -> float:
        """Return the accuracy on labeled cells, from 0 to 1.

        Numbers are compared by value, also with numerals: 0.0 equals 0 and "0".

        Parameters
        ----------
        X
            As in `predict_proba`, and with its errors.
        y : str or array-like, shape (B,)
            The name of a column of `X.obs`, or the labels.
        sample_weight : ndarray, shape (B,), optional
            Weight of each cell; by default all count the same.
        organism, orthologs
            As in `predict_proba`.
        """
        X = as_cells(X, [y] if isinstance(y, str) else ())
        predicted = self.predict(X, organism=organism, orthologs=orthologs)
        true, predicted = to_same_kind(read_labels(X, y), predicted)
        return float(accuracy_score(true, predicted, sample_weight=sample_weight))

    def predict_set(
        self,
        X: CellsLike,
        alpha: float = 0.1,
        *,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
    ) -> np.ndarray:
        """Return the types that each cell may have: conformal sets, for each type on its own.

        The set of a cell holds its type with probability ``1 − alpha`` or more, whichever type that is, if
        the cell is drawn like the training cells of the type. Cells of another laboratory are not: there the
        promise is void. A set may be empty, for a cell unlike all types, or hold several types.

        Parameters
        ----------
        X
            As in `predict_proba`, and with its errors.
        alpha : float
            Probability that the type of a cell is missing, between 0 and 1.
        organism, orthologs
            As in `predict_proba`.

        Returns
        -------
        ndarray of bool, shape (B, K)
            Columns in the order of `classes_`. LabelWarning names types with too few training cells to be
            left out of any set; ShiftWarning says that the query is shifted, see `annotate`.
        """
        self._check_alpha(alpha)
        X = self._of_species(X, organism, orthologs)
        if self._stays_on_disk(X):
            sets = self._annotation_from_disk(X, None, alpha=alpha).sets
            assert sets is not None  # as alpha is given
            return sets
        query = self._read_query(X, "their sets hold more types")
        if self._can_be_shifted(query):
            _warn_of_lost_coverage(self._view(query).shift)
        return self._sets(self._logits(query), alpha)

    def novelty(
        self, X: CellsLike, *, organism: str | int | None = None, orthologs: OrthologsLike = None
    ) -> np.ndarray:
        """Return how well each cell agrees with the types that the classifier knows.

        Cells are judged as one query: each with its nearest neighbors, after the shift of the query is
        removed (see `annotate`), and around its bulk, which is taken to be known. A query most of whose cells
        are of no known type is therefore misjudged.

        Parameters
        ----------
        X, organism, orthologs
            As in `predict_proba`, and with its errors.

        Returns
        -------
        ndarray, shape (B,)
            p-values, small for cells of none of the types.

        Raises
        ------
        ArgumentError
            The model was trained by gradients, without `missing_genes="impute"`, or without names of genes.
        """
        X = self._of_species(X, organism, orthologs)
        if self._stays_on_disk(X):
            novelty = self._annotation_from_disk(X, None, unknown=True).novelty
            assert novelty is not None  # as it is asked for
            return novelty
        query = self._read_query(X, "they look like any type")
        return self._view(query).novelty() if query.matrix.shape[0] else np.empty(0)

    def abundance(
        self,
        X: CellsLike,
        level: float = 0.95,
        *,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
    ) -> pd.DataFrame:
        """Estimate the fractions of the types in a sample.

        Counting names overstates types with which others are confused. Here the fractions are chosen under
        which the probabilities of all cells are most likely (Saerens et al. 2002,
        doi:10.1162/089976602753284446).

        Parameters
        ----------
        X
            The cells of one sample, as in `predict_proba`, and with its errors.
        level : float
            Of the intervals, over bootstrap samples of the cells.
        organism, orthologs
            As in `predict_proba`.

        Returns
        -------
        DataFrame
            A row per type: "fraction", "lower", "upper", and "counted", the share of cells with that name.
        """
        if not 0 < level < 1:
            raise ArgumentError("level", Argument("level", level), " must be between 0 and 1, such as 0.95.")
        annotation = self._annotation(self._of_species(X, organism, orthologs), "auto")
        probability = annotation.probability[~annotation.empty]
        if not len(probability):
            raise ArgumentError("X", "X has no cells with expression of which to estimate fractions.")
        fractions, lower, upper = type_fractions(probability, self.prior_, level=level)
        counted = np.bincount(probability.argmax(1), minlength=len(self.classes_)) / len(probability)
        columns = {"fraction": fractions, "lower": lower, "upper": upper, "counted": counted}
        return pd.DataFrame(columns, index=pd.Index(self.classes_, name="type"))

    def annotate(
        self,
        adata: AnnData,
        key_added: str = "gene_gcn",
        *,
        X: CellsLike | None = None,
        adapt: Literal["auto"] | None = "auto",
        unknown: bool = False,
        alpha: float | None = None,
        over: str | None = None,
        backoff: bool | float = False,
        organism: str | int | None = None,
        orthologs: OrthologsLike = None,
        checkpoint: str | Path | None = None,
    ) -> None:
        """Write the types of an AnnData's cells into it.

        Writes `obs[key_added]` (categorical), `obs[key_added + "_confidence"]` (probability of that type),
        `obsm[key_added + "_proba"]` (DataFrame of all types) and `uns[key_added]` (how they were made). With
        `unknown`, `obs[key_added + "_novelty"]` has the p-values of `novelty`; with `alpha`,
        `obsm[key_added + "_set"]` has the sets of `predict_set` (DataFrame of bool).

        With `over`, cells agree with their cluster or their neighbors (`gene_gcn.uncertainty.consensus`), and
        the columns above have the result. `obs[key_added + "_cell"]` and `..."_cell_confidence"]` keep the
        type and the confidence of each cell alone. `obs[key_added + "_cluster_share"]`, or
        `..."_neighbor_share"]`, has the fraction of the cluster or of the neighbors that has the type of the
        cell, and `uns[key_added]["clusters"]` a row per cluster: "cells", "type" (the most frequent),
        "share" (the fraction that has it), "share_before" (that had it alone), "entropy" (of the types, in
        bits) and "heterogeneous" (a share below 0.7). `uns[key_added]["over"]` names the clusters or the
        graph. Sets and novelty are those of each cell alone.

        With a hierarchy, `obs[key_added + "_level_" + level]` has the most probable label of each level, and,
        with `alpha`, `obs[key_added + "_set_nodes"]` the nodes that stand for the set of a cell, joined by
        "|". If the hierarchy has ids, `obs["cell_type_ontology_term_id"]` has that of `obs[key_added]`, or
        "unknown", as CELLxGENE demands; a column of this name that others wrote is kept, and the ids are in
        `obs[key_added + "_ontology_term_id"]`. With `backoff`, `obs[key_added]` and its confidence are those
        of nodes, and `obs[key_added + "_type"]` has the most probable types.

        Cells that express none of the model's genes are "unassigned"; where types are numbers, their type is
        missing. Columns of the DataFrames are named after the types, except that "|" stands for "/", which
        .h5ad files cannot hold in names; `uns[key_added]["types"]` has the types as they are, in the order of
        the columns.

        Parameters
        ----------
        adata : AnnData
        key_added : str
            Without "/".
        X : path or other cells on disk, optional
            The cells of `adata`, where it has no matrix itself. By default its own, which may be backed: they
            are then read block by block (`gene_gcn.cells.open_cells`).
        adapt : {"auto", None}
            "auto" looks at the query as a whole, and removes what all its types have in common that differs
            from the training cells, as between laboratories (`gene_gcn.uncertainty.adapt_to_query`).
            `uns[key_added]["shift"]` has its size. Where that is no larger than between cells of one data
            set, or cannot be told, and with None, types are those of `predict`.
        unknown : bool
            Call cells whose novelty is below 0.01 "unknown".
        alpha : float, optional
            Probability that the set of a cell lacks its type.
        over : str, optional
            What to agree over: a column of `obs` with the cluster of each cell, such as "leiden"; a graph in
            `obsp`, such as "spatial_connectivities" or "connectivities"; or, if neither has such a name,
            "clusters": Leiden clusters of the cells in the model's components, after the shift is removed,
            written into `obs[key_added + "_cluster"]`. These need an exact fit, names of genes, and the extra
            `clusters`. "unknown" and "unassigned" cells stay so and do not vote; cells without a cluster or
            neighbors keep their type.
        backoff : bool or float
            Call a cell by the deepest node above its most probable type whose summed probability is this
            or more (`gene_gcn.ontology.back_off`). True chooses the threshold on held-out cells such that
            95 % of cells like them are of the node that they are called by.
        organism, orthologs
            As in `predict_proba`, if the cells are of another species.
        checkpoint : path, optional
            Folder for the results of each block of cells that stay on disk in files. If `annotate` is killed,
            the same call goes on from there and gives what it would have given, to the bit. The folder stays
            until you delete it, as the AnnData is not saved yet.

        Raises
        ------
        ArgumentError
            `adata` is not an AnnData, `key_added` cannot be written to files, `adapt`, `alpha` or `over` are
            out of range, or as in `predict_proba` and `novelty`; `checkpoint` holds results of another model,
            other files or other options, or the cells are in memory.
        """
        if not is_anndata(adata):
            kind = type(adata).__name__
            raise ArgumentError(
                "adata", f"annotate takes an AnnData, but adata is a {kind}; use predict instead."
            )
        check_key(key_added)
        if adapt not in ("auto", None):
            raise ArgumentError("adapt", Argument("adapt", adapt), " must be 'auto' or None.")
        if alpha is not None:
            self._check_alpha(alpha)
        check_is_fitted(self)
        placement = self._placement(backoff)
        groups = None if over is None else self._read_over(adata, over, key_added)
        source = self.network_.source if self.network_ is not None else None
        origin = {
            "version": __version__,
            "normalization": self.normalizer_.method,
            "network": str(source or self.network_ or "none"),
        } | ({} if alpha is None else {"alpha": float(alpha)})
        if over is not None:
            origin["over"] = over if groups is not None else f"{key_added}_cluster"
        cells = self._of_species(adata if X is None else X, organism, orthologs)
        if isinstance(cells, OtherSpecies):
            origin["organism"] = cells.name
        if checkpoint is None:
            annotation = self._annotation(cells, adapt, unknown, alpha, over, groups)
        else:
            if not self._stays_on_disk(cells):
                problem = " is used for cells that stay on disk, but these are in memory; leave it out."
                raise ArgumentError("checkpoint", Argument("checkpoint", str(checkpoint)), problem)
            annotation = self._annotation_from_disk(cells, adapt, unknown, alpha, over, groups, checkpoint)
        if len(annotation.probability) != adata.n_obs:
            text = f" has {len(annotation.probability):,} cells, but adata has {adata.n_obs:,}."
            raise ArgumentError("X", Argument("X"), text)
        replace(annotation, placement=placement).write(adata, key_added, origin)

    def _placement(self, backoff: bool | float) -> Placement | None:
        if not isinstance(backoff, (bool, int, float, np.floating)) or not 0 <= backoff <= 1:
            text = " must be True, or from 0 to 1, such as 0.9."
            raise ArgumentError("backoff", Argument("backoff", backoff), text)
        if backoff is not False:
            self._require_hierarchy("backoff", backoff)
        if self.hierarchy_ is None:
            return None
        held_out = None
        if backoff is True and isinstance(self.fitted_, LinearModel):
            cells = self.fitted_.reference.held_out
            held_out = torch.from_numpy(cells.logits).softmax(1).numpy(), cells.types
        return Placement.of(self.hierarchy_, backoff, held_out)

    def _read_over(self, adata: AnnData, over: str, key_added: str) -> Clusters | Neighbors | None:
        if over in (key_added, f"{key_added}_cell"):
            problem = " holds types that would be replaced; copy the column, or choose another "
            raise ArgumentError("over", Argument("over", over), problem, Argument("key_added"), ".")
        groups = read_over(adata, over)
        if groups is None and not self.judges_novelty:
            needed = " needs a model that was fitted exactly, to genes with names and with "
            remedy = "; name a column of .obs that holds clusters instead."
            impute = Argument("missing_genes", "impute")
            raise ArgumentError("over", Argument("over", over), needed, impute, remedy)
        return groups

    def _annotation(
        self,
        X: CellsLike,
        adapt: str | None,
        unknown: bool = False,
        alpha: float | None = None,
        over: str | None = None,
        groups: Clusters | Neighbors | None = None,
    ) -> Annotation:
        if self._stays_on_disk(X):
            return self._annotation_from_disk(X, adapt, unknown, alpha, over, groups)
        query = self._read_query(X, "their confidence is lowered")
        view = None
        if ((unknown or (over and groups is None)) and query.matrix.shape[0]) or (
            (adapt or alpha is not None) and self._can_be_shifted(query)
        ):
            view = self._view(query)
        if view is not None and adapt and view.shift.is_removed:
            probability, logits = view.probability, torch.from_numpy(view.logits)
        else:
            logits = self._logits(query)
            probability = logits.softmax(1).numpy()
        if alpha is not None and view is not None:
            _warn_of_lost_coverage(view.shift)
        annotation = Annotation(
            self.classes_,
            query.evidence.shrink(probability, self.prior_),
            query.evidence.is_empty,
            None if view is None or not adapt else view.shift,
            view.novelty() if view is not None and unknown else None,
            None if alpha is None else self._sets(logits, alpha),
        )
        if over is not None and groups is None:
            groups = find_clusters(np.empty((0, 0)) if view is None else view.components("clustering"))
        return annotation if groups is None else annotation.with_consensus(groups)

    def _of_species(self, X: Any, organism: str | int | None, orthologs: OrthologsLike) -> Any:
        check_is_fitted(self)
        return OtherSpecies.of(X, organism, orthologs, self.organism, self.genes_)

    def _stays_on_disk(self, X: Any) -> bool:
        check_is_fitted(self)
        cells = X.cells if isinstance(X, OtherSpecies) else X
        return stays_on_disk(cells, self.layer, self.use_raw)

    def _annotation_from_disk(
        self,
        X: Any,
        adapt: str | None,
        unknown: bool = False,
        alpha: float | None = None,
        over: str | None = None,
        groups: Clusters | Neighbors | None = None,
        checkpoint: str | Path | None = None,
    ) -> Annotation:
        """Annotate cells block by block; their shift is estimated from a sample of them."""
        query = StoredQuery.open(X, self.normalizer_, self._how_to_read(), progress=bool(self.verbose))
        purpose = "novelty" if unknown else "clustering" if over and groups is None else ""
        with ExitStack() as stack:
            blocks: Blocks = {}
            if checkpoint is not None:
                options = {"adapt": adapt, "unknown": unknown, "alpha": alpha, "over": over}
                options |= {"device": str(choose_device(self.device)), **self._how_to_read()}
                if query.to_model is not None:
                    options["orthologs"] = matrix_digest(query.to_model)
                run = describe_run(query.cells, self._digest(), options)
                blocks = stack.enter_context(PartialResults.open(checkpoint, run))
            sample = query.sample() if purpose or adapt or alpha is not None else None
            view = None
            if sample is not None and (purpose or self._can_be_shifted(sample)):
                view = self._view(sample)
            if view is not None and alpha is not None:
                _warn_of_lost_coverage(view.shift)
            seen = StoredView.of(
                query,
                view,
                self._logits,
                adapts=adapt is not None,
                keeps_logits=unknown or alpha is not None,
                components_for=purpose,
                consequence="their confidence is lowered",
                blocks=blocks,
            )
        annotation = Annotation(
            self.classes_,
            seen.evidence.shrink(seen.probability, self.prior_),
            seen.evidence.is_empty,
            seen.shift,
            seen.novelty(view.model.reference.held_out) if unknown and view is not None else None,
            None
            if alpha is None or seen.logits is None
            else self._sets(torch.from_numpy(seen.logits), alpha),
        )
        if over is not None and groups is None:
            groups = find_clusters(np.empty((0, 0)) if seen.components is None else seen.components)
        return annotation if groups is None else annotation.with_consensus(groups)

    def _digest(self) -> str:
        parts = self.fitted_, self.imputer_, self.network_
        return model_digest(self.classes_, self.prior_, self.normalizer_, *parts)

    def _can_be_shifted(self, query: Query) -> bool:
        """Return whether the shift of a query can be told: of an exact fit, for normalized expression."""
        is_exact = isinstance(self.fitted_, LinearModel)
        return is_exact and query.matrix.shape[0] > 0 and self.normalizer_.method != "none"

    def _view(self, query: Query) -> QueryView:
        if not isinstance(self.fitted_, LinearModel):
            self._refuse("optimizer", "trains by gradients, but novelty needs the exact fit: use 'lbfgs'")
        return QueryView.of(query, self.fitted_, can_shift=self._can_be_shifted(query))

    def _sets(self, logits: torch.Tensor, alpha: float) -> np.ndarray:
        assert isinstance(self.fitted_, LinearModel)  # as _check_alpha saw
        held_out = self.fitted_.reference.held_out
        known = torch.from_numpy(held_out.logits).softmax(1).numpy()
        uncertified = self.classes_[uncertified_types(held_out.types, len(self.classes_), alpha)]
        if len(uncertified):
            names = first_few(uncertified, 5)
            what = f"{len(uncertified):,} types have fewer than {1 / alpha - 1:.3g} held-out cells ({names})"
            warn(LabelWarning(f"{what}, so every set holds them; use a larger ", Argument("alpha"), "."))
        return class_p_values(logits.softmax(1).numpy(), known, held_out.types) > alpha

    def _check_alpha(self, alpha: float) -> None:
        check_is_fitted(self)
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float, np.floating)) or not 0 < alpha < 1:
            raise ArgumentError("alpha", Argument("alpha", alpha), " must be between 0 and 1, such as 0.1.")
        if not isinstance(self.fitted_, LinearModel):
            self._refuse("optimizer", "trains by gradients, but sets need the exact fit: use 'lbfgs'")


def _warn_of_lost_coverage(shift: QueryShift) -> None:
    if shift.is_removed:
        what = (
            f"X is shifted by {shift.size:.2f} from the training cells, as cells from another laboratory are"
        )
        consequence = "the sets miss the true type more often than "
        warn(ShiftWarning(f"{what}; {consequence}", Argument("alpha"), " states."))
