"""Methods that annotate cells by marker genes, without labels: ours with its controls, and baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.benchmark.methods import Method
from gene_gcn.benchmark.runners import Outcome
from gene_gcn.benchmark.runs import peak_memory
from gene_gcn.benchmark.splits import Split
from gene_gcn.benchmark.variants import permuted_within_expression
from gene_gcn.cells import MarkerLists, Normalizer, read_expression
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.estimators.markers import from_markers
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["MARKERS", "marker_methods", "marker_splits", "markers_of"]

MARKERS = Path(__file__).with_name("markers.csv")  # three per type, with reasons
# Of a set, cells and types in; scores (B, K) out, the larger the better.
Score = Callable[["AnnData", MarkerLists], np.ndarray]


def markers_of(path: str | Path, name: str) -> pd.DataFrame:
    """Return the rows of a table with the columns "file", "type" and "gene" that are about a file.

    Raises
    ------
    ArgumentError
        The table lacks a column, or has no row for this file.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if lacking := {"file", "type", "gene"} - set(table):
        problem = f" lacks the columns {sorted(lacking)}; it has {list(table.columns)[:10]}."
        raise ArgumentError("markers", Argument("markers", str(path)), problem)
    rows = table[table["file"] == name].reset_index(drop=True)
    if rows.empty:
        problem = f" has no markers for the file {name!r}; add them, or leave the file out."
        raise ArgumentError("markers", Argument("markers", str(path)), problem)
    return rows


def marker_splits(n_cells: int, markers: pd.DataFrame) -> list[tuple[Split, pd.DataFrame]]:
    """Return splits, in all of which all cells are annotated, with their markers.

    One with all markers, and one for each single marker of a type: the first of every type, the second, ….
    """
    everything = np.arange(n_cells)
    place = markers.groupby("type", sort=False).cumcount()
    most = int(place.max()) + 1
    found = [(Split("markers", f"{most} markers per type", 0, everything, everything), markers)]
    for number in range(most):
        chosen = markers[place == number].reset_index(drop=True)
        found.append((Split("markers", "1 marker per type", number, everything, everything), chosen))
    return found


def marker_methods(
    network: GeneNetwork | None,
    markers: pd.DataFrame,
    *,
    baselines: bool = True,
    methods: Sequence[str] = (),
) -> list[Method]:
    """Return the rows of the benchmark: ours with a network, its controls, and baselines.

    Parameters
    ----------
    network : GeneNetwork, optional
        On the genes of the cells.
    markers : DataFrame
        "type" and "gene".
    baselines : bool
    methods : sequence of str
        Parts of the names of the rows to return, in any case; empty for all.
    """
    lists = MarkerLists.of(markers)

    def ours(network: Any, cells: AnnData) -> MarkerRunner:
        return MarkerRunner(lists, network(cells) if callable(network) else network)

    networks: dict[str, Any] = {"no graph": None}
    if network is not None:
        permuted = partial(permuted_within_expression, network)
        networks = {"default: global graph": network, **networks}
        networks |= {"network rewired": network.rewired(0), "network permuted": permuted}
    default = next(iter(networks))
    rows = [
        Method(name, "default" if name == default else "control", partial(ours, value))
        for name, value in networks.items()
    ]
    if baselines:
        rows += [
            Method(name, "baseline", partial(_same, ScoreRunner(name, score, lists)))
            for name, score in BASELINES.items()
        ]
    return [row for row in rows if not methods or any(part.lower() in row.name.lower() for part in methods)]


def _same(runner: ScoreRunner, cells: AnnData) -> ScoreRunner:
    return runner


@dataclass(frozen=True, eq=False)
class MarkerRunner:
    """`MarkerClassifier`, which learns from the test cells, without labels, and annotates them."""

    markers: MarkerLists
    network: GeneNetwork | None

    @property
    def settings(self) -> list[Any]:
        network = None if self.network is None else self.network.content_hash
        return ["markers", self.markers.table.to_dict("list"), network]

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        start, cpu_start = time.perf_counter(), time.process_time()
        with peak_memory() as peak:
            clf = from_markers(self.markers, self.network, random_state=0).fit(test)
        fitted = time.perf_counter()
        probabilities = clf.predict_proba(test)
        done = time.perf_counter()
        costs = (fitted - start, done - fitted, peak(), time.process_time() - cpu_start)
        return Outcome(clf.classes_[probabilities.argmax(1)], probabilities, *costs)


@dataclass(frozen=True, eq=False)
class ScoreRunner:
    """A score of each type, of which the largest names a cell."""

    name: str
    score: Score
    markers: MarkerLists

    @property
    def settings(self) -> list[Any]:
        return [self.name, self.markers.table.to_dict("list")]

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        start, cpu_start = time.perf_counter(), time.process_time()
        with peak_memory() as peak:
            scores = self.score(test, self.markers)
        types = np.array(self.markers.types, dtype=object)
        costs = (time.perf_counter() - start, 0.0, peak(), time.process_time() - cpu_start)
        return Outcome(types[scores.argmax(1)], None, *costs)


# ---- baselines ----


def _log1p(cells: AnnData) -> AnnData:
    import anndata

    expression = read_expression(cells)
    X = Normalizer.fit(expression, "log1p").transform(expression)
    return anndata.AnnData(X, obs=cells.obs[[]].copy(), var=pd.DataFrame(index=list(expression.genes or ())))


def _columns(cells: AnnData, markers: MarkerLists) -> list[np.ndarray]:
    """Return the positions of the markers of each type that are among the genes."""
    by_type = markers.table.groupby("type", sort=False)["gene"]
    return [cells.var_names.get_indexer(genes[genes.isin(cells.var_names)]) for _, genes in by_type]


def mean_z_scores(cells: AnnData, markers: MarkerLists) -> np.ndarray:
    """Return the mean z-score of the markers of each type."""
    cells = _log1p(cells)
    scores = np.full((cells.n_obs, len(markers.types)), -np.inf)
    for k, columns in enumerate(_columns(cells, markers)):
        if len(columns):
            X = cells.X[:, columns].toarray()
            scores[:, k] = ((X - X.mean(0)) / np.maximum(X.std(0), 1e-9)).mean(1)
    return scores


def scanpy_scores(cells: AnnData, markers: MarkerLists) -> np.ndarray:
    """Return scanpy's `score_genes`: the mean of the markers minus that of genes expressed like them."""
    import scanpy as sc

    cells = _log1p(cells)
    scores = np.full((cells.n_obs, len(markers.types)), -np.inf)
    for k, columns in enumerate(_columns(cells, markers)):
        if len(columns):
            sc.tl.score_genes(cells, list(cells.var_names[columns]), score_name="score", random_state=0)
            scores[:, k] = cells.obs["score"]
    return scores


def mixture_scores(cells: AnnData, markers: MarkerLists) -> np.ndarray:
    """Return log-likelihoods of a Gaussian mixture over z-scores, as SCINA fits one.

    A component for each type, which starts at the cells with the highest scores. SCINA: Zhang et al. (2019),
    doi:10.3390/genes10070531.
    """
    from sklearn.mixture import GaussianMixture

    scores = mean_z_scores(cells, markers)
    known = np.isfinite(scores).all(0)
    found = np.full_like(scores, -np.inf)
    values = scores[:, known]
    most = max(3, len(values) // (4 * values.shape[1]))
    start = np.stack([values[np.argsort(-column, kind="stable")[:most]].mean(0) for column in values.T])
    model = GaussianMixture(
        len(start), covariance_type="diag", means_init=start, reg_covar=1e-3, random_state=0
    )
    found[:, known] = model.fit(values).predict_proba(values)
    return found


def univariate_scores(cells: AnnData, markers: MarkerLists) -> np.ndarray:
    """Return the t-values of univariate linear models: expression of all genes by being a marker of a type.

    The method "ulm" of decoupler: Badia-i-Mompel et al. (2022), doi:10.1093/bioadv/vbac016.
    """
    cells = _log1p(cells)
    X, n_genes = cells.X, cells.n_vars
    scores = np.full((cells.n_obs, len(markers.types)), -np.inf)
    mean = np.asarray(X.mean(1)).ravel()
    deviation = np.sqrt(np.maximum(np.asarray(X.multiply(X).mean(1)).ravel() - mean**2, 1e-12))
    for k, columns in enumerate(_columns(cells, markers)):
        if len(columns):
            share = len(columns) / n_genes
            covariance = share * (np.asarray(X[:, columns].mean(1)).ravel() - mean)
            r = covariance / (deviation * np.sqrt(share * (1 - share)))
            scores[:, k] = r * np.sqrt((n_genes - 2) / np.maximum(1 - r**2, 1e-12))
    return scores


BASELINES: dict[str, Score] = {
    "mean z-score": mean_z_scores,
    "scanpy score_genes": scanpy_scores,
    "Gaussian mixture over z-scores": mixture_scores,
    "univariate linear model (decoupler)": univariate_scores,
}
