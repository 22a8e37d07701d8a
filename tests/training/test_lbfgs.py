"""L-BFGS on quadratic functions, whose minimum is known."""

from __future__ import annotations

import pytest
import torch

from gene_gcn.training import lbfgs
from gene_gcn.training.lbfgs import Iterate, minimize


@pytest.fixture
def quadratics():
    """Three problems of a thousandfold range of curvatures: objective, minima, curvatures, calls so far."""
    minima = torch.randn(3, 30, 2, generator=torch.Generator().manual_seed(0))
    curvatures = 10 ** torch.linspace(-1.5, 1.5, 30)[:, None]
    calls = []

    def objective(x):
        calls.append(x)
        distance = x - minima
        return 1 + (curvatures * distance.square()).sum((-2, -1)) / 2, curvatures * distance

    return objective, minima, curvatures, calls


def identity(gradient):
    return gradient


def test_all_problems_reach_their_minimum(quadratics):
    objective, minima, *_ = quadratics
    found = minimize(objective, torch.zeros_like(minima), identity, tolerance=1e-6)
    assert found.converged.all()
    assert (objective(found.x)[0] < 1.0001).all()


def test_the_inverse_of_the_hessian_takes_one_step(quadratics):
    objective, minima, curvatures, calls = quadratics
    found = minimize(objective, torch.zeros_like(minima), lambda gradient: gradient / curvatures, 1e-6)
    torch.testing.assert_close(found.x, minima, atol=1e-4, rtol=1e-4)
    assert len(calls) == 2


@pytest.mark.parametrize("steps", [2, 200])
def test_each_problem_says_whether_it_converged_and_then_stays(quadratics, steps, monkeypatch):
    monkeypatch.setattr(lbfgs, "MAX_ITERATIONS", steps)
    objective, minima, *_ = quadratics
    start = minima.clone()
    start[1:] = 0
    found = minimize(objective, start, identity, tolerance=1e-6)
    assert torch.equal(found.x[0], minima[0])
    assert found.converged.tolist() == [True, steps == 200, steps == 200]


def test_a_minimization_goes_on_exactly_from_any_of_its_steps(quadratics, monkeypatch):
    monkeypatch.setattr(lbfgs, "MAX_ITERATIONS", 20)  # before two of the problems have converged
    objective, minima, *_ = quadratics
    start, after = torch.zeros_like(minima), []
    start[0] = minima[0]
    whole = minimize(objective, start, identity, 1e-6, after.append)
    assert len(after) == 20 and whole.converged.tolist() == [True, False, False]
    for number, iterate in enumerate(after, 1):
        stored, rest = Iterate.from_tensors(iterate.tensors()), []
        resumed = minimize(objective, stored, identity, 1e-6, rest.append)
        assert all(torch.equal(one, other) for one, other in zip(resumed, whole, strict=True))
        assert len(rest) == 20 - number
