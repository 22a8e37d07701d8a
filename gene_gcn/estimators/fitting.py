"""From normalized cells to a fitted model, exactly or by gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.errors import Argument, NetworkWarning, warn
from gene_gcn.estimators.base import Query
from gene_gcn.estimators.fitted import GradientModel, LinearModel, groups_genes
from gene_gcn.estimators.model_settings import ModelSettings
from gene_gcn.estimators.reference import Reference
from gene_gcn.estimators.targets import Targets
from gene_gcn.estimators.validation_split import split_by_type
from gene_gcn.networks import GeneNetwork
from gene_gcn.training.device import choose_device
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.linear_head import Guess, fit_linear_head
from gene_gcn.training.options import TrainingOptions
from gene_gcn.training.reproducibility import exclusive
from gene_gcn.uncertainty import TypeProfiles, adapt_to_query


@dataclass(frozen=True, eq=False)
class TrainingCells:
    """What a model is fitted to.

    Attributes
    ----------
    X : csr_matrix of float32, shape (cells, N)
        Normalized expression.
    y : ndarray of int64, shape (cells,)
        Types, 0 to K − 1.
    batch : ndarray of int, shape (cells,), or None
        0 to L − 1.
    unlabeled : csr_matrix of float32, shape (other cells, N), or None
    class_weight : Tensor, shape (K,), or None
    num_classes : int
        K.
    network : GeneNetwork or None
        On the N genes.
    """

    X: sparse.csr_matrix
    y: np.ndarray
    batch: np.ndarray | None
    unlabeled: sparse.csr_matrix | None
    class_weight: Tensor | None
    num_classes: int
    network: GeneNetwork | None

    @classmethod
    def of(
        cls,
        matrix: sparse.csr_matrix,
        targets: Targets,
        batch: np.ndarray | None,
        others: Query | None,
        network: GeneNetwork | None,
    ) -> TrainingCells:
        """Take labeled cells from a matrix (B, N); those without a label join the `others`.

        Genes that were not measured in all of the others are zero in all cells, as zeros in the others alone
        would be taken for a difference between the types.
        """
        unlabeled = []
        if others is not None:
            measured = others.measured
            matrix, *unlabeled = (_keep_genes(part, measured) for part in (matrix, others.matrix))
        if not targets.is_labeled.all():
            unlabeled.append(matrix[~targets.is_labeled])
            matrix = matrix[targets.is_labeled]
            batch = None if batch is None else batch[targets.is_labeled]
        stacked = sparse.vstack(unlabeled, "csr") if unlabeled else None
        return cls(matrix, targets.y, batch, stacked, targets.class_weight, len(targets.classes), network)

    def all_cells(self) -> sparse.csr_matrix:
        return self.X if self.unlabeled is None else sparse.vstack([self.X, self.unlabeled], "csr")


def _keep_genes(X: sparse.csr_matrix, kept: np.ndarray) -> sparse.csr_matrix:
    """Set all genes to zero but those of a mask (N,)."""
    return X if kept.all() else sparse.csr_matrix(X @ sparse.diags_array(kept.astype(X.dtype)))


def fit_model(
    settings: ModelSettings,
    cells: TrainingCells,
    options: TrainingOptions,
    *,
    impute: bool,
    validation_fraction: float,
    threads: int,
    seed: int,
) -> tuple[LinearModel | GradientModel, list[dict[str, Any]]]:
    """Fit a model, exactly if its optimizer is "lbfgs"; return it with the history of losses."""
    device = choose_device(options.device)
    exactly = settings.chosen_optimizer == "lbfgs"
    with exclusive(1 if exactly else threads):  # an exact fit spreads its sparse products only
        imputer = PPCAImputer.fit(cells.all_cells(), device, seed) if impute else None
        if exactly:
            return fit_exactly(settings, cells, imputer, device=device, threads=threads, seed=seed)
        return fit_by_gradients(
            settings, cells, imputer, options=options, validation_fraction=validation_fraction, seed=seed
        )


def fit_exactly(
    settings: ModelSettings,
    cells: TrainingCells,
    imputer: PPCAImputer | None,
    *,
    device: torch.device,
    threads: int,
    seed: int,
) -> tuple[LinearModel, list[dict[str, Any]]]:
    """Fit a linear head; return it with the history of losses."""
    graph = settings.prepare_graph(cells.network)
    if graph is not None and cells.X.nnz and cells.X.data.min() < 0:
        problem = "X has negative values, for which the layer is not linear: the network is not used. Pass "
        warn(NetworkWarning(problem, Argument("optimizer", "sgd"), " to use it."))
        graph = None
    head, chosen, history = fit_linear_head(
        cells.X,
        cells.y,
        cells.num_classes,
        graph=graph,
        class_weight=cells.class_weight,
        batch=cells.batch,
        unlabeled=cells.unlabeled,
        guess=_guess_types(cells),
        device=device,
        threads=threads,
        seed=seed,
    )
    reference = Reference.of(cells.X, cells.y, cells.num_classes, imputer, chosen, cells.batch)
    return LinearModel(head, graph, imputer, settings.count_layers(cells.network) > 0, reference), history


def _guess_types(cells: TrainingCells) -> Guess | None:
    """Return how to name the unlabeled cells before labels spread: without their shift, if they have any."""
    X = cells.unlabeled
    if X is None or any(part.nnz and part.data.min() < 0 for part in (cells.X, X)):
        return None
    profiles = TypeProfiles.of(cells.X, cells.y, cells.num_classes, cells.batch)

    def guess(weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probability, shift = adapt_to_query(X, weight, bias, profiles)
        return probability, shift.genes

    return guess


def fit_by_gradients(
    settings: ModelSettings,
    cells: TrainingCells,
    imputer: PPCAImputer | None,
    *,
    options: TrainingOptions,
    validation_fraction: float,
    seed: int,
) -> tuple[GradientModel, list[dict[str, Any]]]:
    """Train a `GeneGCN`; return it with the history of its epochs."""
    from gene_gcn.training.data import CellDataset
    from gene_gcn.training.gradient import train

    model = settings.build(cells.X.shape[1], cells.num_classes, cells.network, seed)
    graph = settings.prepare_graph(cells.network)

    def dataset(X: sparse.csr_matrix, y: np.ndarray | None = None) -> CellDataset:
        return CellDataset(X, y, settings.channels, groups_genes(model))

    training, validation = split_by_type(cells.y, validation_fraction, seed)
    pretraining = None
    if cells.unlabeled is not None:
        pretraining = dataset(sparse.vstack([cells.X[training], cells.unlabeled], "csr"))
    history = train(
        model,
        dataset(cells.X[training], cells.y[training]),
        dataset(cells.X[validation], cells.y[validation]) if len(validation) else None,
        graph=graph,
        class_weight=cells.class_weight,
        pretraining=pretraining,
        options=options,
        seed=seed,
    )
    return GradientModel(model, graph, imputer), history
