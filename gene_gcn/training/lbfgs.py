"""L-BFGS for several convex problems of the same shape at once, with a preconditioner.

`torch.optim.LBFGS` and SciPy's start from a multiple of the identity and take one problem. Regressions on
genes, whose principal components differ a thousandfold in variance, need a third of the steps from an inverse
that knows these; those of a cross-validation are small, and cost as much together as one of them alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

MEMORY = 8
MAX_ITERATIONS = 200
SUFFICIENT_DECREASE = 1e-4  # of what the slope promises (Armijo)
ROUNDING = 1e-6  # of the value, by which float32 may raise it
SMALLEST_STEP = 1e-6

Objective = Callable[[Tensor], tuple[Tensor, Tensor]]


class Minimum(NamedTuple):
    """Where the minimization of each problem (...) ended.

    Attributes
    ----------
    x : Tensor, shape (..., D, K)
    value : Tensor, shape (...)
    converged : Tensor of bool, shape (...)
    """

    x: Tensor
    value: Tensor
    converged: Tensor


class _Pair(NamedTuple):
    change: Tensor  # of x
    bend: Tensor  # the change of its gradient
    inverse: Tensor  # 1 over their product; 0 where that is too small


class _Step(NamedTuple):
    x: Tensor
    value: Tensor
    gradient: Tensor


@dataclass(frozen=True, eq=False)
class Iterate:
    """All that a minimization knows after a step: it goes on from here exactly as it would have.

    Attributes
    ----------
    steps : int
        So far.
    at : tuple of Tensor
        x (..., D, K), value (...) and gradient (..., D, K).
    active : Tensor of bool, shape (...)
        The problems that had not converged before the last step.
    pairs : tuple
        The changes of x and of the gradient in the last steps, the oldest first.
    """

    steps: int
    at: _Step
    active: Tensor
    pairs: tuple[_Pair, ...]

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved, by name."""
        named = {"steps": torch.tensor(self.steps), "active": self.active, **self.at._asdict()}
        for number, pair in enumerate(self.pairs):
            named |= {f"{name}.{number}": tensor for name, tensor in pair._asdict().items()}
        return named

    @classmethod
    def from_tensors(cls, named: Mapping[str, Tensor]) -> Iterate:
        """Rebuild what `tensors` returned.

        Raises
        ------
        KeyError
            A tensor is missing.
        """
        steps = int(named["steps"])
        at = _Step(*(named[name] for name in _Step._fields))
        pairs = [
            _Pair(*(named[f"{name}.{number}"] for name in _Pair._fields))
            for number in range(min(steps, MEMORY))
        ]
        return cls(steps, at, named["active"], tuple(pairs))

    def to(self, device: torch.device) -> Iterate:
        """Return the same on a device."""
        return Iterate.from_tensors({name: tensor.to(device) for name, tensor in self.tensors().items()})


def minimize(
    objective: Objective,
    start: Tensor | Iterate,
    precondition: Callable[[Tensor], Tensor],
    tolerance: float,
    after_step: Callable[[Iterate], None] | None = None,
) -> Minimum:
    """Minimize convex functions of (D, K) matrices (Nocedal & Wright 2006, algorithm 7.5).

    Parameters
    ----------
    objective : callable
        From points (..., D, K) to positive values (...) and gradients (..., D, K).
    start : Tensor, shape (..., D, K), or Iterate
        Where another minimization of the same functions stopped, to go on from there.
    precondition : callable
        Multiply gradients by an approximate inverse of the Hessian, symmetric and positive.
    tolerance : float
        A problem has converged when its value can be expected to fall by less than this fraction of it.
    after_step : callable, optional
        Is given what is known after each step.
    """
    if isinstance(start, Tensor):
        at = _Step(start, *objective(start))
        start = Iterate(0, at, torch.ones_like(at.value, dtype=torch.bool), ())
    at, active, pairs = start.at, start.active, deque(start.pairs, MEMORY)
    for steps in range(start.steps + 1, MAX_ITERATIONS + 1):
        direction = -_inverse_hessian(at.gradient, pairs, precondition)
        slope = _dot(at.gradient, direction)
        active = active & (-slope / 2 > tolerance * at.value)
        if not active.any():
            break
        step = _search_line(objective, at, direction, slope, active)
        change, bend = step.x - at.x, step.gradient - at.gradient
        curvature = _dot(change, bend)
        usable = curvature > 1e-12 * _dot(bend, bend)
        pairs.append(_Pair(change, bend, torch.where(usable, 1 / curvature, 0.0)))
        at = step
        if after_step is not None:
            after_step(Iterate(steps, at, active, tuple(pairs)))
    return Minimum(at.x, at.value, ~active)


def _inverse_hessian(
    gradient: Tensor,
    pairs: deque[_Pair],
    precondition: Callable[[Tensor], Tensor],
) -> Tensor:
    """Multiply gradients by the estimate of the inverse Hessian: two loops over the last steps."""
    result, shares = gradient.clone(), []
    for change, bend, inverse in reversed(pairs):
        share = inverse * _dot(change, result)
        result -= _wide(share) * bend
        shares.append(share)
    result = precondition(result)
    if pairs:
        _, bend, inverse = pairs[-1]
        length = inverse * _dot(bend, precondition(bend))
        result = result / _wide(torch.where(length > 0, length, 1.0))
    for (change, bend, inverse), share in zip(pairs, reversed(shares), strict=True):
        result += _wide(share - inverse * _dot(bend, result)) * change
    return result


def _search_line(objective: Objective, at: _Step, direction: Tensor, slope: Tensor, active: Tensor) -> _Step:
    """Shorten the step of each active problem until its value falls; the other problems stay."""
    length = torch.where(active, 1.0, 0.0).to(slope.dtype)
    while True:
        x = at.x + _wide(length) * direction
        value, gradient = objective(x)
        allowed = at.value + SUFFICIENT_DECREASE * length * slope + ROUNDING * at.value
        failed = ~(value <= allowed) & (length > SMALLEST_STEP)
        if not failed.any():
            return _Step(x, value, gradient)
        parabola = -slope * length**2 / (2 * (value - at.value - slope * length))
        shorter = torch.clamp(parabola.nan_to_num(0.0), 0.1 * length, 0.5 * length)
        length = torch.where(failed, shorter, length)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1))


def _wide(scalar: Tensor) -> Tensor:
    return scalar[..., None, None]
