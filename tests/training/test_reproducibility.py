from __future__ import annotations

import os
import threading

import pytest
import torch

from gene_gcn.training.reproducibility import count_threads, exclusive, seeded, torch_threads


def test_threads_are_counted_as_scikit_learn_counts_jobs():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert [count_threads(n) for n in (None, 1, 3, -1)] == [1, 1, 3, cores]
    assert count_threads(-2) == max(1, cores - 1)


def test_the_number_of_threads_is_restored():
    before = torch.get_num_threads()
    with torch_threads(before + 2):
        assert torch.get_num_threads() == before + 2
        with exclusive(1):
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with pytest.raises(KeyboardInterrupt), exclusive(before + 1):
        raise KeyboardInterrupt
    assert torch.get_num_threads() == before


def test_random_numbers_go_on_outside_as_before():
    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)
    first = torch.rand(1).item()
    with seeded(7):
        inside = torch.rand(1).item()
    assert [first, torch.rand(1).item()] == expected
    with seeded(7):
        assert torch.rand(1).item() == inside


def test_python_threads_take_turns():
    inside, most = [], []

    def work(number):
        with exclusive(1), seeded(number):
            inside.append(number)
            most.append(len(inside))
            torch.rand(10_000).sum()
            inside.remove(number)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == [1] * 8


PROGRAM = """
import multiprocessing
import numpy as np
from gene_gcn import GeneGCNClassifier

rng = np.random.default_rng(0)
X, y = rng.poisson(1.0, (90, 60)).astype(float), np.repeat(["a", "b", "c"], 30)
X[:30, :10] += 4
X[30:60, 10:20] += 4
options = {options}
model = GeneGCNClassifier(n_jobs=2, random_state=0, **options).fit(X, y)
expected = model.predict(X)

def work(number):
    again = GeneGCNClassifier(n_jobs=2, random_state=0, **options).fit(X, y)
    return bool((model.predict(X) == expected).all() and (again.predict(X) == expected).mean() > 0.8)

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map_async(work, range(2)).get(40))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a platform that forks")
@pytest.mark.parametrize("options", [{}, {"hidden_channels": (8,), "optimizer": "adam", "max_epochs": 5}])
def test_processes_forked_after_a_fit_with_threads_do_not_wait_forever(python, options):
    process = python(PROGRAM.replace("{options}", repr(options)))
    output, errors = process.communicate(timeout=120)
    assert output == "[True, True]\n", errors
