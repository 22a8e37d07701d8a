"""Attention over distinct values of one channel: exact within its error bound, or not used."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layer_reference import attention_of, average, double, relative_error, rng

from gene_gcn.nn.scalar_attention import MAX_INTERVALS, error_bound, grid_intervals, scalar_attention


def exact(x, scale, offset):
    """Compute g(a x_i + c), (B, H, N), with the graph written out."""
    t = scale.view(-1, 1) * x.unsqueeze(1) + offset.view(-1, 1)
    return ((t.unsqueeze(-1) * x[:, None, None, :]).softmax(-1) @ x[:, None, :, None]).squeeze(-1)


CELLS = {
    "even": lambda b, n, generator: torch.rand(b, n, generator=generator),
    "mostly near zero": lambda b, n, generator: torch.rand(b, n, generator=generator) ** 8,
    "two ends": lambda b, n, generator: (
        (torch.rand(b, n, generator=generator) < 0.5) + 1e-4 * torch.rand(b, n, generator=generator)
    ),
    "counts with noise": lambda b, n, generator: (
        torch.poisson(torch.full((b, n), 0.4), generator).sqrt() / 3
        + 0.01 * torch.rand(b, n, generator=generator)
    ),
    "one outlier": lambda b, n, generator: torch.cat(
        [0.1 * torch.rand(b, n - 1, generator=generator), torch.ones(b, 1)], 1
    ),
}


@settings(deadline=None, max_examples=80)
@given(
    kind=st.sampled_from(list(CELLS)),
    b=st.integers(1, 3),
    n=st.integers(140, 600),
    h=st.integers(1, 3),
    largest=st.floats(0.1, 8),
    seed=st.integers(0, 2**32),
)
def test_values_and_gradients_are_exact_to_1e_5(kind, b, n, h, largest, seed):
    generator = rng(seed)
    x = largest * CELLS[kind](b, n, generator)
    scale, offset = torch.randn(h, generator=generator) / 2, torch.randn(h, generator=generator) / 2
    intervals = grid_intervals(x, scale, offset)
    assume(intervals is not None)
    grad_output = torch.rand(b, h, n, generator=generator)  # all positive, so that sums do not cancel

    def with_gradients(call, dtype):
        tensors = [t.to(dtype).requires_grad_() for t in (x, scale, offset)]
        out = call(*tensors)
        return [out.detach()], torch.autograd.grad((out * grad_output.to(dtype)).sum(), tensors)

    out, gradients = with_gradients(lambda *tensors: scalar_attention(*tensors, intervals), torch.float32)
    expected, expected_gradients = with_gradients(exact, torch.float64)
    # Relative to the largest feature: a mean of many small and few large ones has fewer digits of its own.
    assert (out[0] - expected[0]).abs().max() <= 1e-5 * x.max()
    assert relative_error(gradients, expected_gradients) <= 3e-5


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(list(CELLS)),
    intervals=st.sampled_from([8, 16, 32, 64]),
    scale=st.floats(-2, 2),
    offset=st.floats(-2, 2),
    largest=st.floats(0.5, 6),
    seed=st.integers(0, 2**32),
)
def test_error_is_within_its_bound_even_on_coarse_grids(kind, intervals, scale, offset, largest, seed):
    x = largest * CELLS[kind](2, 200, rng(seed)).double()
    scale, offset = torch.tensor([scale]).double(), torch.tensor([offset]).double()
    extent = x.amax(1) - x.amin(1)
    steepest = (scale * x + offset).abs().amax(1)
    bound = error_bound(extent, steepest, scale.abs(), intervals)
    # The bound holds to first order in the error of the sums.
    assume((bound < 0.1 * extent).all())
    error = (scalar_attention(x, scale, offset, intervals) - exact(x, scale, offset)).abs().amax((1, 2))
    assert (error <= 1.2 * bound + 1e-12).all()


def test_bound_chooses_the_grid_and_rules_out_steep_functions():
    x, offset = torch.rand(2, 4000, generator=rng()), torch.zeros(1)
    grids = [grid_intervals(x, torch.tensor([a]), offset) for a in (0.5, 8.0, 60.0)]
    assert grids[0] < grids[1] < grids[2] <= MAX_INTERVALS
    assert grid_intervals(x, torch.tensor([1e5]), offset) is None
    assert grid_intervals(x, torch.tensor([1.0]), torch.tensor([1e6])) is None
    assert grid_intervals(x[:, :100], torch.tensor([0.5]), offset) is None  # too few genes to be worthwhile
    x[0, 0] = torch.nan
    assert grid_intervals(x, torch.tensor([0.5]), offset) is None


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("function", ["embedded_dot", "dot"])
def test_grid_is_chosen_for_distinct_values_and_flash_for_steep_functions(function, heads, monkeypatch):
    if function == "dot" and heads == 2:
        pytest.skip("the graphs of the dot product split the channels, so one channel allows one graph")
    used = []
    monkeypatch.setattr(
        "gene_gcn.nn.attention_functions.scalar_attention",
        lambda *args: used.append(args[3]) or scalar_attention(*args),
    )
    attention = attention_of(function, 1, heads, dtype=torch.float32)
    x = torch.rand(2, 700, 1, generator=rng(), requires_grad=True)
    expected = average(double(attention), x.double())
    assert relative_error([attention(x)], [expected]) <= 1e-5 and len(used) == 1
    assert relative_error([attention(x.detach())], [expected]) <= 1e-5 and len(used) == 2
    steep = 1000 * x
    torch.testing.assert_close(
        attention(steep).double(), average(double(attention), steep.double()), rtol=1e-3, atol=1e-3
    )
    assert len(used) == 2


def test_equal_values():
    x = torch.full((1, 200), 3.0, requires_grad=True)
    scale, offset = torch.tensor([0.5]), torch.tensor([0.1])
    out = scalar_attention(x, scale, offset, grid_intervals(x, scale, offset))
    torch.testing.assert_close(out, torch.full((1, 1, 200), 3.0))
    out.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones(1, 200))


def test_chunks_of_cells_give_the_same(monkeypatch):
    x, scale, offset = torch.rand(5, 300, generator=rng()), torch.tensor([0.7]), torch.tensor([0.1])
    whole = scalar_attention(x, scale, offset, 64)
    monkeypatch.setattr("gene_gcn.nn.scalar_attention.CHUNK_ENTRIES", 2 * 8 * 300)
    torch.testing.assert_close(scalar_attention(x, scale, offset, 64), whole)
