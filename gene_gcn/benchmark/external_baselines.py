"""Baselines of other packages, run by an interpreter that has them, as they may need other dependencies."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gene_gcn.benchmark import external_runner
from gene_gcn.benchmark.runners import Outcome
from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

# Package of each method, with what it needs besides its own dependencies.
PACKAGES = {
    "CellTypist": ("celltypist",),
    "CellTypist, its genes selected": ("celltypist",),
    "SingleR": ("singler", "scranpy"),
    "Harmony + k-nearest neighbors": ("harmonypy", "scikit-learn"),
}
_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class External:
    """A method in a process of its own.

    Attributes
    ----------
    python : str
        The interpreter.
    method : str
        One of `external_runner.METHODS`.
    versions : tuple of str
        Of its packages.
    """

    python: str
    method: str
    versions: tuple[str, ...]

    @property
    def settings(self) -> list[Any]:
        return [self.method, *self.versions]

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        """Fit on the training cells and predict the test cells, both as log1p CP10k.

        Raises
        ------
        RuntimeError
            The method fails; the message is its own.
        """
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("train.h5ad", "test.h5ad", "result.npz")]
            reference = _normalized(train)
            reference.obs[external_runner.LABEL] = np.asarray(labels, dtype=object)
            reference.write_h5ad(paths[0])
            _normalized(test).write_h5ad(paths[1])
            output_of(self.python, external_runner.__file__, self.method, *map(str, paths))
            with np.load(paths[2]) as result:
                return Outcome(
                    result["predicted"].astype(object),
                    result["probabilities"] if result["probabilities"].size else None,
                    float(result["fit_seconds"]),
                    float(result["predict_seconds"]),
                    float(result["peak_memory_gb"]),
                    float(result["cpu_seconds"]),
                )


def _normalized(cells: AnnData) -> AnnData:
    import anndata

    expression = read_expression(cells)
    X = Normalizer.fit(expression, "log1p").transform(expression)
    return anndata.AnnData(X, obs=cells.obs[[]].copy(), var=cells.var[[]].copy())


def external_baselines(pythons: Sequence[str | Path]) -> dict[str, External]:
    """Return the methods whose packages one of the interpreters has, by name.

    Raises
    ------
    ArgumentError
        An interpreter does not exist or has none of the packages.
    """
    found: dict[str, External] = {}
    for python in map(str, pythons):
        names = sorted({name for packages in PACKAGES.values() for name in packages})
        try:
            versions = json.loads(output_of(python, "-c", _VERSIONS, *names))
        except (OSError, RuntimeError) as error:
            raise ArgumentError(
                "baseline_python", Argument("baseline_python", python), f" is not a Python: {error}."
            ) from error
        runnable = {
            method: External(python, method, tuple(versions[name] for name in packages))
            for method, packages in PACKAGES.items()
            if versions.keys() >= set(packages)
        }
        if not runnable:
            raise ArgumentError(
                "baseline_python",
                Argument("baseline_python", python),
                " has none of celltypist, singler (with scranpy) and harmonypy (with scikit-learn); "
                "install one there.",
            )
        found = {**runnable, **found}
    return found


def missing_packages(found: Mapping[str, External]) -> dict[str, tuple[str, ...]]:
    """Return the packages of the methods that no interpreter can run, by method."""
    return {method: packages for method, packages in PACKAGES.items() if method not in found}


def output_of(*command: str) -> str:
    """Run a command and return what it prints; RuntimeError with the last line of its errors if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return done.stdout
