"""Models made of models: of two, of some of the types, or with further cells, from sums that they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from scipy import sparse

from gene_gcn.cells import SMALLEST_OVERLAP, Normalizer, to_same_kind
from gene_gcn.errors import Argument, ArgumentError, NetworkWarning, first_few, warn
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.estimators.fitting import head_refit
from gene_gcn.estimators.reference import Reference
from gene_gcn.genes.names import match_names
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.linear_head import LinearHead, fit_linear_head
from gene_gcn.training.moments import TypeMoments
from gene_gcn.training.operators import CellsInMemory
from gene_gcn.training.panel_head import draw_training
from gene_gcn.uncertainty import HeldOutCells, TypeProfiles

__all__ = ["ModelParts", "add_cells", "merge", "take_types", "without_batch"]

OLD_HEADS = 0.75  # what the mean of the heads that are merged counts beside the head fitted to drawn cells


@dataclass(frozen=True, eq=False)
class ModelParts:
    """What an exact fit to genes with names consists of.

    Attributes
    ----------
    classes : ndarray, shape (K,)
    prior : ndarray, shape (K,)
    normalizer : Normalizer
    model : LinearModel
    class_weight : "balanced", None or dict of label to weight
    missing_genes : {"impute", "refit"}
    history : list of dict, or None
        Of the fit to drawn cells, if there was one.
    """

    classes: np.ndarray
    prior: np.ndarray
    normalizer: Normalizer
    model: LinearModel
    class_weight: Literal["balanced"] | Mapping[Any, float] | None
    missing_genes: str
    history: list[dict[str, Any]] | None = None

    @property
    def moments(self) -> TypeMoments:
        return self.model.reference.moments

    def on(self, genes: np.ndarray, normalizer: Normalizer) -> tuple[TypeMoments, LinearHead]:
        """Return the moments and the head for some genes (positions), at the depth of another normalizer.

        Square roots of expression are multiplied by the root of the ratio of both depths. With all genes this
        is what normalizing the cells again would give; with some of them it is so in the mean only.
        """
        present = torch.zeros(self.normalizer.n_genes, dtype=torch.bool)
        present[torch.from_numpy(genes)] = True
        weight, bias = self.model.imputed(None if bool(present.all()) else present)
        ratio = normalizer.target_sum / _depth_in(self.normalizer, genes)
        factor = float(np.sqrt(ratio)) if normalizer.method == "sqrt" else 1.0
        head = LinearHead(weight[torch.from_numpy(genes)] / factor, bias)
        return self.moments.take(genes).rescaled(factor), head


def merge(one: ModelParts, other: ModelParts, seed: int) -> ModelParts:
    """Merge two models on the genes that both have; see `gene_gcn.merge_models`."""
    _check_kind(one, other)
    genes, normalizer = _shared(one, other)
    same = to_same_kind(one.classes, other.classes)
    classes = np.unique(np.concatenate(same))
    parts = [part.on(own, normalizer) for part, own in zip((one, other), genes, strict=True)]
    numbers = [np.searchsorted(classes, own) for own in same]
    moments = [part.of_types(number, len(classes)) for (part, _), number in zip(parts, numbers, strict=True)]
    old = _joined_head([head for _, head in parts], numbers, [part.type_counts for part in moments])
    return _fit(moments[0] + moments[1], classes, normalizer, one, old, seed)


def add_cells(one: ModelParts, X: sparse.csr_matrix, labels: np.ndarray, seed: int) -> ModelParts:
    """Add cells X (cells, N), normalized as the model does, with their labels, which may be of new types."""
    known, given = to_same_kind(one.classes, labels)
    classes = np.unique(np.concatenate([known, given]))
    number = np.searchsorted(classes, given)
    axes = _imputer(one).axes.numpy()
    none = sparse.csr_matrix((len(number), 0), dtype=np.float32)
    added, _, _ = TypeMoments.of(CellsInMemory(X), number, len(classes), axes, None, none)
    moments = one.moments.of_types(np.searchsorted(classes, known), len(classes))
    old = LinearHead(*one.model.folded(None)) if len(classes) == len(known) else None
    return _fit(moments + added, classes, one.normalizer, one, old, seed)


def without_batch(one: ModelParts, batch: int, seed: int) -> ModelParts:
    """Leave out a batch, by its number, and the types that no other batch has."""
    moments = one.moments.without(batch)
    kept = moments.type_counts > 0
    if kept.sum() < 2:
        names = first_few(one.classes[kept].tolist()) or "none"
        raise ArgumentError("batch", f"Without that batch fewer than two types remain: {names}.")
    numbers = np.where(kept, np.cumsum(kept) - 1, -1)
    moments = moments.of_types(numbers, int(kept.sum()))
    return _fit(moments, one.classes[kept], one.normalizer, one, None, seed)


def take_types(one: ModelParts, types: Sequence[Any]) -> ModelParts:
    """Leave out all types but some: probabilities are those of the model, scaled to sum to 1."""
    wanted, known = to_same_kind(np.asarray(types), one.classes)
    kept = np.flatnonzero(np.isin(known, wanted))
    unknown = sorted(set(wanted.tolist()) - set(known.tolist()))
    if unknown:
        problem = f" holds types that the model does not know ({first_few(unknown)}); it knows "
        raise ArgumentError("types", Argument("types"), problem, f"{first_few(known.tolist())}.")
    if len(kept) < 2:
        raise ArgumentError("types", Argument("types"), " must name two types at least.")
    model, held_out = one.model, one.model.reference.held_out
    weight, bias = model.head.weight[:, kept].contiguous(), model.head.bias[kept]
    numbers = np.full(len(known), -1)
    numbers[kept] = np.arange(len(kept))
    rows = numbers[held_out.types] >= 0
    counts = held_out.counts[kept]
    reference = Reference(
        TypeProfiles(model.reference.profiles.mean[kept], counts),
        HeldOutCells(
            held_out.logits[rows][:, kept],
            numbers[held_out.types[rows]],
            held_out.components[rows],
            held_out.centers[kept],
            counts,
            held_out.covariance,
        ),
        one.moments.of_types(numbers, len(kept)),
    )
    prior = one.prior[kept] / one.prior[kept].sum()
    refit = head_refit(one.missing_genes, prior, one.normalizer)
    head = LinearHead(weight, bias, model.head.network_weight)
    rest = LinearModel(head, model.graph, model.imputer, model.has_layer, reference, refit)
    return replace(one, classes=one.classes[kept], prior=prior, model=rest)


def _fit(
    moments: TypeMoments,
    classes: np.ndarray,
    normalizer: Normalizer,
    like: ModelParts,
    old: LinearHead | None,
    seed: int,
) -> ModelParts:
    """Fit a model to cells drawn from moments, and average its head with that of older models, if given."""
    prior = _prior(like.class_weight, classes, moments.type_counts)
    X, y, class_weight = draw_training(moments, prior, normalizer.method == "sqrt", seed)
    fitted = fit_linear_head(X, y, len(classes), class_weight=class_weight, seed=seed)
    head = fitted.head
    if old is not None:
        head = _mean_head([old, head], np.array([OLD_HEADS, 1 - OLD_HEADS]))
    imputer = PPCAImputer.of_moments(moments)
    axes, means, counts = imputer.axes.numpy(), moments.means().astype(np.float32), moments.type_counts
    factor, rest = moments.within()
    by_component = (factor @ axes).astype(np.float64)
    covariance = (by_component.T @ by_component + axes.T @ (rest[:, None] * axes)) / counts.sum()
    chosen = fitted.cross_validated
    held_out = HeldOutCells(
        chosen.logits.numpy().reshape(len(chosen.cells), len(classes)),
        y[chosen.cells],
        X[chosen.cells] @ axes,
        means @ axes,
        counts,
        covariance.astype(np.float32),
    )
    reference = Reference(TypeProfiles(np.maximum(means, 0), counts), held_out, moments)
    refit = head_refit(like.missing_genes, prior, normalizer)
    model = LinearModel(head, None, imputer, False, reference, refit)
    return ModelParts(
        classes, prior, normalizer, model, like.class_weight, like.missing_genes, fitted.history
    )


def _check_kind(one: ModelParts, other: ModelParts) -> None:
    method, theirs = one.normalizer.method, other.normalizer.method
    if method != theirs:
        problem = f"The models normalize expression differently ({method}, {theirs}); fit them with the same "
        raise ArgumentError("other", problem, Argument("normalization"), ".")
    if method == "log1p" and one.normalizer.genes != other.normalizer.genes:
        problem = (
            "Logarithms cannot be scaled to the depth of other genes; fit both models to the same, or with "
        )
        raise ArgumentError("other", problem, Argument("normalization", "sqrt"), ".")
    if any(part.model.has_layer for part in (one, other)):
        what = "The merged model has no network of its own; that of each model stays in its head"
        warn(NetworkWarning(f"{what}."))


def _shared(one: ModelParts, other: ModelParts) -> tuple[tuple[np.ndarray, np.ndarray], Normalizer]:
    """Return the positions of the genes that both have, and a normalizer for these."""
    ours, theirs = one.normalizer.genes or (), other.normalizer.genes or ()
    indexer = match_names(ours, theirs)
    of_other = np.flatnonzero(indexer >= 0)
    of_other = of_other[np.argsort(indexer[of_other], kind="stable")]
    of_one = indexer[of_other]
    if len(of_one) < max(1, SMALLEST_OVERLAP * min(len(ours), len(theirs))):
        examples = f"({first_few(ours)}; {first_few(theirs)})"
        what = f"The models have {len(of_one):,} genes in common {examples}"
        raise ArgumentError("other", f"{what}; fit both to genes with the same kind of names.")
    genes = of_one, of_other
    cells = np.array([part.moments.type_counts.sum() for part in (one, other)], float)
    depths = [_depth_in(part.normalizer, own) for part, own in zip((one, other), genes, strict=True)]
    shares = [part.normalizer.gene_share[own] for part, own in zip((one, other), genes, strict=True)]
    share = sum(n * part / part.sum() for n, part in zip(cells, shares, strict=True)) / cells.sum()
    target = float(np.exp(cells @ np.log(depths) / cells.sum()))
    names = tuple(ours[gene] for gene in of_one)
    scale, method = one.normalizer.input_scale, one.normalizer.method
    return genes, Normalizer(method, names, len(names), target, np.asarray(share, np.float32), scale)


def _depth_in(normalizer: Normalizer, genes: np.ndarray) -> float:
    """Return the depth of a training cell in some of its genes (positions)."""
    if normalizer.method != "sqrt":
        return normalizer.target_sum
    share = normalizer.gene_share
    return normalizer.target_sum * float(share[genes].sum(dtype=np.float64) / share.sum(dtype=np.float64))


def _prior(
    class_weight: Literal["balanced"] | Mapping[Any, float] | None, classes: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    if class_weight == "balanced":
        return np.full(len(classes), 1 / len(classes))
    weight = counts.astype(float)
    if isinstance(class_weight, Mapping):
        weight *= [class_weight.get(label, 1.0) for label in classes.tolist()]
    return weight / weight.sum()


def _joined_head(
    heads: Sequence[LinearHead], numbers: Sequence[np.ndarray], counts: Sequence[np.ndarray]
) -> LinearHead | None:
    """Return the mean of heads of different types, given the numbers of these among all (K,).

    Each is weighted by its cells (K,) of a type, after the mean logit of the types that all have is
    subtracted. None if fewer than two types are shared.
    """
    is_shared = np.logical_and.reduce([count > 0 for count in counts])
    if is_shared.sum() < 2:
        return None
    parts = []
    for head, number in zip(heads, numbers, strict=True):
        rows = torch.cat([head.weight, head.bias[None]])  # (N + 1, its types)
        rows = rows - rows[:, torch.from_numpy(is_shared[number])].mean(1, keepdim=True)
        every = rows.new_zeros(len(rows), len(is_shared))
        every[:, torch.from_numpy(number)] = rows
        parts.append(every)
    shares = torch.from_numpy(np.stack(counts) / np.sum(counts, axis=0)).float()  # (heads, K)
    mean = sum(share * part for share, part in zip(shares, parts, strict=True))
    assert isinstance(mean, torch.Tensor)  # of two heads
    return LinearHead(mean[:-1].contiguous(), mean[-1].contiguous())


def _mean_head(heads: Sequence[LinearHead], shares: np.ndarray) -> LinearHead:
    weight = sum(float(share) * head.weight for share, head in zip(shares, heads, strict=True))
    bias = sum(float(share) * head.bias for share, head in zip(shares, heads, strict=True))
    assert isinstance(weight, torch.Tensor) and isinstance(bias, torch.Tensor)  # of two heads at least
    return LinearHead(weight, bias)


def _imputer(part: ModelParts) -> PPCAImputer:
    assert part.model.imputer is not None  # as genes have names and are imputed
    return part.model.imputer
