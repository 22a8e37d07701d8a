"""The methods that the benchmark compares: variants of our classifier, and baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sklearn.base import ClassifierMixin

from gene_gcn.benchmark.baselines import baselines as scikit_learn_baselines
from gene_gcn.benchmark.external_baselines import External
from gene_gcn.benchmark.runners import InProcess, Runner
from gene_gcn.benchmark.variants import variants
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.estimators.classifier import GeneGCNClassifier
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

UNLABELED = "default, unlabeled query"
REFITTED = "refitted to the genes of the query"
RETRAINED = "retrained on the genes of the query"
ADAPTED = "default, adapted to the query"
KINDS_OF_PAIRS = ("transfer", "held-out-types")
KINDS_OF_PANELS = ("missing-gene", "transfer")
KINDS_OF_UNLABELED = ("folds", "few-label", "transfer", "held-out-types")


@dataclass(frozen=True, eq=False)
class Method:
    """A row of the benchmark.

    Attributes
    ----------
    name : str
    role : {"default", "control", "baseline"}
    prepare : callable
        From the training cells to a runner.
    kinds : tuple of str
        Kinds of splits that it is run on; empty for all.
    """

    name: str
    role: str
    prepare: Callable[[AnnData], Runner]
    kinds: tuple[str, ...] = ()


def choose_methods(
    network: GeneNetwork | None,
    *,
    baselines: bool = True,
    unlabeled: bool = False,
    external: Mapping[str, External] | None = None,
    methods: Sequence[str] = (),
) -> list[Method]:
    """Return the rows of the benchmark.

    Parameters
    ----------
    network : GeneNetwork, optional
        Aligned to the genes of the cells. Without it, rows that need one are left out.
    baselines : bool
        Include the baselines of scikit-learn.
    unlabeled : bool
        Include the default fitted with the test cells, without their labels.
    external : mapping of str to External, optional
        Baselines of other packages, from `external_baselines`.
    methods : sequence of str
        Parts of the names of the rows to return, in any case; empty for all.

    Returns
    -------
    list of Method

    Raises
    ------
    ArgumentError
        No name matches `methods`.
    """
    parameters = variants(network)
    default = next(iter(parameters))
    rows = [
        Method(name, "default" if name == default else "control", partial(_classifier, options))
        for name, options in parameters.items()
    ]
    adapted = partial(_classifier, parameters[default], annotate={"adapt": "auto"})
    rows.append(Method(ADAPTED, "control", adapted, KINDS_OF_PAIRS))
    refitted = {**parameters[default], "missing_genes": "refit"}
    rows.append(Method(REFITTED, "control", partial(_classifier, refitted), KINDS_OF_PANELS))
    retrained = partial(_classifier, parameters[default], shared_genes=True)
    rows.append(Method(RETRAINED, "control", retrained, KINDS_OF_PANELS))
    if unlabeled:
        shown = partial(_classifier, parameters[default], shows_query=True)
        rows.append(Method(UNLABELED, "control", shown, KINDS_OF_UNLABELED))
    if baselines:
        rows += [
            Method(name, "baseline", partial(_baseline, make))
            for name, make in scikit_learn_baselines().items()
        ]
    rows += [Method(name, "baseline", partial(_same, runner)) for name, runner in (external or {}).items()]
    chosen = [row for row in rows if not methods or any(part.lower() in row.name.lower() for part in methods)]
    if not chosen:
        raise ArgumentError(
            "methods",
            Argument("methods", list(methods)),
            f" matches none of the methods: {'; '.join(row.name for row in rows)}.",
        )
    return chosen


def _classifier(
    parameters: dict[str, Any],
    train: AnnData,
    shows_query: bool = False,
    annotate: dict[str, Any] | None = None,
    shared_genes: bool = False,
) -> InProcess:
    network = parameters["network"]
    parameters = {**parameters, "network": network(train) if callable(network) else network}
    return InProcess(
        GeneGCNClassifier(**{"random_state": 0, **parameters}), shows_query, annotate, shared_genes
    )


def _baseline(make: Callable[[AnnData], ClassifierMixin], train: AnnData) -> InProcess:
    return InProcess(make(train))


def _same(runner: External, train: AnnData) -> External:
    return runner
