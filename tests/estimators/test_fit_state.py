"""A fit to cells on disk goes on where it was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stored_cells import typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import open_cells
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators.fit_state import NAME, FitState

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal
from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import open_cells
from gene_gcn.estimators.fit_state import FitState

save, steps = FitState.save, []
def save_and_die(self, weights):
    save(self, weights)
    steps.append(1)
    if len(steps) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
FitState.save = save_and_die
GeneGCNClassifier(random_state=0).fit(open_cells("cells.h5ad"), "cell_type", checkpoint="state")
"""


def fit(folder, seed=0):
    clf = GeneGCNClassifier(random_state=seed)
    return clf.fit(open_cells(folder / "cells.h5ad"), "cell_type", checkpoint=folder / "state")


@pytest.fixture
def killed(killed_once, tmp_path):
    """A copy, as a fit that goes on removes its state."""
    return shutil.copytree(killed_once, tmp_path / "killed")


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory):
    """A folder with cells and the state of a fit that was killed in its second step."""
    folder = tmp_path_factory.mktemp("killed")
    typed_cells(25_000).write_h5ad(folder / "cells.h5ad")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=folder, env=environment)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in (folder / "state").iterdir()] == [NAME]
    return folder


def test_the_state_of_another_fit_is_refused(killed):
    with pytest.raises(ArgumentError, match="other cells, parameters or random state; pass another folder"):
        fit(killed, seed=1)
    assert (killed / "state" / NAME).exists()


def test_a_damaged_state_is_refused(killed, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / NAME).write_bytes((killed / "state" / NAME).read_bytes()[:50])
    with pytest.raises(ArgumentError, match="damaged"):
        FitState(damaged, "any").load()


def test_a_killed_fit_goes_on(killed, monkeypatch):
    """It needs fewer steps than one from the start, ends with the same model, and leaves nothing behind."""
    steps = []
    save = FitState.save
    monkeypatch.setattr(FitState, "save", lambda self, weights: steps.append(1) or save(self, weights))
    resumed, n_resumed = fit(killed), len(steps)
    assert list((killed / "state").iterdir()) == []
    steps.clear()
    whole = fit(killed)
    assert 0 < n_resumed < len(steps)
    query = typed_cells(2000, seed=9)
    difference = np.abs(resumed.predict_proba(query) - whole.predict_proba(query))
    assert difference.mean() < 1e-3 and (resumed.predict(query) == whole.predict(query)).mean() > 0.998


def test_cells_in_memory_have_no_state(tmp_path):
    with pytest.raises(ArgumentError, match="by the exact fit for cells on disk; leave it out"):
        GeneGCNClassifier().fit(typed_cells(60), "cell_type", checkpoint=tmp_path)
