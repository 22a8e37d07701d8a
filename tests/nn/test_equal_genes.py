"""Equal genes are found, listed without the background, and get the results of their group."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_reference import rng

from gene_gcn.nn import find_equal_genes


@st.composite
def cells(draw):
    """Draw features (B, N, C) in double precision, of which none, some or all are equal."""
    b, n, c = draw(st.integers(1, 3)), draw(st.integers(1, 12)), draw(st.integers(1, 4))
    generator = rng(draw(st.integers(0, 2**32)))
    largest = draw(st.sampled_from([0, 1, 3, 8, None]))
    if largest is None:
        x = torch.rand(b, n, c, generator=generator)
    else:
        x = torch.randint(0, largest + 1, (b, n, 1), generator=generator) * torch.ones(c)
        if draw(st.booleans()):  # learned vectors times expression
            x = x * torch.randn(n, c, generator=generator)
    return x.double()


def group_table(equal, x):
    group = torch.zeros(x.shape[:2], dtype=torch.int64)
    group[equal.cell, equal.gene] = equal.group
    return group


@settings(deadline=None, max_examples=80)
@given(cells())
def test_groups_are_the_sets_of_equal_genes(x):
    equal = find_equal_genes(x)
    assert (equal.group > 0).all()
    for features, groups, first, size in zip(x, group_table(equal, x), equal.first, equal.size, strict=True):
        same_feature = (features.unsqueeze(0) == features.unsqueeze(1)).all(2)
        assert torch.equal(same_feature, groups.unsqueeze(0) == groups.unsqueeze(1))
        assert torch.equal(size, torch.bincount(groups, minlength=len(size)).to(size))
        assert torch.equal(groups[first[size > 0]], torch.nonzero(size > 0).flatten())
    assert torch.equal(equal.spread(equal.distinct(x), x.size(1)), x)


@settings(deadline=None, max_examples=40)
@given(cells())
def test_largest_group_is_the_background_and_not_listed(x):
    equal = find_equal_genes(x)
    assert torch.equal(equal.size[:, 0], equal.size.amax(1))
    assert len(equal.gene) == x.size(0) * x.size(1) - int(equal.size[:, 0].sum())


@settings(deadline=None, max_examples=40)
@given(cells(), st.integers(0, 2**32))
def test_gradients_of_distinct_and_spread_are_the_sums_over_groups(x, seed):
    equal = find_equal_genes(x)
    group = group_table(equal, x).unsqueeze(-1).expand_as(x)
    rows = torch.randn(
        *equal.size.shape, x.size(2), generator=rng(seed), dtype=torch.float64, requires_grad=True
    )
    weight = torch.randn(x.shape, generator=rng(seed + 1), dtype=torch.float64)
    spread = torch.autograd.grad((equal.spread(rows, x.size(1)) * weight).sum(), rows)[0]
    torch.testing.assert_close(spread, torch.zeros_like(rows).scatter_add(1, group, weight))

    x.requires_grad_()
    distinct = torch.autograd.grad((equal.distinct(x) * rows.detach()).sum(), x)[0]
    shared = rows.detach() / equal.size.clamp(min=1).unsqueeze(-1)
    torch.testing.assert_close(distinct, shared.gather(1, group))


def test_unequal_features_with_the_same_projection_are_kept_apart():
    x = torch.tensor([[[1e30, 0.0], [1e30, 1.0], [1e30, 0.0]]])  # 1 is lost in 1e30, even in double
    equal = find_equal_genes(x)
    assert torch.equal(equal.spread(equal.distinct(x), 3), x)


def test_positive_and_negative_zero_are_equal():
    equal = find_equal_genes(torch.tensor([[[0.0], [-0.0], [1.0]]]))
    assert equal.size.tolist() == [[2, 1]]


@pytest.mark.parametrize("shape", [(0, 7, 2), (2, 0, 2), (0, 0, 1)])
def test_no_cells_or_genes_have_no_groups(shape):
    x = torch.zeros(shape)
    equal = find_equal_genes(x)
    assert not len(equal.cell) and len(equal.size) == shape[0]
    assert torch.equal(equal.spread(equal.distinct(x), shape[1]), x)
