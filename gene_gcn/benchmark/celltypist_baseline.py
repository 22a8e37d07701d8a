"""CellTypist as a baseline, run by an interpreter of its own.

This file cannot be named celltypist.py: the runner, started in this folder, would import it as CellTypist.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gene_gcn.benchmark import celltypist_runner
from gene_gcn.benchmark.runners import Outcome
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class CellTypist:
    """CellTypist in a process of its own: it needs an older scikit-learn than this package may have.

    Attributes
    ----------
    python : str
        The interpreter.
    feature_selection : bool
        Whether CellTypist selects genes.
    version : str
    """

    python: str
    feature_selection: bool
    version: str

    @property
    def settings(self) -> list[Any]:
        return [type(self).__name__, self.version, self.feature_selection]

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        """Fit on the training cells and predict the test cells.

        Raises
        ------
        RuntimeError
            CellTypist fails; the message is its own.
        """
        import anndata

        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("train.h5ad", "test.h5ad", "result.npz")]
            for path, cells in zip(paths[:2], (train, test), strict=True):
                plain = anndata.AnnData(cells.X, obs=cells.obs[[]].copy(), var=cells.var[[]].copy())
                if cells is train:
                    plain.obs[celltypist_runner.LABEL] = np.asarray(labels, dtype=object)
                plain.write_h5ad(path)
            _output_of(
                self.python, celltypist_runner.__file__, *map(str, paths), str(int(self.feature_selection))
            )
            with np.load(paths[2]) as result:
                return Outcome(
                    result["predicted"].astype(object),
                    result["probabilities"],
                    *(float(result[name]) for name in Outcome._fields[2:]),
                )


def celltypist(python: str | Path) -> dict[str, CellTypist]:
    """Return CellTypist with and without its selection of genes, by name.

    Parameters
    ----------
    python : str or Path
        An interpreter that has CellTypist.

    Returns
    -------
    dict of str to CellTypist

    Raises
    ------
    ArgumentError
        The interpreter does not exist or does not have CellTypist.
    """
    try:
        version = _output_of(
            str(python), "-c", "from importlib.metadata import version; print(version('celltypist'))"
        )
    except (OSError, RuntimeError) as error:
        raise ArgumentError(
            "celltypist_python",
            Argument("celltypist_python", str(python)),
            f" is not a Python that has celltypist: {error}.",
        ) from error
    return {
        "CellTypist": CellTypist(str(python), False, version.strip()),
        "CellTypist, its genes selected": CellTypist(str(python), True, version.strip()),
    }


def _output_of(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return done.stdout
