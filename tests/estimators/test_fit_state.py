"""A fit to cells on disk goes on where it was killed, alone or in two processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import joined_fit
import pytest
import torch
from joined_fit import CELLS, Stopped, fit, stop_after, tensors_of
from safetensors.torch import load_file, save_file
from stored_cells import typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import open_cells
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators.fit_state import NAME, FitState

TESTS = Path(joined_fit.__file__).parent
KILLED = """
import os, signal
from joined_fit import fit
from gene_gcn.cells import open_cells
from gene_gcn.estimators.fit_state import FitState

save, steps = FitState.save, []
def save_and_die(state, iterate):
    save(state, iterate)
    steps.append(1)
    if len(steps) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
FitState.save = save_and_die
fit(open_cells("cells.h5ad"), checkpoint="state")
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    typed_cells(CELLS).write_h5ad(path)
    return open_cells(path)


@pytest.fixture(scope="module")
def uninterrupted(cells, tmp_path_factory):
    """A fit, and what it saved after each step."""
    saved, save = [], FitState.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FitState, "save", lambda state, iterate: saved.append(iterate) or save(state, iterate))
        return fit(cells, checkpoint=tmp_path_factory.mktemp("state")), saved


@pytest.fixture
def state(cells, tmp_path):
    """A folder with the state of a fit that was stopped after its first step."""
    stop_in(cells, tmp_path, 1)
    return tmp_path


def stop_in(cells, folder, steps):
    proceed = stop_after(steps)
    try:
        with pytest.raises(Stopped):
            fit(cells, checkpoint=folder)
    finally:
        proceed()


def environment():
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("steps", [1, 2, -1])
def test_a_stopped_fit_goes_on_exactly(cells, uninterrupted, tmp_path, steps, monkeypatch):
    """After any of its steps, and after the last, when the other regressions were under way."""
    whole, saved = uninterrupted
    steps %= len(saved) + 1
    stop_in(cells, tmp_path, steps)
    further, save = [], FitState.save
    monkeypatch.setattr(FitState, "save", lambda state, iterate: further.append(1) or save(state, iterate))
    resumed = fit(cells, checkpoint=tmp_path)
    assert_same_bits(tensors_of(resumed), tensors_of(whole))
    assert resumed.history_.equals(whole.history_)
    assert len(further) == len(saved) - steps
    assert list(tmp_path.iterdir()) == []


def test_a_killed_fit_goes_on_exactly(cells, uninterrupted, tmp_path):
    typed_cells(CELLS).write_h5ad(tmp_path / "cells.h5ad")
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment())
    assert done.returncode == -signal.SIGKILL
    state = tmp_path / "state"
    assert [path.name for path in state.iterdir()] == [NAME]
    resumed = fit(open_cells(tmp_path / "cells.h5ad"), checkpoint=state)
    assert_same_bits(tensors_of(resumed), tensors_of(uninterrupted[0]))


def test_the_state_of_another_fit_is_refused(cells, state):
    with pytest.raises(ArgumentError, match="other cells, parameters or random state; pass another folder"):
        GeneGCNClassifier(random_state=1, device="cpu").fit(cells, "cell_type", checkpoint=state)
    assert (state / NAME).exists()


@pytest.mark.parametrize("damage", ["cut", "incomplete"])
def test_a_damaged_state_is_refused(cells, state, damage):
    file = state / NAME
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:50])
    else:
        tensors = load_file(file)
        del tensors["change.0"]
        save_file(tensors, file)
    with pytest.raises(ArgumentError, match="damaged"):
        fit(cells, checkpoint=state)


def test_cells_in_memory_have_no_state(tmp_path):
    with pytest.raises(ArgumentError, match="by the exact fit for cells on disk; leave it out"):
        GeneGCNClassifier().fit(typed_cells(60), "cell_type", checkpoint=tmp_path)


# ---- two processes ----


@pytest.fixture(scope="module")
def together(cells, tmp_path_factory):
    """What both of two processes found, see `joined_fit`."""
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("no gloo")
    folder = tmp_path_factory.mktemp("together")
    typed_cells(CELLS).write_h5ad(folder / "cells.h5ad")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, joined_fit.__file__, str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def test_two_stopped_processes_go_on_exactly(together):
    """Only the first needs to see the state, which it alone writes."""
    first, second = together
    assert (first["files"], second["files"]) == ([NAME], [])
    assert_same_bits(first["resumed"], first["uninterrupted"])
    assert_same_bits(second["resumed"], first["resumed"])


def test_two_processes_fit_what_one_fits(together, uninterrupted):
    """Each checks its own blocks, but cells are normalized by the same bits."""
    joint, alone = together[0]["uninterrupted"], tensors_of(uninterrupted[0])
    torch.testing.assert_close(joint, alone, atol=1e-5, rtol=1e-5)
    assert all(torch.equal(joint[name], alone[name]) for name in ("target_sum", "gene_share"))
    assert together[0]["in turn"] == together[1]["in turn"] == list(range(5))


def test_an_error_of_one_process_is_raised_in_both(together):
    first, second = together
    assert "holds a damaged exact-fit.safetensors; delete that file" in first["damaged state"]
    assert "cannot be read: slice 11 of process 1 is damaged. Copy" in first["damaged slice, checking"]
    assert "cannot be read: slice 160 of process 1 is damaged. Copy" in first["damaged slice, fitting"]
    for what in ("damaged state", "damaged slice, checking", "damaged slice, fitting"):
        assert first[what].startswith("ArgumentError: ") and first[what] == second[what]


def test_a_process_that_ends_too_early_is_told_of(together):
    assert together[0]["lost process"].startswith("LostProcessError: Another process of this fit has ended")
