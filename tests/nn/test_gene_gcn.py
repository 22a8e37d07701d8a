"""GeneGCN: the model equals its equation written out with dense matrices."""

from __future__ import annotations

import copy

import pytest
import torch
from layer_reference import convolution, rng

from gene_gcn.errors import ArgumentError
from gene_gcn.networks import GeneNetwork
from gene_gcn.nn import GeneGCN, GlobalGraph, find_equal_genes

N, K = 9, 4


def model_of(channels=1, num_layers=1, **kwargs):
    """Return a model in double precision whose weights keep every part of the equation active."""
    model = GeneGCN(N, K, channels, num_layers, hidden_channels=(6, 5), key_channels=3, **kwargs)
    model = model.double().eval()
    with torch.no_grad():
        for seed, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=rng(seed)) / 2)
        for conv in model.convs:
            conv.lin.weight.abs_()
    return model


def expression(b=3):
    return torch.poisson(torch.full((b, N), 0.8), rng(7)).double()


def network():
    edges = torch.randint(0, N - 2, (2, 12), generator=rng(3))  # the last two genes have none
    return GeneNetwork([f"G{i}" for i in range(N)], edges, torch.rand(12, generator=rng(4)) + 0.1)


def adjacency():
    return network().adj_t.to_dense().double()


def equation(model, x, adj_t):
    """Compute the logits of expression (B, N) from dense matrices and the model's weights alone."""
    x = x.unsqueeze(-1)
    if model.gene_vectors is not None:
        x = x * model.gene_vectors
    for conv in model.convs:
        z = convolution(conv, x, adj_t).clamp(min=0)
        x = x + z if model.residual else z
    out = x.reshape(len(x), -1)
    *hidden, last = model.head.lins
    for lin in hidden:
        out = (out @ lin.weight.T + lin.bias).clamp(min=0)
    return out @ last.weight.T + last.bias


# ---- the equation ----


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("num_layers", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 4])
def test_equals_its_equation(channels, num_layers, residual):
    model, x, adj_t = model_of(channels, num_layers, residual=residual), expression(), adjacency()
    expected = equation(model, x, adj_t)
    assert expected.shape == (3, K) and expected.std() > 0
    torch.testing.assert_close(model(x, adj_t.to_sparse_csr()), expected)
    edges = adj_t.nonzero().T
    torch.testing.assert_close(model(x, edges.flip(0), adj_t[tuple(edges)]), expected)
    torch.testing.assert_close(model(x), equation(model, x, torch.zeros(N, N).double()))


@pytest.mark.parametrize("channels", [1, 4])
def test_equals_its_equation_without_the_individual_graph(channels):
    model, x, adj_t = model_of(channels, 2, attention=None), expression(), adjacency()
    torch.testing.assert_close(model(x, adj_t.to_sparse_csr()), equation(model, x, adj_t))


@pytest.mark.parametrize("channels", [1, 4])
def test_gradients_equal_those_of_the_equation(channels):
    model, x, adj_t = model_of(channels, 2), expression(), adjacency()
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(model(x, adj_t.to_sparse_csr()).square().sum(), parameters),
        torch.autograd.grad(equation(model, x, adj_t).square().sum(), parameters),
    )


@pytest.mark.parametrize("channels", [1, 4])
def test_equal_genes_stay_equal_through_layers_without_a_network(channels, monkeypatch):
    """All layers use the groups of the input and have the gradients of the equation."""
    model, x = model_of(channels, 3), expression()
    equal = find_equal_genes(model.embed(x).detach())
    monkeypatch.setattr("gene_gcn.nn.attention.find_equal_genes", None)  # no search
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(model(x, equal=equal).square().sum(), parameters),
        torch.autograd.grad(equation(model, x, 0).square().sum(), parameters),
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_stored_gene_by_gene(channels):
    """The product with the global graph then copies nothing; the output of a layer is stored the same way."""
    model, x = model_of(channels), expression().t().contiguous().t()
    features = model.embed(x)
    out = model.convs[0](features, adjacency().to_sparse_csr(), equal=find_equal_genes(features))
    for table in (features, out):
        assert table.transpose(0, 1).is_contiguous()


def test_without_layers_only_the_head_is_left():
    model, x = model_of(1, 0), expression()
    assert not len(model.convs)
    torch.testing.assert_close(model(x), model.head(x))
    torch.testing.assert_close(model(x, adjacency().to_sparse_csr()), model.head(x))


def test_the_diagonal_adds_each_gene_to_itself():
    model, x = model_of(1, 1, attention=None), expression()
    with_diagonal, expected = network().with_diagonal(1).adj_t.double(), adjacency() + torch.eye(N).double()
    torch.testing.assert_close(with_diagonal.to_dense(), expected)
    torch.testing.assert_close(model(x, with_diagonal), equation(model, x, expected))
    assert (model(x, with_diagonal) - model(x, adjacency().to_sparse_csr())).abs().max() > 1e-3


# ---- every form of the input gives the same ----


@pytest.mark.parametrize("channels", [1, 4])
def test_expression_or_features_of_cells_or_batches_give_the_same(channels):
    model, x, adj_t = model_of(channels), expression(), adjacency().to_sparse_csr()
    expected, features = model(x, adj_t), model.embed(x)
    assert features.shape == (3, N, channels)
    torch.testing.assert_close(model(features, adj_t), expected)
    for cell, feature, logits in zip(x, features, expected, strict=True):
        assert model(cell, adj_t).shape == (K,)
        torch.testing.assert_close(model(cell, adj_t), logits)
        torch.testing.assert_close(model(feature, adj_t), logits)
        torch.testing.assert_close(model(cell.unsqueeze(0), adj_t), logits.unsqueeze(0))


@pytest.mark.parametrize(("num_genes", "channels"), [(1, 1), (3, 3)])
def test_square_input_is_taken_as_expression(num_genes, channels):
    model = GeneGCN(num_genes, K, channels, hidden_channels=(5,)).eval()
    x = torch.rand(num_genes, num_genes, generator=rng())
    assert model(x).shape == (num_genes, K)
    torch.testing.assert_close(model(x), torch.stack([model(cell) for cell in x]))


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("channels", [1, 4])
def test_given_and_found_groups_of_equal_genes_give_the_same(channels, num_layers):
    model, x = model_of(channels, num_layers), expression()
    equal = find_equal_genes(model.embed(x))
    torch.testing.assert_close(model(x, equal=equal), model(x))
    of_values = find_equal_genes(x.unsqueeze(-1))
    if channels == 1:
        torch.testing.assert_close(model(x, equal=of_values), model(x))
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(model(x, equal=equal).square().sum(), parameters),
        torch.autograd.grad(model(x).square().sum(), parameters),
    )


@pytest.mark.parametrize("channels", [1, 4])
def test_permuting_genes_with_network_and_weights_keeps_the_logits(channels):
    model, x, adj_t = model_of(channels, 2), expression(), adjacency()
    order = torch.randperm(N, generator=rng())
    permuted = copy.deepcopy(model)
    with torch.no_grad():
        first = permuted.head.lins[0].weight
        first.copy_(first.unflatten(1, (N, channels))[:, order].flatten(1))
        if channels > 1:
            permuted.gene_vectors.copy_(model.gene_vectors[order])
    torch.testing.assert_close(
        permuted(x[:, order], adj_t[order][:, order].to_sparse_csr()), model(x, adj_t.to_sparse_csr())
    )


def test_input_of_the_head_is_the_fused_features():
    model, x, adj_t = model_of(4), expression(), adjacency().to_sparse_csr()
    fused = model.fuse(x, adj_t)
    assert fused.shape == (3, N * 4)
    torch.testing.assert_close(model.head(fused), model(x, adj_t))


# ---- as a module ----


def test_copies_and_restored_states_give_the_same():
    model, x = model_of(4, 2), expression()
    restored = GeneGCN(N, K, 4, 2, hidden_channels=(6, 5), key_channels=3).double().eval()
    assert (restored(x) != model(x)).any()
    restored.load_state_dict(model.state_dict())
    for other in (copy.deepcopy(model), restored):
        assert torch.equal(other(x), model(x))


def test_initial_weights_are_scaled_by_the_number_of_inputs():
    model = GeneGCN(400, 3, channels=4, hidden_channels=(50, 20))
    for lin in model.head.lins:
        bound = lin.in_channels**-0.5
        for values in (lin.weight, lin.bias):
            assert values.abs().max() <= bound
        assert lin.weight.abs().max() > 0.9 * bound
    assert model.gene_vectors.square().sum(1).mean().item() == pytest.approx(1, abs=0.2)
    before = copy.deepcopy(model.state_dict())
    model.reset_parameters()
    after = model.state_dict()
    changed = {name for name in before if (before[name] != after[name]).any()}
    # W starts as the identity, and the bias of θ at zero
    assert changed == before.keys() - {"convs.0.lin.weight", "convs.0.attention.theta.bias"}
    assert torch.equal(after["convs.0.lin.weight"], torch.eye(4))


def test_dropout_is_active_only_during_training():
    model, x = model_of(dropout=0.5), expression()
    torch.testing.assert_close(model(x), model(x))
    model.train()
    assert (model(x) != model(x)).any()


@pytest.mark.parametrize("channels", [1, 4])
def test_bfloat16_autocast_runs(channels):
    model, x = model_of(channels).float(), expression().float()
    adj_t = adjacency().float().to_sparse_csr()
    with torch.autocast("cpu", torch.bfloat16):
        out = model(x, adj_t)
    torch.testing.assert_close(out.float(), model(x, adj_t), rtol=0.1, atol=0.3)


@pytest.mark.parametrize("attention", ["embedded_dot", "dot", "additive", None])
@pytest.mark.parametrize("num_layers", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.half, 0.01)])
def test_half_precision_is_close_to_double_precision(dtype, tolerance, channels, num_layers, attention):
    model, x = model_of(channels, num_layers, attention=attention).to(dtype), expression().to(dtype)
    adj_t = adjacency().float().to_sparse_csr()
    for graph in (adj_t, GlobalGraph(adj_t).prepare(), None):
        if graph is None and attention is None:
            continue
        out, expected = model(x, graph), copy.deepcopy(model).double()(x.double(), graph)
        assert out.dtype == dtype
        assert (out - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("num_layers", [0, 1])
@pytest.mark.parametrize("channels", [1, 4])
def test_integers_and_lower_precision_are_converted_and_higher_precision_is_rejected(channels, num_layers):
    model, x = model_of(channels, num_layers).float(), expression()
    for dtype in (torch.int64, torch.uint8, torch.half):
        assert torch.equal(model(x.to(dtype)), model(x.float()))
    message = (
        r"x has data type torch.float64, but the model has torch.float32\. Pass x.to\(torch.float32\), or"
    )
    with pytest.raises(ArgumentError, match=message):
        model(x)


@pytest.mark.parametrize("num_layers", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 4])
def test_no_cells_have_no_logits(channels, num_layers):
    model, adj_t = model_of(channels, num_layers), adjacency().to_sparse_csr()
    for graph in (None, adj_t):
        assert model(expression()[:0], graph).shape == (0, K)


@pytest.mark.parametrize("channels", [1, 4])
def test_nan_gives_its_cell_alone_no_logits(channels):
    model, x, adj_t = model_of(channels, 2), expression(), adjacency().to_sparse_csr()
    expected = model(x, adj_t)
    x[1, 2] = torch.nan
    out = model(x, adj_t)
    assert out[1].isnan().all()
    torch.testing.assert_close(out[[0, 2]], expected[[0, 2]])


# ---- invalid input ----


@pytest.mark.parametrize(
    ("channels", "shape"),
    [(1, (3, N + 1)), (1, ()), (1, (N, 2)), (4, (3, N, 3)), (4, (2, 3, N)), (4, (N, 1))],
)
def test_wrong_number_of_genes_or_channels_is_rejected(channels, shape):
    shown = r"\(" + ", ".join(map(str, shape)) + r",?\)"
    expected = rf"\(B, {N}\) or \(B, {N}, {channels}\)"
    with pytest.raises(ValueError, match=f"x has shape {shown}, expected {expected}"):
        model_of(channels)(torch.zeros(shape).double())


def test_layers_without_any_graph_are_rejected():
    with pytest.raises(ValueError, match="leave no graph; pass at least one"):
        model_of(attention=None)(expression())


def test_network_with_another_number_of_genes_is_rejected():
    with pytest.raises(ValueError, match=rf"matrix of shape \(5, 5\), but x has {N} genes"):
        model_of()(expression(), torch.eye(5).double().to_sparse_csr())


def test_attention_rows_are_those_of_the_first_layer():
    model, x = GeneGCN(9, 2, channels=2, num_layers=2), torch.rand(3, 9)
    expected = model.convs[0].attention.graph(model.embed(x))[:, :, [4]]
    torch.testing.assert_close(model.attention_rows(x, torch.tensor([4])), expected)
    for without in (GeneGCN(9, 2, attention=None), GeneGCN(9, 2, num_layers=0)):
        with pytest.raises(ArgumentError, match="no attention graphs; build it with attention="):
            without.attention_rows(x, torch.tensor([4]))
