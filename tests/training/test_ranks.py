"""Two processes train what one trains, and go on after they are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import joined_training
import pytest
import torch

from gene_gcn.training.data import ShuffledBatches
from gene_gcn.training.distributed import same_everywhere
from gene_gcn.training.ranks import join_processes, own_device

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()), reason="no gloo"
)


def run_two_processes(*arguments):
    tests = Path(joined_training.__file__)
    path = os.pathsep.join([str(tests.parents[1]), str(tests.parent)])
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*launch, str(tests), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Results of both processes, which were killed in the third epoch of the first training before."""
    folder = tmp_path_factory.mktemp("together")
    killed = run_two_processes(folder, "kill")
    assert killed.returncode and "SIGKILL" in killed.stderr
    assert [path.name for path in (folder / "state").iterdir()] == ["gradient-training.ckpt"]
    done = run_two_processes(folder)
    assert done.returncode == 0, done.stderr
    assert "lightning" not in done.stdout + done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)], folder


def test_two_processes_train_what_one_trains(together):
    (first, _), _ = together
    model, history = joined_training.train_one(16)
    torch.testing.assert_close(first["weights"], dict(model.state_dict()), atol=1e-5, rtol=0)
    for ours, theirs in zip(first["history"], history, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    untrained = joined_training.model_of(learn_mixing=True).state_dict()
    assert all((first["weights"][name] - untrained[name]).abs().max() > 1e-4 for name in untrained)


def test_all_processes_end_with_the_same_model(together):
    """Also if each would draw a random state of its own, as the estimators do here."""
    (first, second), _ = together
    for name in ("weights", "resumed", "classifier", "embedding"):
        assert all(torch.equal(value, second[name][key]) for key, value in first[name].items()), name
    assert first["history"] == second["history"]


def test_processes_take_different_cells(together):
    (first, second), _ = together
    alone = list(ShuffledBatches(joined_training.CELLS, 16, seed=3))
    joint = [sorted(a + b) for a, b in zip(first["order"], second["order"], strict=True)]
    assert joint == [sorted(batch) for batch in alone]  # no cell is in two places
    assert second["order"][-1] == []


def test_killed_processes_go_on_where_they_were(together):
    (first, _), folder = together
    assert all(torch.equal(first["uninterrupted"][key], value) for key, value in first["resumed"].items())
    assert list((folder / "state").iterdir()) == []


def test_one_process_joins_nobody():
    join_processes("cpu")
    assert not torch.distributed.is_initialized()
    assert same_everywhere(7) == 7 and own_device("cpu") == torch.device("cpu")
