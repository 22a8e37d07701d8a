"""How time, memory and accuracy grow with cells, types and genes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from gene_gcn import __version__
from gene_gcn.benchmark import scale_methods
from gene_gcn.benchmark.external_baselines import output_of
from gene_gcn.benchmark.made_cells import DESIGN, PARTS, CellMaker, write_made_cells
from gene_gcn.benchmark.runs import RunStore, digest, digest_of_cells
from gene_gcn.benchmark.scale_methods import METHODS
from gene_gcn.benchmark.splits import labeled_cells
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.locks import locked

if TYPE_CHECKING:
    from anndata import AnnData

AXES = ("cells", "types", "genes")
METRICS = (
    "macro_f1",
    "fit_seconds",
    "fit_cpu_seconds",
    "predict_seconds",
    "predict_cpu_seconds",
    "peak_memory_gb",
)
COSTS = ("fit_seconds", "fit_cpu_seconds", "predict_cpu_seconds", "peak_memory_gb")
NOTHING = {**dict.fromkeys(METRICS, float("nan")), "warnings": ""}
MIN_POINTS = 3  # fewer give no exponent
TEST_CELLS = 5000
MEMORY_GB = 16.0


@dataclass(frozen=True)
class Size:
    """A number of cells, types and genes."""

    cells: int
    types: int
    genes: int


def sizes(cells: Sequence[int], types: Sequence[int], genes: Sequence[int]) -> list[Size]:
    """Return the sizes to measure: each axis in turn, the others at the first of their values."""
    base = Size(cells[0], types[0], genes[0])
    values = zip(AXES, (cells, types, genes), strict=True)
    found = [replace(base, **{axis: n}) for axis, of_axis in values for n in of_axis]
    return list(dict.fromkeys(found))


def choose(methods: Sequence[str]) -> list[str]:
    """Return the methods with one of these in their names, in any case; all if there are none.

    Raises
    ------
    ArgumentError
        No name matches.
    """
    parts = [part.lower() for part in methods] or [""]
    chosen = [name for name in METHODS if any(part in name.lower() for part in parts)]
    if not chosen:
        text = f" matches none of the methods: {'; '.join(METHODS)}."
        raise ArgumentError("methods", Argument("methods", list(methods)), text)
    return chosen


def measure(
    cells: AnnData,
    label: str,
    of_sizes: Sequence[Size],
    methods: Sequence[str],
    folder: str | Path,
    *,
    test_cells: int = TEST_CELLS,
    memory_gb: float = MEMORY_GB,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Fit and test methods on made cells of several sizes, each run in a process of its own.

    Parameters
    ----------
    cells : AnnData
        Raw counts of real cells, from which cells are made.
    label : str
        Column of `obs` with the types.
    of_sizes : sequence of Size
    methods : sequence of str
        Names in `scale_methods.METHODS`.
    folder : str or Path
        Where finished runs are stored, and made cells meanwhile.
    test_cells : int
    memory_gb : float
        A method that is estimated to need more is skipped.
    seed : int

    Yields
    ------
    dict
        "cells", "types", "genes", "method", `METRICS`, "warnings", "error" (why a run was skipped or failed,
        or empty) and "stored" (whether it was measured earlier).
    """
    store, folder = RunStore(folder), Path(folder)
    real = labeled_cells(cells, label)
    of_cells = digest_of_cells([(real, real.obs[label].to_numpy())])
    for size in of_sizes:
        maker = CellMaker.prepare(real, label, num_types=size.types, num_genes=size.genes, seed=seed)
        decisive = [__version__, of_cells, label, seed, test_cells, DESIGN, *asdict(size).values()]
        keys = {method: digest([*decisive, method]) for method in methods}
        num_values = size.cells * maker.values_per_cell
        refused = {method: _refusal(method, size, num_values, memory_gb) for method in methods}
        missing = [method for method in methods if keys[method] not in store and not refused[method]]
        with _made_files(folder / "made_cells", maker, size.cells, test_cells if missing else 0) as files:
            for method in methods:
                stored = keys[method] in store
                error = "" if stored else refused[method]
                if method in missing:
                    try:
                        store[keys[method]] = _run(method, *files)
                    except RuntimeError as failure:
                        error = f"failed: {failure}"
                result = NOTHING if error else store[keys[method]]
                yield {**asdict(size), "method": method, **result, "error": error, "stored": stored}


def _refusal(method: str, size: Size, num_values: float, memory_gb: float) -> str:
    """Return why a method is not run at a size, or nothing."""
    needed = METHODS[method].memory_gb(num_values, **asdict(size))
    if needed <= memory_gb:
        return ""
    return f"skipped: needs about {needed:,.0f} GB of memory, and {memory_gb:g} GB are allowed"


@contextmanager
def _made_files(folder: Path, maker: CellMaker, num_train: int, num_test: int) -> Iterator[list[Path]]:
    """Make the files of training and test cells, if there are test cells, and delete them afterwards."""
    paths = [folder / f"{part}.h5ad" for part in PARTS]
    if not num_test:
        yield paths
        return
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):  # another run into the same folder would replace the files
        try:
            for path, part, num_cells in zip(paths, PARTS, (num_train, num_test), strict=True):
                write_made_cells(path, maker, part, num_cells)
            yield paths
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _run(method: str, train: Path, test: Path) -> dict[str, Any]:
    """Run a method in a process of its own; RuntimeError if it fails."""
    result = train.with_name("result.json")
    output_of(sys.executable, "-m", scale_methods.__name__, method, str(train), str(test), str(result))
    return json.loads(result.read_text(encoding="utf-8"))


def along(results: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Return the runs in which the other axes have the values of the first row, sorted by the axis."""
    others = [name for name in AXES if name != axis]
    return results[(results[others] == results[others].iloc[0]).all(axis=1)].sort_values(axis, kind="stable")


def exponents(results: pd.DataFrame) -> pd.DataFrame:
    """Fit costs as powers of each axis, by least squares on logarithms.

    Parameters
    ----------
    results : DataFrame
        Rows of `measure`.

    Returns
    -------
    DataFrame
        "axis", "method", "cost" (one of `COSTS`), "points", "exponent" and its "standard_error", both NaN
        for fewer than three sizes, and for predictions by cells, as there are always as many test cells.
    """
    rows = []
    for axis in AXES:
        if results[axis].nunique() < 2:
            continue
        for method, of_method in along(results, axis).groupby("method", sort=False):
            for cost in COSTS:
                points = of_method[[axis, cost]].dropna()
                if (axis, cost) == ("cells", "predict_cpu_seconds"):
                    points = points[:0]
                slope, error = _slope(*points.to_numpy(float).T)
                rows.append(
                    {
                        "axis": axis,
                        "method": method,
                        "cost": cost,
                        "points": len(points),
                        "exponent": slope,
                        "standard_error": error,
                    }
                )
    return pd.DataFrame(rows)


def _slope(sizes: np.ndarray, costs: np.ndarray) -> tuple[float, float]:
    if len(np.unique(sizes)) < MIN_POINTS:
        return float("nan"), float("nan")
    line = stats.linregress(np.log(sizes), np.log(costs))
    return float(line.slope), float(line.stderr)
