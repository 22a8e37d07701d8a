"""Finished runs, stored under a digest of what determines their results; peak memory; output files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from gene_gcn import __version__
from gene_gcn.errors import ArgumentError
from gene_gcn.storage.atomic import replacing
from gene_gcn.storage.locks import locked

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

RUNS_FILE = "runs.json"


class RunStore:
    """Results by digest, in `runs.json` of a folder.

    Parameters
    ----------
    folder : str or Path
        The file in it is rewritten after each new result, which keeps what other processes added meanwhile.

    Raises
    ------
    ArgumentError
        If the file is damaged.
    """

    def __init__(self, folder: str | Path):
        self.file = Path(folder) / RUNS_FILE
        self._results = self._read()

    def __contains__(self, key: str) -> bool:
        return key in self._results

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self._results[key]

    def __setitem__(self, key: str, result: dict[str, Any]) -> None:
        self._results[key] = result
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.file.parent):
            self._results = self._read() | self._results
            with replacing(self.file) as temporary:
                temporary.write_text(json.dumps(self._results, indent=1), encoding="utf-8")

    def _read(self) -> dict[str, Any]:
        if not self.file.exists():
            return {}
        try:
            results = json.loads(self.file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            results = None
        if not isinstance(results, dict):
            text = f"{self.file} is damaged; delete it to run all again, or choose another folder."
            raise ArgumentError("folder", text)
        return results


def digest(values: Sequence[Any]) -> str:
    """Return the SHA-256 (hex) of values that JSON can hold."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def digest_of_cells(parts: Iterable[tuple[AnnData, np.ndarray]]) -> str:
    """Return the SHA-256 (hex) of the expression, the genes and the labels of cells."""
    result = hashlib.sha256()
    for cells, labels in parts:
        matrix = sparse.csr_matrix(cells.X)
        for values in (matrix.data, matrix.indices, matrix.indptr):
            result.update(np.ascontiguousarray(values).data)
        result.update(json.dumps([list(cells.var_names), list(labels)]).encode())
    return result.hexdigest()


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON can hold them, NaN as null."""
    return json.loads(table.to_json(orient="records"))


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """Measure the peak resident memory of this process inside the block, in GB; NaN except on Linux."""
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    peak = float("nan")
    try:
        reset.write_text("5")  # resets the peak; Linux only
    except OSError:
        yield lambda: peak
        return
    yield lambda: peak
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = int(line.split()[1]) / 2**20


def write_results(
    folder: str | Path,
    name: str,
    results: pd.DataFrame,
    tables: dict[str, Any],
    plot: Callable[[pd.DataFrame, Path], None],
) -> list[Path]:
    """Write every run (.csv), tables and settings with the version (.json), and a figure (.png).

    Parameters
    ----------
    folder : str or Path
    name : str
        Of the files, without their endings.
    results : DataFrame
        A row per run.
    tables : dict
        What the JSON file holds besides the version.
    plot : callable
        Draws the results to a path.

    Returns
    -------
    list of Path
    """
    paths = [Path(folder) / f"{name}{ending}" for ending in (".csv", ".json", ".png")]
    with replacing(paths[0]) as file:
        results.to_csv(file, index=False)
    with replacing(paths[1]) as file:
        file.write_text(json.dumps({"version": __version__, **tables}, indent=1) + "\n", encoding="utf-8")
    with replacing(paths[2]) as file:
        plot(results, file)
    return paths
