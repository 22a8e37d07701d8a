from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from training_cells import make_cells

from gene_gcn.nn import EmbeddedDotAttention, find_equal_genes
from gene_gcn.training.data import CellDataset


@st.composite
def matrices(draw):
    n, genes = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = rng.integers(0, draw(st.sampled_from([1, 2, 4, 10])), (n, genes)).astype(np.float32)
    X[rng.random(n) < 0.2] = 0  # cells without any expression
    X[rng.random(n) < 0.2] += 1  # cells without an unexpressed gene
    return X


@settings(deadline=None, max_examples=60)
@given(matrices(), st.sampled_from([1, 3]), st.integers(0, 2**32))
def test_the_groups_of_a_batch_are_those_of_its_features(X, channels, seed):
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randperm(len(X), generator=generator)[:4].tolist()
    x, equal, y = CellDataset(sparse.csr_matrix(X), channels=channels).__getitems__(cells)
    assert torch.equal(x, torch.from_numpy(X[cells])) and y is None
    vectors = torch.ones(1) if channels == 1 else torch.randn(X.shape[1], channels, generator=generator)
    features = (x.unsqueeze(-1) * vectors).double()
    found = find_equal_genes(features)
    assert torch.equal(equal.size.sum(1), found.size.sum(1))
    assert torch.equal(equal.spread(equal.distinct(features), X.shape[1]), features)
    if channels == 1:
        assert torch.equal((equal.size > 0).sum(1), (found.size > 0).sum(1))
    attention = EmbeddedDotAttention(channels, key_channels=4).double()
    torch.testing.assert_close(attention(features, equal=equal), attention(features, equal=found))
    torch.testing.assert_close(
        attention(features, equal=equal), attention.graph(features).squeeze(1) @ features
    )


def test_grouping_can_be_left_out_and_labels_follow_their_cells():
    X, y = make_cells()
    batch = CellDataset(X, y, group=False).__getitems__([5, 0, 7])
    assert batch.equal is None
    assert batch.y.tolist() == y[[5, 0, 7]].tolist()
    assert len(CellDataset(X, y)) == 90
