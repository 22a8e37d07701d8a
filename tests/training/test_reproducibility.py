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
