"""What is compared: our classifier with its controls, and what people use otherwise."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.metaestimators import available_if

from gene_gcn.benchmark import celltypist_runner
from gene_gcn.benchmark.runs import peak_memory
from gene_gcn.cells.expression import Normalizer, read_expression
from gene_gcn.estimators.classifier import GeneGCNClassifier
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

BINS = 50  # of genes alike in expression, in which genes change places
UNLABELLED = "default, unlabelled query"


def ours(network: GeneNetwork | None) -> dict[str, dict[str, Any]]:
    """Parameters of `GeneGCNClassifier` for each of our rows, the default first.

    A network that the training cells decide is a function of them.
    """
    no_graph = {"no graph": {"network": None}}
    if network is None:
        return no_graph
    deep = {"attention": "embedded_dot", "hidden_channels": (128, 64)}
    return {
        "default: global graph": {"network": network},
        **no_graph,
        "network rewired": {"network": network.rewired(0)},
        "network permuted": {"network": partial(permuted_within_expression, network)},
        "individual graph, hidden layers": {"network": None, **deep},
        "both graphs, hidden layers": {"network": network, **deep},
    }


def peers() -> dict[str, Callable[[AnnData], ClassifierMixin]]:
    """What people use otherwise, by name: from the training cells to an unfitted classifier."""

    def logistic() -> LogisticRegression:
        return LogisticRegression(max_iter=1000)

    return {
        "logistic regression, log1p CP10k": lambda cells: Normalized(logistic(), "log1p"),
        "linear SVM, log1p CP10k": lambda cells: Normalized(LinearSVC(random_state=0), "log1p"),
        "logistic regression, sqrt": lambda cells: Normalized(logistic(), "sqrt"),
        "SVD (rank 100) + logistic regression, sqrt": lambda cells: Normalized(
            make_pipeline(TruncatedSVD(min(100, *cells.shape), random_state=0), logistic()), "sqrt"
        ),
        "MLP (scikit-learn, Adam), log1p CP10k": lambda cells: Normalized(
            MLPClassifier(
                (128, 64), batch_size=min(64, cells.n_obs // 2), early_stopping=True, random_state=0
            ),
            "log1p",
        ),
    }


def permuted_within_expression(network: GeneNetwork, cells: AnnData, seed: int = 0) -> GeneNetwork:
    """The network with genes that change places with genes of like expression: a control.

    Graph and weights stay, and genes with many edges stay genes of much expression; only who interacts with whom
    is lost. Genes are alike that are in the same of 50 equally large bins of their mean share of a cell's
    expression.

    Parameters
    ----------
    network : GeneNetwork
    cells : AnnData
        Training cells, which tell the expression.
    seed : int
    """
    expression = read_expression(cells)
    share = Normalizer.fit(expression).gene_share
    rank = np.empty(len(share), dtype=np.int64)
    rank[np.argsort(share, kind="stable")] = np.arange(len(share))
    return network.align(expression.genes).permuted(seed, rank * BINS // len(share))


# ---- how they are run ----


class Outcome(NamedTuple):
    """What a method said of the test cells and what it cost.

    `probabilities` has shape (B, K); None where a method has none. `peak_memory_gb` is that of the whole process.
    """

    predicted: np.ndarray
    probabilities: np.ndarray | None
    fit_seconds: float
    predict_seconds: float
    peak_memory_gb: float


@dataclass(frozen=True, eq=False)
class InProcess:
    """A classifier, fitted and asked in this process.

    Attributes
    ----------
    classifier : classifier
        Unfitted; it takes an AnnData.
    shows_query : bool
        Whether `fit` gets the test cells, without their labels, as `unlabelled`.
    """

    classifier: ClassifierMixin
    shows_query: bool = False

    @property
    def settings(self) -> list[Any]:
        """All that decides what it says, as JSON can hold it; a device is not meant to."""
        parameters = {
            name: value
            for name, value in self.classifier.get_params().items()
            if name not in ("device", "verbose")
        }
        text = json.dumps(
            parameters,
            default=lambda value: (
                value.content_hash if isinstance(value, GeneNetwork) else type(value).__name__
            ),
        )
        return [type(self.classifier).__name__, json.loads(text), self.shows_query]

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        unlabelled = {"unlabelled": test} if self.shows_query else {}
        start = time.perf_counter()
        with peak_memory() as peak:
            self.classifier.fit(train, labels, **unlabelled)
        fitted = time.perf_counter()
        predicted = self.classifier.predict(test)
        done = time.perf_counter()
        known = self.classifier.predict_proba(test) if hasattr(self.classifier, "predict_proba") else None
        return Outcome(predicted, known, fitted - start, done - fitted, peak())


class Normalized(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier on expression normalised as this package does it.

    Parameters
    ----------
    classifier : classifier
    normalization : {"sqrt", "log1p"}
    """

    def __init__(self, classifier, normalization: str):
        self.classifier = classifier
        self.normalization = normalization

    def fit(self, cells: AnnData, y) -> Normalized:
        expression = read_expression(cells)
        self.normalizer_ = Normalizer.fit(expression, self.normalization)
        self.classifier.fit(self.normalizer_.transform(expression), y)
        return self

    def predict(self, cells: AnnData) -> np.ndarray:
        return self.classifier.predict(self.normalizer_.transform(read_expression(cells)))

    @available_if(lambda self: hasattr(self.classifier, "predict_proba"))
    def predict_proba(self, cells: AnnData) -> np.ndarray:
        return self.classifier.predict_proba(self.normalizer_.transform(read_expression(cells)))


@dataclass(frozen=True)
class CellTypist:
    """CellTypist, run by an interpreter of its own: it needs an older scikit-learn than this package may have.

    Attributes
    ----------
    python : str
        The interpreter.
    feature_selection : bool
    version : str
    """

    python: str
    feature_selection: bool
    version: str

    @property
    def settings(self) -> list[Any]:
        return [type(self).__name__, self.version, self.feature_selection]

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        """RuntimeError with CellTypist's own words if it fails."""
        import anndata

        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("train.h5ad", "test.h5ad", "result.npz")]
            for path, cells in zip(paths[:2], (train, test), strict=True):
                plain = anndata.AnnData(cells.X, obs=cells.obs[[]].copy(), var=cells.var[[]].copy())
                if cells is train:
                    plain.obs[celltypist_runner.LABEL] = np.asarray(labels, dtype=object)
                plain.write_h5ad(path)
            _ask(self.python, celltypist_runner.__file__, *map(str, paths), str(int(self.feature_selection)))
            with np.load(paths[2]) as result:
                return Outcome(
                    result["predicted"].astype(object),
                    result["probabilities"],
                    *(float(result[name]) for name in Outcome._fields[2:]),
                )


def celltypist(python: str | Path) -> dict[str, CellTypist]:
    """CellTypist with and without its selection of genes, by name; ValueError if there is none."""
    try:
        version = _ask(
            str(python), "-c", "from importlib.metadata import version; print(version('celltypist'))"
        )
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{str(python)!r} is not a Python that has celltypist: {error}.") from error
    return {
        "CellTypist": CellTypist(str(python), False, version.strip()),
        "CellTypist, its genes selected": CellTypist(str(python), True, version.strip()),
    }


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return done.stdout


# ---- which are run ----


@dataclass(frozen=True, eq=False)
class Method:
    """A row of the benchmark.

    Attributes
    ----------
    name : str
    role : {"default", "control", "peer"}
    prepare : callable
        From the training cells to what has `settings` and `run`.
    kinds : tuple of str
        Kinds of splits it is for; empty for all.
    """

    name: str
    role: str
    prepare: Callable[[AnnData], InProcess | CellTypist]
    kinds: tuple[str, ...] = ()


def methods(
    network: GeneNetwork | None,
    *,
    with_peers: bool = True,
    unlabelled: bool = False,
    celltypist_python: str | Path | None = None,
    only: Sequence[str] = (),
) -> list[Method]:
    """The rows of the benchmark.

    Parameters
    ----------
    network : GeneNetwork, optional
        Aligned to the genes of the cells. Without, rows that need one are left out.
    with_peers : bool
    unlabelled : bool
        Also the default that sees the test cells, without their labels, while it is fitted.
    celltypist_python : path, optional
        An interpreter that has CellTypist.
    only : sequence of str
        Parts of the names of the rows wanted, in any case; empty for all.

    Raises
    ------
    ValueError
        `only` leaves nothing; an interpreter without CellTypist.
    """
    rows = ours(network)
    default = next(iter(rows))
    found = [
        Method(name, "default" if name == default else "control", partial(_classifier, parameters))
        for name, parameters in rows.items()
    ]
    if unlabelled:
        found.append(
            Method(
                UNLABELLED, "control", partial(_classifier, rows[default], shows_query=True), ("folds", "few")
            )
        )
    if with_peers:
        found += [Method(name, "peer", partial(_peer, make)) for name, make in peers().items()]
    if celltypist_python is not None:
        found += [
            Method(name, "peer", partial(_same, runner))
            for name, runner in celltypist(celltypist_python).items()
        ]
    kept = [
        method for method in found if not only or any(part.lower() in method.name.lower() for part in only)
    ]
    if not kept:
        raise ValueError(
            f"No method has {' or '.join(map(repr, only))} in its name; they are: "
            f"{'; '.join(method.name for method in found)}."
        )
    return kept


def _classifier(parameters: dict[str, Any], train: AnnData, shows_query: bool = False) -> InProcess:
    network = parameters["network"]
    parameters = {**parameters, "network": network(train) if callable(network) else network}
    return InProcess(GeneGCNClassifier(**{"random_state": 0, **parameters}), shows_query)


def _peer(make: Callable[[AnnData], ClassifierMixin], train: AnnData) -> InProcess:
    return InProcess(make(train))


def _same(runner: CellTypist, train: AnnData) -> CellTypist:
    return runner
