"""Attention: every method equals the graph written out, and none makes an N × N matrix."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_reference import LargestTensor, attention_of, average, double, graphs, relative_error, rng

from gene_gcn.nn import DotAttention, EmbeddedDotAttention, find_equal_genes
from gene_gcn.nn.attention import MAX_DENSE_ENTRIES, MAX_UNFUSED_KEYS, attend

ALL_GENES = 20_499
FUNCTIONS = ["embedded_dot", "dot", "additive"]


# ---- attend ----


def dense_attention(query, key, value, multiplicity):
    """The equation, with the graph written out in double precision."""
    query, key, value, multiplicity = (t.double() for t in (query, key, value, multiplicity))
    score = query @ key.transpose(1, 2)
    score = score - score.amax(2, keepdim=True)
    weight = multiplicity.unsqueeze(1) * score.exp()  # (B, Q, M)
    return (weight / weight.sum(2, keepdim=True)) @ value


@settings(deadline=None, max_examples=60)
@given(
    b=st.integers(1, 3),
    n=st.integers(1, 9),
    m=st.sampled_from([1, 2, 9, MAX_UNFUSED_KEYS, MAX_UNFUSED_KEYS + 1]),
    d=st.integers(1, 9),
    c=st.integers(1, 9),
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_attend_equals_its_equation(b, n, m, d, c, seed, dtype):
    generator = rng(seed)
    query, key, value = (
        torch.randn(shape, generator=generator, dtype=dtype) for shape in ((b, n, d), (b, m, d), (b, m, c))
    )
    multiplicity = torch.randint(0, 30_000, (b, m), generator=generator).to(dtype)
    multiplicity[:, 0] += 1  # something to attend to
    out = attend(query, key, value, multiplicity)
    expected = dense_attention(query, key, value, multiplicity)
    assert out.shape == (b, n, c) and out.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert (out - expected).abs().max() <= tolerance * value.abs().max()
    ones = torch.ones(b, m, dtype=dtype)
    torch.testing.assert_close(attend(query, key, value), attend(query, key, value, ones))


@pytest.mark.parametrize("repeats", [1, 100])
def test_multiplicities_equal_repetitions(repeats):
    query, key, value = (
        torch.randn(2, 3 * repeats, 4, generator=rng(i), dtype=torch.float64) for i in range(3)
    )
    times = torch.tensor([2, 1, 5] * repeats)
    torch.testing.assert_close(
        attend(query, key, value, times.double().expand(2, -1)),
        attend(query, key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)),
    )


@pytest.mark.parametrize("repeats", [1, 100])
def test_keys_of_multiplicity_0_are_ignored_and_get_no_gradient(repeats):
    query, key, value = (
        torch.randn(1, 4 * repeats, 3, generator=rng(i), requires_grad=True) for i in range(3)
    )
    out = attend(query, key, value, torch.tensor([[2.0, 0, 1, 0] * repeats]))
    kept = attend(query, key[:, ::2], value[:, ::2], torch.tensor([[2.0, 1] * repeats]))
    torch.testing.assert_close(out, kept)
    out.square().sum().backward()
    for tensor in (query, key, value):
        assert tensor.grad.isfinite().all()
    assert not key.grad[:, 1::2].any() and not value.grad[:, 1::2].any()


# ---- every function, every method ----


@st.composite
def problems(draw):
    """Draw an attention, cells with no, some or only equal genes, W of each graph, and an output gradient."""
    function = draw(st.sampled_from(FUNCTIONS))
    heads = draw(st.integers(1, 3))
    channels = heads * draw(st.integers(1, 2)) if function == "dot" else draw(st.integers(1, 4))
    b, n, c_out = draw(st.integers(1, 3)), draw(st.integers(1, 12)), draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**32))
    generator = rng(seed)
    largest = draw(st.sampled_from([0, 1, 3, None]))
    if largest is None:
        x = torch.randn(b, n, channels, generator=generator)
    else:
        x = torch.randint(0, largest + 1, (b, n, 1), generator=generator) * torch.ones(channels)
        if draw(st.booleans()):  # learned vectors times expression
            x = x * torch.randn(n, channels, generator=generator)
    weight = torch.randn(heads, channels, c_out, generator=generator)
    grad_output = torch.randn(b, n, c_out, generator=generator)
    key_channels = draw(st.integers(1, 5))
    return attention_of(function, channels, heads, key_channels, seed, torch.float32), x, weight, grad_output


def with_gradients(call, attention, x, weight, grad_output):
    """Return the output and the gradients of x, W and the parameters."""
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    out = call(attention, x, weight)
    wanted = [x, weight, *attention.parameters()]
    return [out.detach()], torch.autograd.grad((out * grad_output).sum(), wanted)


METHODS = {
    "auto": lambda attention, x, weight: attention(x, weight),
    "flash": lambda attention, x, weight: attention(x, weight, method="flash"),
    "merged": lambda attention, x, weight: attention(x, weight, method="merged"),
    "equal genes known": lambda attention, x, weight: attention(x, weight, find_equal_genes(x)),
    "dense": lambda attention, x, weight: attention(x, weight, method="dense"),
}


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=60)
@given(problems())
def test_double_precision_equals_the_equation(method, problem):
    attention, *tensors = problem
    attention, tensors = double(attention), [t.double() for t in tensors]
    out, gradients = with_gradients(METHODS[method], attention, *tensors)
    expected, expected_gradients = with_gradients(average, attention, *tensors)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(gradients, expected_gradients)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=60)
@given(problems())
def test_single_precision_is_exact_to_1e_5(method, problem):
    attention, *tensors = problem
    tensors = [t.abs() for t in tensors]  # sums of one sign do not cancel
    out, gradients = with_gradients(METHODS[method], attention, *tensors)
    expected, expected_gradients = with_gradients(average, double(attention), *(t.double() for t in tensors))
    assert relative_error(out, expected) <= 1e-5  # also fails for NaN
    assert relative_error(gradients, expected_gradients) <= 1e-5


@pytest.mark.parametrize("function", FUNCTIONS)
def test_without_weights_the_graphs_are_averaged(function):
    attention, x = (
        attention_of(function, 4, heads=2),
        torch.randint(0, 3, (2, 9, 4), generator=rng()).double(),
    )
    torch.testing.assert_close(attention(x), average(attention, x))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_counts_of_a_whole_transcriptome_merge_exactly(function):
    counts = torch.poisson(torch.full((2, 3000, 1), 0.3), rng())
    x = (counts * torch.randint(1, 9, counts.shape, generator=rng(1))).sqrt()
    attention = attention_of(function, 1, dtype=torch.float32)
    expected = average(double(attention), x.double())
    assert ((attention(x) - expected).abs() <= 1e-5 * expected.abs()).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_large_scores_do_not_overflow(function):
    attention = attention_of(function, 1, dtype=torch.float32)
    x = torch.linspace(-300, 300, 7).view(1, 7, 1).repeat_interleave(2, 1)
    for call in METHODS.values():
        out = call(attention, x, torch.ones(1, 1, 1))
        torch.testing.assert_close(out.double(), average(double(attention), x.double()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nan_is_propagated(function):
    x = torch.rand(2, 6, 1, generator=rng())
    x[0, 3] = math.nan
    for name, call in METHODS.items():
        out = call(attention_of(function, 1, dtype=torch.float32), x, torch.ones(1, 1, 1))
        assert out[0].isnan().all() and out[1].isfinite().all(), name


def test_ragged_batch_equals_cells_one_by_one():
    x = torch.zeros(4, 6, 1, dtype=torch.float64)  # 1, 2, 6 and 1 distinct values
    x[1, 2], x[2, :, 0], x[3] = 3, torch.arange(6), 5
    equal = find_equal_genes(x)
    assert (equal.size > 0).sum(1).tolist() == [1, 2, 6, 1]
    for function in FUNCTIONS:
        attention = attention_of(function, 1)
        torch.testing.assert_close(attention(x), torch.cat([attention(cell) for cell in x.split(1)]))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_permuting_the_genes_permutes_the_output_and_equal_genes_get_equal_results(function):
    x = torch.randint(0, 3, (2, 9, 1), generator=rng()).double() * torch.ones(3)
    attention, order = attention_of(function, 3), torch.randperm(9, generator=rng())
    out = attention(x)
    torch.testing.assert_close(attention(x[:, order]), out[:, order])
    for cell, result in zip(x, out, strict=True):
        for value in cell.unique(dim=0):
            assert len(result[(cell == value).all(1)].unique(dim=0)) == 1


# ---- the graph itself ----


@pytest.mark.parametrize("function", FUNCTIONS)
def test_return_attention_gives_the_graphs_of_the_equation(function):
    x = torch.randint(0, 4, (2, 8, 4), generator=rng()).double()
    attention = attention_of(function, 4, heads=2)
    out, graph = attention(x, return_attention=True)
    assert graph.shape == (2, 2, 8, 8) and (graph > 0).all()
    torch.testing.assert_close(graph.sum(3), torch.ones(2, 2, 8).double())
    torch.testing.assert_close(graph, graphs(attention, x))
    torch.testing.assert_close(out, attention(x))


def test_graph_of_too_many_genes_is_rejected():
    assert ALL_GENES**2 > MAX_DENSE_ENTRIES
    x = torch.zeros(1, ALL_GENES, 1)
    for arguments in ({"method": "dense"}, {"return_attention": True}):
        with pytest.raises(
            ValueError, match=r"\(1, 20499, 1\) would have 420,209,001 entries.*another method"
        ):
            attention_of("embedded_dot", 1, dtype=torch.float32)(x, **arguments)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("channels", "num_genes", "largest"), [(1, ALL_GENES, ALL_GENES), (4, 2000, 2000 * 64)]
)
def test_no_tensor_is_near_n_squared(function, channels, num_genes, largest):
    """With one channel, none is larger than the cell; with distinct features, a few entries per gene."""
    x = torch.poisson(torch.full((1, num_genes, 1), 0.5), rng())
    if channels > 1:
        x = torch.randn(1, num_genes, channels, generator=rng()).requires_grad_()
    attention = attention_of(function, channels, dtype=torch.float32)
    weight = torch.eye(channels).unsqueeze(0).requires_grad_()
    with LargestTensor() as seen:
        attention(x, weight).square().sum().backward()
    assert num_genes <= seen.entries <= largest


# ---- as a module ----


def test_repr_shows_the_sizes():
    assert repr(DotAttention(6, heads=3)) == "DotAttention(6, heads=3)"
    assert "EmbeddedDotAttention(\n  8, heads=2\n" in repr(EmbeddedDotAttention(8, heads=2))


def test_unsupported_arguments_are_rejected():
    x = torch.rand(1, 5, 2)
    with pytest.raises(ValueError, match="method='fast' is unknown; choose one of"):
        EmbeddedDotAttention(2)(x, method="fast")
    with pytest.raises(
        ValueError, match=r"method='scalar' requires dot-product attention with one channel.*\(1, 5, 2\)"
    ):
        EmbeddedDotAttention(2)(x, method="scalar")
    with pytest.raises(ValueError, match="requires dot-product attention.*this is AdditiveAttention"):
        attention_of("additive", 1)(x[..., :1].double(), method="scalar")
    with pytest.raises(
        ValueError, match=r"too fine a grid to be exact for x of shape \(1, 5, 1\).* Use method='auto'"
    ):
        EmbeddedDotAttention(1)(x[..., :1], method="scalar")


# ---- half precision ----


@pytest.mark.parametrize("method", ["merged", "flash", "auto"])
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.half])
def test_many_genes_in_half_precision_are_close_to_double_precision(dtype, function, channels, method):
    attention = attention_of(function, channels, dtype=dtype)
    values = torch.poisson(torch.full((1, 2_000, 1), 0.8), rng()).sqrt()
    x = (values * torch.rand(2_000, channels, generator=rng(1)) if channels > 1 else values).to(dtype)
    weight = torch.eye(channels, dtype=dtype).unsqueeze(0)
    slope = torch.randn(1, 2_000, channels, generator=rng(2)).to(dtype)
    call = METHODS.get(method) or (lambda attention, x, weight: attention(x, weight, method=method))
    outs = with_gradients(call, attention, x, weight, slope)
    like = with_gradients(call, double(attention), x.double(), weight.double(), slope.double())
    tolerance = 10 * torch.finfo(dtype).eps
    for out, expected in (
        (outs[0][0], like[0][0]),
        (outs[1][0], like[1][0]),
    ):  # the output, the gradient of x
        assert out.dtype == dtype
        assert (out.double() - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.half])
def test_more_equal_genes_than_half_precision_can_count(dtype):
    attention, x = attention_of("dot", 2, dtype=dtype), torch.ones(1, 70_000, 2, dtype=dtype)
    torch.testing.assert_close(attention(x, method="merged"), x)


# ---- rows ----


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("channels", "heads"), [(1, 1), (4, 2)])
def test_rows_are_those_of_the_graph_written_out(name, channels, heads):
    attention = attention_of(name, channels, heads)
    x = torch.randn(3, 12, channels, generator=rng(0))
    index = torch.tensor([7, 0, 7])
    torch.testing.assert_close(attention.rows(x, index), attention.graph(x)[:, :, index])


def test_rows_of_all_genes_need_no_square_matrix():
    attention = attention_of("embedded_dot", 1, 1)
    with LargestTensor() as largest:
        rows = attention.rows(torch.rand(1, ALL_GENES, 1, generator=rng(0)), torch.tensor([3, 9]))
    assert rows.shape == (1, 1, 2, ALL_GENES) and largest.entries <= 4 * ALL_GENES
    torch.testing.assert_close(rows.sum(-1), torch.ones(1, 1, 2))
