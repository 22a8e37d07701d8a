"""Attention: merged genes give what all genes give, and an N × N matrix is never made."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from gene_gcn.nn import EmbeddedDotAttention, find_equal_genes
from gene_gcn.nn.attention import LARGEST_DENSE_GRAPH, attend

ALL_GENES = 20_499


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def attention_of(channels, key_channels=4, seed=0, dtype=torch.float64):
    attention = EmbeddedDotAttention(channels, key_channels).to(dtype)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng(seed)) / 3)
    return attention


def dense_attention(query, key, value, multiplicity):
    """The equation, with the graph written out in double precision."""
    query, key, value, multiplicity = (t.double() for t in (query, key, value, multiplicity))
    score = query @ key.transpose(1, 2) / math.sqrt(query.size(-1))
    score = score - score.amax(2, keepdim=True)
    weight = multiplicity.unsqueeze(1) * score.exp()                    # (B, N, M)
    return (weight / weight.sum(2, keepdim=True)) @ value


def every_gene(attention, x):
    """Attention over all genes, by the equation."""
    theta, phi = attention.theta(x), attention.phi(x)
    return dense_attention(theta, phi, x, torch.ones(x.shape[:2]))


def assert_equal_groups(equal, x):
    """Groups of `equal` are the sets of equal genes of `x`, each gene in exactly one."""
    group = torch.zeros(x.shape[:2], dtype=torch.int64)
    group[equal.cell, equal.gene] = equal.group
    assert (equal.group > 0).all()
    for features, groups, first, size in zip(x, group, equal.first, equal.size, strict=True):
        same_feature = (features.unsqueeze(0) == features.unsqueeze(1)).all(2)
        assert torch.equal(same_feature, groups.unsqueeze(0) == groups.unsqueeze(1))
        assert torch.equal(size, torch.bincount(groups, minlength=len(size)).to(size))
        assert torch.equal(groups[first[size > 0]], torch.nonzero(size > 0).flatten())
    assert torch.equal(equal.spread(equal.distinct(x), x.size(1)), x)


@st.composite
def cells(draw):
    """Features (B, N, C) in double precision with none, some or only equal genes."""
    b, n, c = draw(st.integers(1, 3)), draw(st.integers(1, 12)), draw(st.integers(1, 4))
    generator = rng(draw(st.integers(0, 2**32)))
    largest = draw(st.sampled_from([0, 1, 3, 8, None]))
    if largest is None:
        x = torch.rand(b, n, c, generator=generator)
    else:
        x = torch.randint(0, largest + 1, (b, n, 1), generator=generator) * torch.ones(c)
        if draw(st.booleans()):                                         # learned vectors times expression
            x = x * torch.randn(n, c, generator=generator)
    return x.double()


# ---- attend ----


@settings(deadline=None, max_examples=60)
@given(b=st.integers(1, 3), n=st.integers(1, 9), m=st.integers(1, 9), d=st.integers(1, 9),
       c=st.integers(1, 9), seed=st.integers(0, 2**32), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_attend_equals_its_equation(b, n, m, d, c, seed, dtype):
    generator = rng(seed)
    query, key, value = (torch.randn(shape, generator=generator, dtype=dtype)
                         for shape in ((b, n, d), (b, m, d), (b, m, c)))
    multiplicity = torch.randint(0, 30_000, (b, m), generator=generator).to(dtype)
    multiplicity[:, 0] += 1                                             # something to attend to
    out = attend(query, key, value, multiplicity)
    expected = dense_attention(query, key, value, multiplicity)
    assert out.shape == (b, n, c) and out.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert (out - expected).abs().max() <= tolerance * value.abs().max()
    ones = torch.ones(b, m, dtype=dtype)
    torch.testing.assert_close(attend(query, key, value), attend(query, key, value, ones))


def test_a_multiplicity_is_a_repetition():
    query, key, value = (torch.randn(2, 3, 4, generator=rng(i), dtype=torch.float64) for i in range(3))
    times = torch.tensor([2, 1, 5])
    torch.testing.assert_close(
        attend(query, key, value, times.double().expand(2, -1)),
        attend(query, key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)))


def test_keys_of_multiplicity_0_take_no_part_and_get_no_gradient():
    query, key, value = (torch.randn(1, 4, 3, generator=rng(i), requires_grad=True) for i in range(3))
    out = attend(query, key, value, torch.tensor([[2.0, 0, 1, 0]]))
    kept = attend(query, key[:, ::2], value[:, ::2], torch.tensor([[2.0, 1]]))
    torch.testing.assert_close(out, kept)
    out.square().sum().backward()
    for tensor in (query, key, value):
        assert tensor.grad.isfinite().all()
    assert not key.grad[:, 1::2].any() and not value.grad[:, 1::2].any()


# ---- equal genes ----


@settings(deadline=None, max_examples=80)
@given(cells())
def test_equal_genes_are_found_and_listed_without_the_largest_group(x):
    equal = find_equal_genes(x)
    assert_equal_groups(equal, x)
    assert torch.equal(equal.size[:, 0], equal.size.amax(1))
    assert len(equal.gene) == x.size(0) * x.size(1) - int(equal.size[:, 0].sum())


def test_genes_of_the_same_projection_but_unequal_features_stay_apart():
    x = torch.tensor([[[1e30, 0.0], [1e30, 1.0], [1e30, 0.0]]])        # 1 is lost in 1e30, even in double
    equal = find_equal_genes(x)
    assert torch.equal(equal.spread(equal.distinct(x), 3), x)


def test_zero_of_either_sign_is_one_value():
    equal = find_equal_genes(torch.tensor([[[0.0], [-0.0], [1.0]]]))
    assert equal.size.tolist() == [[2, 1]]


# ---- EmbeddedDotAttention ----


@settings(deadline=None, max_examples=80)
@given(cells(), st.integers(1, 5), st.integers(0, 2**32))
def test_merged_equals_dense_in_values_and_parameter_gradients(x, key_channels, seed):
    attention = attention_of(x.size(-1), key_channels, seed)
    weight = torch.randn(x.shape, generator=rng(seed + 1), dtype=torch.float64)
    parameters = list(attention.parameters())
    results = [attention(x), attention(x, find_equal_genes(x)), every_gene(attention, x)]
    gradients = [torch.autograd.grad((out * weight).sum(), parameters) for out in results]
    for out, gradient in zip(results[:2], gradients[:2], strict=True):
        torch.testing.assert_close(out, results[2])
        torch.testing.assert_close(gradient, gradients[2])


@settings(deadline=None, max_examples=40)
@given(cells(), st.integers(0, 2**32))
def test_gradient_of_x(x, seed):
    """Exact for every gene without groups; with groups, each group's sum arrives at its first gene."""
    attention = attention_of(x.size(-1), seed=seed)
    weight = torch.randn(x.shape, generator=rng(seed + 1), dtype=torch.float64)
    equal = find_equal_genes(x)
    x.requires_grad_()
    alone, grouped, expected = (torch.autograd.grad((out * weight).sum(), x)[0] for out in
                                (attention(x), attention(x, equal), every_gene(attention, x)))
    torch.testing.assert_close(alone, expected)

    group = torch.zeros(x.shape[:2], dtype=torch.int64)
    group[equal.cell, equal.gene] = equal.group
    at = group.unsqueeze(-1).expand(-1, -1, x.size(-1))
    per_group = torch.zeros_like(equal.distinct(x)).scatter_add(1, at, expected)
    torch.testing.assert_close(equal.distinct(grouped) * (equal.size > 0).unsqueeze(-1), per_group)
    torch.testing.assert_close(grouped.sum(1), expected.sum(1))        # and nothing anywhere else


@settings(deadline=None, max_examples=60)
@given(cells(), st.integers(0, 2**32))
def test_single_precision_is_exact_to_1e_5_and_finite(x, seed):
    attention = attention_of(x.size(-1), seed=seed)
    expected = every_gene(attention, x.float().double())
    out = attention.float()(x.float())
    assert out.isfinite().all()
    assert (out - expected).norm() <= 1e-5 * x.norm()


def test_counts_of_a_whole_transcriptome_merge_exactly():
    counts = torch.poisson(torch.full((2, 3000, 1), 0.3), rng())
    x = (counts * torch.randint(1, 9, counts.shape, generator=rng(1))).sqrt()
    attention = attention_of(1, 16, dtype=torch.float32)
    expected = every_gene(copy.deepcopy(attention).double(), x.double())
    assert ((attention(x) - expected).abs() <= 1e-5 * expected.abs()).all()


def test_ragged_batch_equals_cells_one_by_one():
    x = torch.zeros(4, 6, 1, dtype=torch.float64)                      # 1, 2, 6 and 1 distinct values
    x[1, 2], x[2, :, 0], x[3] = 3, torch.arange(6), 5
    attention, equal = attention_of(1), find_equal_genes(x)
    assert (equal.size > 0).sum(1).tolist() == [1, 2, 6, 1]
    torch.testing.assert_close(attention(x), torch.cat([attention(cell) for cell in x.split(1)]))


def test_equal_genes_get_equal_results_and_permuted_genes_permuted_ones():
    x = torch.randint(0, 3, (2, 9, 1), generator=rng()).double() * torch.ones(3)
    attention, order = attention_of(3), torch.randperm(9, generator=rng())
    out = attention(x)
    torch.testing.assert_close(attention(x[:, order]), out[:, order])
    for cell, result in zip(x, out, strict=True):
        for value in cell.unique(dim=0):
            assert len(result[(cell == value).all(1)].unique(dim=0)) == 1


def test_the_transform_is_applied_to_every_gene():
    x, lin = torch.randint(0, 3, (2, 7, 2), generator=rng()).double(), torch.nn.Linear(2, 5).double()
    attention = attention_of(2)
    torch.testing.assert_close(attention(x, transform=lin), lin(attention(x)))
    torch.testing.assert_close(attention(x.requires_grad_(), transform=lin), lin(attention(x)))


def test_reset_parameters_draws_new_ones():
    attention = EmbeddedDotAttention(3)
    before = copy.deepcopy(attention.state_dict())
    attention.reset_parameters()
    assert all((value != before[name]).any() for name, value in attention.state_dict().items())


# ---- the graph itself ----


def test_graph_rows_sum_to_1_and_its_product_is_the_attention():
    x, attention = torch.randint(0, 4, (2, 8, 3), generator=rng()).double(), attention_of(3)
    graph = attention.graph(x)
    assert graph.shape == (2, 8, 8) and (graph > 0).all()
    torch.testing.assert_close(graph.sum(2), torch.ones(2, 8).double())
    torch.testing.assert_close(graph @ x, attention(x))
    torch.testing.assert_close(graph @ x, every_gene(attention, x))


def test_graph_of_too_many_genes_is_refused():
    assert ALL_GENES**2 > LARGEST_DENSE_GRAPH
    with pytest.raises(ValueError, match=r"\(1, 20499, 1\) would have 420,209,001 entries.*pass fewer cells"):
        attention_of(1, dtype=torch.float32).graph(torch.zeros(1, ALL_GENES, 1))


class LargestTensor(TorchDispatchMode):
    """Records the number of entries of the largest tensor that any operation returns."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.entries = max(self.entries, tensor.numel())
        return out


@pytest.mark.parametrize("channels, num_genes, largest", [(1, ALL_GENES, ALL_GENES), (4, 2000, 2000 * 32)])
def test_no_tensor_is_near_n_squared(channels, num_genes, largest):
    """One channel: none is larger than the cell itself. Distinct features: a few per gene."""
    x = torch.poisson(torch.full((1, num_genes, 1), 0.5), rng())
    if channels > 1:
        x = torch.randn(1, num_genes, channels, generator=rng())
    attention = attention_of(channels, 16, dtype=torch.float32)
    with LargestTensor() as seen:
        attention(x).square().sum().backward()
    assert num_genes <= seen.entries <= largest
