"""What the model was trained on, and with which settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gene_gcn.cells.scale import SCALE_NAMES
from gene_gcn.estimators.card import package_versions
from gene_gcn.estimators.fitted import LinearModel

if TYPE_CHECKING:
    from gene_gcn import GeneGCNClassifier, GeneNetwork

PACKAGES = ("torch", "scikit-learn", "scanpy", "anndata", "numpy", "scipy")
NOT_SETTINGS = ("device", "layer", "use_raw", "gene_column", "n_jobs", "verbose", "network")
LONGEST_VALUE = 60  # characters of a setting


@dataclass(frozen=True)
class NetworkUsed:
    """A gene network, and what the model takes of it.

    Attributes
    ----------
    name : str
        Database, version, organism.
    edges, genes : int
        Edges between genes of the model, and genes that have one.
    weight : float or None
        λ, which cross-validation chose; None for models that were trained by gradients.
    license, citation : str
        "" if the network does not say.
    """

    name: str
    edges: int
    genes: int
    weight: float | None
    license: str
    citation: str

    @property
    def is_used(self) -> bool:
        return self.weight != 0


@dataclass(frozen=True)
class ModelUsed:
    """A fitted classifier, in numbers.

    Attributes
    ----------
    types : tuple of (str, int or None)
        Types, and training cells of each; None where the model does not keep them.
    n_genes : int
    input_scale, method : str
        Of the training cells, and how they were normalized.
    target_sum : float
        Counts to which a cell is scaled.
    network : NetworkUsed or None
    is_linear : bool
        Fitted exactly, not by gradients.
    imputes : bool
    settings : tuple of (str, str)
        Parameters that differ from their defaults.
    versions : tuple of (str, str)
    """

    types: tuple[tuple[str, int | None], ...]
    n_genes: int
    input_scale: str
    method: str
    target_sum: float
    network: NetworkUsed | None
    is_linear: bool
    imputes: bool
    settings: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]

    @property
    def n_cells(self) -> int | None:
        numbers = [cells for _, cells in self.types if cells is not None]
        return sum(numbers) if len(numbers) == len(self.types) else None

    @classmethod
    def of(cls, clf: GeneGCNClassifier) -> ModelUsed:
        """Describe a fitted classifier."""
        model, normalizer = clf.fitted_, clf.normalizer_
        counts: list[Any] = [None] * len(clf.classes_)
        if isinstance(model, LinearModel):
            counts = model.reference.profiles.counts.astype(int).tolist()
        return cls(
            types=tuple(zip(map(str, clf.classes_), counts, strict=True)),
            n_genes=normalizer.n_genes,
            input_scale=SCALE_NAMES[normalizer.input_scale],
            method=normalizer.method,
            target_sum=normalizer.target_sum,
            network=None if clf.network_ is None else _network(clf, clf.network_),
            is_linear=isinstance(model, LinearModel),
            imputes=clf.imputer_ is not None,
            settings=tuple(_settings(clf)),
            versions=tuple(package_versions(PACKAGES).items()),
        )


def _network(clf: GeneGCNClassifier, network: GeneNetwork) -> NetworkUsed:
    source = network.source
    weight = clf.fitted_.head.network_weight if isinstance(clf.fitted_, LinearModel) else None
    return NetworkUsed(
        name=str(source or "") or "a network of the user's",
        edges=network.num_edges,
        genes=int(np.count_nonzero(network.degree)),
        weight=weight,
        license=(source and source.license) or "",
        citation=(source and source.citation) or "",
    )


def _settings(clf: GeneGCNClassifier) -> list[tuple[str, str]]:
    defaults = type(clf)().get_params(deep=False)
    changed = {
        name: value
        for name, value in clf.get_params(deep=False).items()
        if name not in NOT_SETTINGS and not _is_same(value, defaults[name])
    }
    return [(name, _shortened(str(value))) for name, value in changed.items()]


def _is_same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and value == default)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
