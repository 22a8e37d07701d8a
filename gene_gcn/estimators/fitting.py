"""From normalized cells to a fitted model, exactly or by gradients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.special import softmax
from torch import Tensor

from gene_gcn.cells import NormalizedBlocks, Normalizer
from gene_gcn.errors import Argument, NetworkWarning, warn
from gene_gcn.estimators.fit_state import FitState
from gene_gcn.estimators.fitted import GradientModel, LinearModel, groups_genes
from gene_gcn.estimators.model_settings import ModelSettings
from gene_gcn.estimators.reference import Reference
from gene_gcn.estimators.targets import Targets
from gene_gcn.estimators.validation_split import split_by_type
from gene_gcn.networks import GeneNetwork
from gene_gcn.training.device import choose_device
from gene_gcn.training.distributed import same_everywhere
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.linear_head import Guess, fit_linear_head
from gene_gcn.training.operators import CellsInMemory, CellSource
from gene_gcn.training.options import LinearHeadOptions, TrainingOptions
from gene_gcn.training.panel_head import HeadRefit
from gene_gcn.training.reproducibility import exclusive
from gene_gcn.training.sampling import Sample, draw_sample
from gene_gcn.uncertainty import TypeProfiles, adapt_to_query


@dataclass(frozen=True, eq=False)
class TrainingCells:
    """What a model is fitted to.

    Attributes
    ----------
    X : csr_matrix of float32 or NormalizedBlocks, shape (cells, N)
        Normalized expression; blocks, which are on disk, are for the exact fit only.
    y : ndarray of int64, shape (cells,)
        Types, 0 to K − 1, of the cells of all processes.
    batch : ndarray of int, shape (cells,), or None
        0 to L − 1.
    own_unlabeled, others : csr_matrix of float32, shape (any number, N), or None
        Cells without a label: of the reference, and further ones, which may be shifted.
    class_weight : Tensor, shape (K,), or None
    num_classes : int
        K.
    network : GeneNetwork or None
        On the N genes.
    sample : Sample or None
        Some of the cells; None to draw them where there are many.
    """

    X: sparse.csr_matrix | NormalizedBlocks
    y: np.ndarray
    batch: np.ndarray | None
    own_unlabeled: sparse.csr_matrix | None
    others: sparse.csr_matrix | None
    class_weight: Tensor | None
    num_classes: int
    network: GeneNetwork | None
    sample: Sample | None = None

    @classmethod
    def of(
        cls,
        matrix: sparse.csr_matrix | NormalizedBlocks,
        targets: Targets,
        batch: np.ndarray | None,
        others: sparse.csr_matrix | None,
        network: GeneNetwork | None,
        sample: Sample | None = None,
    ) -> TrainingCells:
        """Take labeled cells, and those without a label, from a matrix (B, N), or labeled ones on disk."""
        own_unlabeled = None
        if not isinstance(matrix, NormalizedBlocks) and not targets.is_labeled.all():
            own_unlabeled, matrix = matrix[~targets.is_labeled], matrix[targets.is_labeled]
            batch = None if batch is None else batch[targets.is_labeled]
        types = len(targets.classes)
        return cls(
            matrix, targets.y, batch, own_unlabeled, others, targets.class_weight, types, network, sample
        )

    @property
    def unlabeled(self) -> sparse.csr_matrix | None:
        """All cells without a label, those of the reference first."""
        parts = [part for part in (self.own_unlabeled, self.others) if part is not None]
        return sparse.vstack(parts, "csr") if parts else None

    def all_cells(self) -> sparse.csr_matrix:
        parts = [part for part in (self.in_memory, self.own_unlabeled, self.others) if part is not None]
        return parts[0] if len(parts) == 1 else sparse.vstack(parts, "csr")

    @property
    def in_memory(self) -> sparse.csr_matrix:
        if not sparse.issparse(self.X):
            raise TypeError("These cells are on disk.")
        return self.X

    @property
    def source(self) -> CellSource:
        return CellsInMemory(self.X) if sparse.issparse(self.X) else self.X


def fit_model(
    settings: ModelSettings,
    cells: TrainingCells,
    options: TrainingOptions,
    *,
    impute: bool,
    can_shift: bool,
    validation_fraction: float,
    threads: int,
    seed: int,
    checkpoint: str | Path | None = None,
    state: FitState | None = None,
    refit: HeadRefit | None = None,
) -> tuple[LinearModel | GradientModel, list[dict[str, Any]]]:
    """Fit a model, exactly if its optimizer is "lbfgs"; return it with the history of losses.

    The shift of further cells is removed only if `can_shift`: values that are not normalized may differ in
    any way. Gradient training keeps its state in the folder `checkpoint`, a fit to cells on disk in `state`.
    With `refit`, the exact fit is fitted again to the genes that a query has.
    Processes that torchrun or SLURM started train one model.
    """
    device = choose_device(options.device)
    exactly = settings.chosen_optimizer == "lbfgs"
    if not exactly:
        from gene_gcn.training.ranks import join_processes, own_device

        join_processes(options.device)
        seed, device = same_everywhere(seed), own_device(options.device)
    with exclusive(1 if exactly else threads):  # an exact fit spreads its sparse products only
        if exactly:
            return fit_exactly(
                settings,
                cells,
                impute=impute,
                can_shift=can_shift,
                device=device,
                threads=threads,
                seed=seed,
                state=state,
                refit=refit,
            )
        imputer = PPCAImputer.fit(cells.all_cells(), device, seed) if impute else None
        return fit_by_gradients(
            settings,
            cells,
            imputer,
            options=options,
            validation_fraction=validation_fraction,
            seed=seed,
            checkpoint=checkpoint,
        )


def head_refit(missing_genes: str, prior: np.ndarray, normalizer: Normalizer) -> HeadRefit | None:
    """Return what refits heads, if that is how missing genes are handled."""
    return HeadRefit(prior, normalizer.method == "sqrt") if missing_genes == "refit" else None


def fit_exactly(
    settings: ModelSettings,
    cells: TrainingCells,
    *,
    impute: bool,
    can_shift: bool,
    device: torch.device,
    threads: int,
    seed: int,
    state: FitState | None = None,
    refit: HeadRefit | None = None,
) -> tuple[LinearModel, list[dict[str, Any]]]:
    """Fit a linear head; return it with the history of losses."""
    graph = settings.prepare_graph(cells.network)
    sample = cells.sample
    if sample is None and cells.unlabeled is None:
        sample = draw_sample(cells.source, cells.y, LinearHeadOptions().sample_cells, seed)
    seen = cells.all_cells() if sample is None else sample.X
    imputer = PPCAImputer.fit(seen, device, seed) if impute else None
    if graph is not None and seen.nnz and seen.data.min() < 0:
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
        shifted=0 if cells.others is None else cells.others.shape[0],
        guess=_guess_types(cells) if can_shift else None,
        sample=sample,
        state=state,
        device=device,
        threads=threads,
        seed=seed,
    )
    reference = Reference.of(cells.source, cells.y, cells.num_classes, imputer, chosen, cells.batch)
    has_layer = settings.count_layers(cells.network) > 0
    model = LinearModel(head, graph, imputer, has_layer, reference, refit)
    return model, history


def _guess_types(cells: TrainingCells) -> Guess | None:
    """Return how to classify the unlabeled cells before labels spread; further ones without their shift."""
    others, own = cells.others, cells.own_unlabeled
    if others is None:
        return None
    profiles = TypeProfiles.of(cells.in_memory, cells.y, cells.num_classes, cells.batch)

    def guess(weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probability, shift = adapt_to_query(others, weight, bias, profiles)
        if own is not None:
            probability = np.concatenate([softmax(own @ weight + bias, axis=1), probability])
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
    checkpoint: str | Path | None = None,
) -> tuple[GradientModel, list[dict[str, Any]]]:
    """Train a `GeneGCN`; return it with the history of its epochs."""
    from gene_gcn.training.data import CellDataset
    from gene_gcn.training.gradient import train

    X = cells.in_memory
    model = settings.build(X.shape[1], cells.num_classes, cells.network, seed)
    graph = settings.prepare_graph(cells.network)

    def dataset(X: sparse.csr_matrix, y: np.ndarray | None = None) -> CellDataset:
        return CellDataset(X, y, settings.channels, groups_genes(model))

    training, validation = split_by_type(cells.y, validation_fraction, seed)
    pretraining = None
    if cells.unlabeled is not None:
        pretraining = dataset(sparse.vstack([X[training], cells.unlabeled], "csr"))
    history = train(
        model,
        dataset(X[training], cells.y[training]),
        dataset(X[validation], cells.y[validation]) if len(validation) else None,
        graph=graph,
        class_weight=cells.class_weight,
        pretraining=pretraining,
        options=options,
        checkpoint=checkpoint,
        seed=seed,
    )
    mean = torch.from_numpy(np.asarray(cells.all_cells().mean(axis=0), np.float32).ravel())
    return GradientModel(model, graph, imputer, mean if imputer is None else imputer.mean), history
