"""InteractionConv: (G + A) X W for every form of the graph."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_reference import LargestTensor, convolution, rng
from torch_geometric import EdgeIndex
from torch_geometric.data import Data
from torch_geometric.explain.algorithm.utils import set_masks

from gene_gcn.nn import GlobalGraph, InteractionConv, find_equal_genes
from gene_gcn.nn.sparse import to_csr

FUNCTIONS = ["embedded_dot", "dot", "additive", None]


def conv_of(c_in=2, c_out=3, seed=0, dtype=torch.float64, **kwargs):
    conv = InteractionConv(c_in, c_out, key_channels=4, **kwargs).to(dtype)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng(seed)) / 2)
    return conv


def graph_of(num_genes=7, num_edges=15, seed=0):
    """Return distinct directed edges, which leave out some genes, and their weights."""
    pairs = torch.randperm((num_genes - 1) ** 2, generator=rng(seed))[:num_edges]
    edge_index = torch.stack([pairs // (num_genes - 1), pairs % (num_genes - 1)])
    return edge_index, torch.rand(pairs.numel(), generator=rng(seed + 1), dtype=torch.float64) + 0.1


def dense_adj_t(edge_index, edge_weight, num_genes):
    adj_t = torch.zeros(num_genes, num_genes, dtype=torch.float64)
    adj_t[edge_index[1], edge_index[0]] = edge_weight  # rows are targets
    return adj_t


def features(b=3, n=7, c=2, seed=0):
    return torch.randint(0, 4, (b, n, c), generator=rng(seed)).double()


# ---- every form of the graph gives the same ----


@settings(deadline=None, max_examples=100)
@given(
    b=st.integers(1, 3),
    n=st.integers(2, 9),
    c_in=st.integers(1, 3),
    c_out=st.integers(1, 3),
    num_edges=st.integers(0, 20),
    seed=st.integers(0, 2**32),
    function=st.sampled_from(FUNCTIONS),
    heads=st.integers(1, 3),
    learn_mixing=st.booleans(),
)
def test_every_form_of_the_graph_equals_the_equation(
    b, n, c_in, c_out, num_edges, seed, function, heads, learn_mixing
):
    c_in = c_in * heads if function == "dot" else c_in
    edge_index, edge_weight = graph_of(n, num_edges, seed)
    adj_t, x = dense_adj_t(edge_index, edge_weight, n), features(b, n, c_in, seed)
    conv = conv_of(c_in, c_out, seed, attention=function, heads=heads, learn_mixing=learn_mixing)
    expected = convolution(conv, x, adj_t)
    torch.testing.assert_close(conv(x, edge_index, edge_weight), expected)
    torch.testing.assert_close(conv(x, edge_index, edge_weight.clone().requires_grad_()), expected)
    torch.testing.assert_close(conv(x, adj_t.to_sparse_csr()), expected)
    torch.testing.assert_close(conv(x, adj_t.to_sparse_coo()), expected)
    torch.testing.assert_close(conv(x, GlobalGraph(adj_t.to_sparse_csr()).prepare()), expected)
    if function is not None:
        torch.testing.assert_close(conv(x, edge_index, edge_weight, find_equal_genes(x)), expected)
        torch.testing.assert_close(conv(x), convolution(conv, x))


@pytest.mark.sparse
def test_sparse_tensor_equals_coo():
    SparseTensor = pytest.importorskip("torch_sparse").SparseTensor
    edge_index, edge_weight = graph_of()
    adj_t = SparseTensor(row=edge_index[1], col=edge_index[0], value=edge_weight, sparse_sizes=(7, 7))
    conv, x = conv_of(), features()
    torch.testing.assert_close(conv(x, adj_t), conv(x, edge_index, edge_weight))
    torch.testing.assert_close(conv(x[0], adj_t), conv(x[0], edge_index, edge_weight))
    without_value = SparseTensor(row=edge_index[1], col=edge_index[0], sparse_sizes=(7, 7))
    torch.testing.assert_close(conv(x, without_value), conv(x, edge_index))
    with pytest.raises(ValueError, match=r"matrix of shape \(7, 7\), but x has 6 genes"):
        conv(x[:, :6], adj_t)
    with pytest.raises(ValueError, match="edge_index is a sparse matrix, which contains its weights"):
        conv(x, adj_t, edge_weight)


@pytest.mark.parametrize("sort_order", [None, "row", "col"])
def test_edge_index_class_of_pyg_equals_a_tensor(sort_order):
    edge_index, edge_weight = graph_of()
    conv, x = conv_of(), features()
    order = torch.arange(edge_index.size(1))
    if sort_order:
        order = (
            edge_index[0] * 7 + edge_index[1] if sort_order == "row" else edge_index[1] * 7 + edge_index[0]
        ).argsort()
    sorted_index = EdgeIndex(edge_index[:, order], sparse_size=(7, 7), sort_order=sort_order)
    torch.testing.assert_close(conv(x, sorted_index, edge_weight[order]), conv(x, edge_index, edge_weight))


def test_repeated_edges_add_up():
    conv, x = conv_of(attention=None), features()
    twice = torch.tensor([[1, 1], [2, 2]])
    torch.testing.assert_close(
        conv(x, twice, torch.tensor([0.5, 2])), conv(x, twice[:, :1], torch.tensor([2.5]))
    )


@pytest.mark.parametrize("individual", [True, False])
def test_batch_equals_its_cells_one_by_one(individual):
    conv, x, graph = conv_of(attention="embedded_dot" if individual else None), features(), graph_of()
    out = conv(x, *graph)
    assert out.shape == (3, 7, 3)
    for cell, expected in zip(x, out, strict=True):
        assert conv(cell, *graph).shape == (7, 3)
        torch.testing.assert_close(conv(cell, *graph), expected)
        torch.testing.assert_close(conv(cell.unsqueeze(0), *graph).squeeze(0), expected)


# ---- meaning of the graph ----


def test_edges_point_from_the_first_row_to_the_second():
    conv = conv_of(1, 1, attention=None)
    conv.lin.weight.data.fill_(1)
    x = torch.tensor([[10.0], [20], [30]]).double()
    out = conv(x, torch.tensor([[0], [2]]), torch.tensor([0.5]))
    assert out.flatten().tolist() == [0, 0, 5]


def test_weights_are_1_by_default():
    edge_index, edge_weight = graph_of()
    conv, x = conv_of(), features()
    torch.testing.assert_close(conv(x, edge_index), conv(x, edge_index, torch.ones_like(edge_weight)))


def test_isolated_genes_receive_nothing_from_the_global_graph():
    edge_index, edge_weight = graph_of()
    reached = torch.zeros(7, dtype=torch.bool).index_fill(0, edge_index[1], True)
    assert not reached.all()
    only_global, both, x = conv_of(attention=None), conv_of(), features()
    assert not only_global(x, edge_index, edge_weight)[:, ~reached].any()
    torch.testing.assert_close(both(x, edge_index, edge_weight)[:, ~reached], both(x)[:, ~reached])


def test_graph_without_edges_adds_nothing():
    conv, x, none = conv_of(), features(), torch.empty(2, 0, dtype=torch.int64)
    torch.testing.assert_close(conv(x, none), conv(x))
    assert not conv_of(attention=None)(x, none).any()


def test_permuting_the_genes_permutes_the_output():
    (edge_index, edge_weight), conv, x = graph_of(), conv_of(), features()
    order = torch.randperm(7, generator=rng())
    new_index = order.argsort()
    torch.testing.assert_close(
        conv(x[:, order], new_index[edge_index], edge_weight), conv(x, edge_index, edge_weight)[:, order]
    )


def test_both_graphs_are_the_sum_of_each():
    edge_index, edge_weight = graph_of()
    both, only_global = conv_of(), conv_of(attention=None)
    only_global.lin.load_state_dict(both.lin.state_dict())
    x = features()
    torch.testing.assert_close(
        both(x, edge_index, edge_weight), both(x) + only_global(x, edge_index, edge_weight)
    )


def test_no_tensor_is_near_genes_squared_or_cells_times_edges():
    n, e, b = 20_499, 30_000, 3
    edge_index = torch.randint(0, n, (2, e), generator=rng())
    x = torch.poisson(torch.full((b, n, 1), 0.5), rng())
    conv = conv_of(1, 1, dtype=torch.float32)
    with LargestTensor() as seen:
        conv(x, edge_index, torch.ones(e)).square().sum().backward()
    assert b * n <= seen.entries < b * e


# ---- as a module ----


@pytest.mark.parametrize("learn_mixing", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_of_x_edge_weights_and_parameters(function, channels, learn_mixing):
    conv = conv_of(channels, 3, attention=function, learn_mixing=learn_mixing)
    edge_index, edge_weight = graph_of()
    x = torch.randint(0, 4, (2, 7, 1), generator=rng()) * torch.rand(7, channels, generator=rng(1))
    x, edge_weight = x.double().requires_grad_(), edge_weight.requires_grad_()
    adj_t = dense_adj_t(edge_index, edge_weight, 7)
    wanted = [x, *conv.parameters()]
    expected = torch.autograd.grad(
        convolution(conv, x, adj_t).square().sum(), [edge_weight, *wanted], allow_unused=function is None
    )
    out = conv(x, edge_index, edge_weight).square().sum()
    torch.testing.assert_close(
        torch.autograd.grad(out, [edge_weight, *wanted], allow_unused=function is None), expected
    )
    csr = adj_t.detach().to_sparse_csr()
    for graph in (csr, GlobalGraph(csr).prepare()):
        for equal in (None, find_equal_genes(x)):
            gradients = torch.autograd.grad(
                conv(x, graph, equal=equal).square().sum(), wanted, allow_unused=function is None
            )
            torch.testing.assert_close(gradients, expected[1:])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_compiles_without_a_graph_break(function):
    conv, graph, x = conv_of(1, 1, attention=function, dtype=torch.float32), graph_of(), features(c=1).float()
    edge_index, edge_weight = graph[0], graph[1].float()
    equal = find_equal_genes(x)
    torch.compiler.reset()  # the number of compilations of a function is limited
    compiled = torch.compile(conv, backend="aot_eager", fullgraph=True)
    out = compiled(x, edge_index, edge_weight, equal)
    torch.testing.assert_close(out, conv(x, edge_index, edge_weight, equal))
    torch.testing.assert_close(compiled(x, edge_index), conv(x, edge_index))
    out.square().sum().backward()
    compiled_gradients = [p.grad.clone() for p in conv.parameters()]
    conv.zero_grad()
    conv(x, edge_index, edge_weight).square().sum().backward()
    torch.testing.assert_close(compiled_gradients, [p.grad for p in conv.parameters()])


def test_explainers_of_pyg_can_mask_edges():
    """An edge mask, as the explainers of PyG set it, removes edges."""
    conv, (edge_index, edge_weight), x = conv_of(1, 1, attention=None), graph_of(), features(c=1)
    mask = torch.full((edge_index.size(1),), 20.0, dtype=torch.float64)
    mask[:5] = -20  # before a sigmoid
    set_masks(conv, torch.nn.Parameter(mask), edge_index)
    torch.testing.assert_close(
        conv(x, edge_index, edge_weight),
        convolution(conv, x, dense_adj_t(edge_index[:, 5:], edge_weight[5:], 7)),
    )


def test_mixing_weights_start_at_1_and_stay_positive():
    conv, x, graph = InteractionConv(2, 2, learn_mixing=True).double(), features(), graph_of()
    torch.testing.assert_close(conv.mixing_weights(), torch.ones(2).double())
    with torch.no_grad():
        conv.mixing.copy_(torch.tensor([-50.0, 2.0]))
    alpha, beta = conv.mixing_weights()
    assert 0 <= alpha < 1e-20 and beta > 2
    only_global = InteractionConv(2, 2, attention=None).double()
    torch.testing.assert_close(conv(x, *graph), beta * only_global(x, *graph))
    assert torch.equal(InteractionConv(2, 2).mixing_weights(), torch.ones(2))


def test_square_w_starts_as_the_identity_and_is_reset_to_it():
    conv = InteractionConv(4, 4)
    assert torch.equal(conv.lin.weight, torch.eye(4))
    before = copy.deepcopy(conv.attention.state_dict())
    conv.lin.weight.data.zero_()
    conv.reset_parameters()
    assert torch.equal(conv.lin.weight, torch.eye(4))
    assert all(
        (value != before[name]).any()
        for name, value in conv.attention.state_dict().items()
        if name.endswith("weight")
    )
    assert InteractionConv(4, 2).lin.weight.count_nonzero() == 8


def test_repr_shows_the_sizes():
    assert str(InteractionConv(8, 32)) == "InteractionConv(8, 32)"
    assert str(InteractionConv(8, 32, attention="dot", heads=4)) == "InteractionConv(8, 32)"


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_bfloat16_autocast_is_close(function, channels):
    conv, graph = conv_of(channels, 3, attention=function, dtype=torch.float32), graph_of()
    x = features(c=channels).float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = conv(x, *graph)
    torch.testing.assert_close(out.float(), conv(x, *graph), rtol=0.05, atol=0.1)
    out.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in conv.parameters()) and x.grad.isfinite().all()


def test_copies_and_restored_states_give_the_same():
    conv, x, graph = conv_of(), features(), graph_of()
    restored = conv_of(seed=1)
    assert (restored(x, *graph) != conv(x, *graph)).any()
    restored.load_state_dict(conv.state_dict())
    for other in (copy.deepcopy(conv), restored):
        assert torch.equal(other(x, *graph), conv(x, *graph))


def forms_of(edge_index, edge_weight, num_genes=7):
    network = GlobalGraph.from_edges(edge_index, edge_weight, num_genes)
    learned = edge_weight.clone().requires_grad_()
    return {
        "edges": (edge_index, edge_weight),
        "learned": (edge_index, learned),
        "csr": (network.adj_t,),
        "coo": (network.adj_t.to_sparse_coo(),),
        "prepared": (network.prepare(),),
        "none": (),
    }


def with_gradients(conv, x, graph):
    x = x.clone().requires_grad_()
    out = conv(x, *graph)
    out.square().sum().backward()
    gradients = [x.grad, *(p.grad for p in conv.parameters() if p.grad is not None)]
    conv.zero_grad()
    return out.detach(), *gradients


@pytest.mark.parametrize("form", ["edges", "learned", "csr", "coo", "prepared", "none"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.03), (torch.half, 0.005)])
def test_layer_in_half_precision_is_close_to_double_precision(dtype, tolerance, function, channels, form):
    if form == "none" and function is None:
        pytest.skip("no graph")
    x = features(c=channels).to(dtype)
    graph = forms_of(*graph_of())[form]
    for out_channels in {channels, 3}:
        conv = conv_of(channels, out_channels, attention=function, learn_mixing=True, dtype=dtype)
        outs = with_gradients(conv, x, graph)
        expected = with_gradients(copy.deepcopy(conv).double(), x.double(), graph)
        assert all(out.dtype == dtype for out in outs)
        for out, like in zip(outs, expected, strict=True):
            assert (out.double() - like).abs().max() <= tolerance * like.abs().max().clamp(min=1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.half])
def test_sums_over_many_genes_keep_their_digits_in_half_precision(dtype):
    """A sum of 70,000 ones is infinite in half precision and stops at 256 in bfloat16."""
    n = 70_000
    star = torch.stack([torch.arange(n), torch.zeros(n, dtype=torch.int64)])
    x = torch.ones(n, 1, dtype=dtype) / 70
    conv = InteractionConv(1, 1, attention="additive").to(dtype)
    weight = torch.full((n,), 0.01, requires_grad=True)
    for graph in ((star, weight), (star, weight.detach())):
        out = conv(x, *graph).double()
        assert out[0].item() == pytest.approx(10 + 1 / 70, rel=0.02)
        assert out[1:].sub(1 / 70).abs().max() < 0.001


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_features_are_promoted_to_the_precision_of_the_layer_and_never_lowered(function, channels):
    x, graph = torch.randint(0, 4, (3, 7, channels), generator=rng()), graph_of()
    conv = conv_of(channels, 3, attention=function, dtype=torch.float32)
    expected = conv(x.float(), *graph)
    for dtype in (torch.int64, torch.int32, torch.uint8, torch.half, torch.bfloat16):
        assert torch.equal(conv(x.to(dtype), *graph), expected)
    torch.testing.assert_close(conv(x.bool(), *graph), conv(x.bool().float(), *graph))
    torch.testing.assert_close(conv(x.double(), *graph), copy.deepcopy(conv).double()(x.double(), *graph))


@pytest.mark.parametrize("shape", [(0, 2), (2, 0, 2), (0, 7, 2), (0, 0, 2), (1, 2), (2, 1, 2)])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_cells_no_genes_and_single_genes(function, shape):
    conv, x = conv_of(attention=function), torch.rand(shape, generator=rng()).double()
    none = torch.empty(2, 0, dtype=torch.int64)
    network = GlobalGraph.from_edges(none, None, x.size(-2))
    graphs = [(none,), (network,), (network.adj_t,)] + [()] * (function is not None)
    for graph in graphs:
        out, by_x, *_ = with_gradients(conv, x, graph)
        assert out.shape == (*shape[:-1], 3) and by_x.shape == shape
        assert torch.equal(conv(x, *graph), out)
        if x.numel() and function is not None:  # a gene alone attends to itself
            torch.testing.assert_close(out, x @ conv.lin.weight.T)
    if function is not None:
        out, weights = conv.attention(x if x.dim() == 3 else x.unsqueeze(0), return_attention=True)
        torch.testing.assert_close(weights, torch.ones_like(weights))


@pytest.mark.parametrize("method", ["auto", "merged", "flash", "dense"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS[:3])
def test_nan_makes_its_cell_nan_and_no_other(function, channels, method):
    conv, x = conv_of(channels, attention=function), features(c=channels)
    expected = conv.attention(x, method=method)
    x[1, 2] = torch.nan
    out = conv.attention(x, method=method)
    assert out[1].isnan().all()
    torch.testing.assert_close(out[[0, 2]], expected[[0, 2]])


def test_nan_reaches_only_its_neighbors_through_the_network():
    conv, x, (edge_index, edge_weight) = conv_of(attention=None), features(), graph_of()
    x[1, 2] = torch.nan
    reached = edge_index[1][edge_index[0] == 2].unique()
    rows = conv(x, edge_index, edge_weight).isnan().any(-1).nonzero()
    assert rows.tolist() == [[1, gene] for gene in reached.tolist()]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
        lambda x: torch.cat([x, x], 1)[:, :7],
        lambda x: x.repeat_interleave(2, 2)[..., ::2],
        lambda x: x[:1].expand(3, -1, -1),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_memory_layout_changes_nothing(function, view):
    conv, graph, x = conv_of(attention=function), graph_of(), view(features())
    torch.testing.assert_close(with_gradients(conv, x, graph), with_gradients(conv, x.contiguous(), graph))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_pickled_and_saved_layers_give_the_same(function):
    conv, x, graph = conv_of(attention=function, learn_mixing=True), features(), graph_of()
    file = io.BytesIO()
    torch.save(conv, file)
    file.seek(0)
    for other in (pickle.loads(pickle.dumps(conv)), torch.load(file, weights_only=False)):
        assert torch.equal(other(x, *graph), conv(x, *graph))
    network = GlobalGraph.from_edges(*graph, 7).prepare()
    assert torch.equal(conv(x, pickle.loads(pickle.dumps(network))), conv(x, network))


# ---- invalid input ----


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(7), r"x has shape \(7,\), expected \(N, 2\) or \(B, N, 2\)"),
        (torch.zeros(3, 7, 5), r"x has shape \(3, 7, 5\), expected \(N, 2\) or \(B, N, 2\)"),
        (torch.zeros(3, 7, 2) + 1j, "x has data type torch.complex64, expected real numbers"),
        (
            Data(x=torch.zeros(7, 2)),
            r"x is a Data, expected a tensor of shape .*, pass x, edge_index and batch=",
        ),
        (torch.zeros(1, 3, 7, 2), r"x has shape \(1, 3, 7, 2\)"),
    ],
)
def test_features_of_another_shape_are_rejected(x, message):
    with pytest.raises(ValueError, match=message):
        conv_of()(x)


@pytest.mark.parametrize(
    ("edge_index", "edge_weight", "message"),
    [
        (torch.zeros(15, 2, dtype=torch.int64), None, r"edge_index has shape \(15, 2\), expected \(2, E\)"),
        (torch.zeros(2, dtype=torch.int64), None, r"edge_index has shape \(2,\), expected \(2, E\)"),
        (torch.tensor([[0], [7]]), None, "genes 0 to 7, but x has 7 genes, numbered 0 to 6"),
        (torch.tensor([[0.0], [1.0]]), None, "edge_index has data type torch.float32, expected integers"),
        (torch.ones(2, 5, dtype=torch.bool), None, "edge_index has data type torch.bool, expected integers"),
        ([[0], [1]], None, "edge_index is a list, expected a tensor"),
        (torch.tensor([[0], [1]]), [1.0], "edge_weight is a list, expected a tensor"),
        (
            GlobalGraph.from_edges(torch.tensor([[0], [1]]), torch.ones(1, requires_grad=True), 7),
            None,
            "sparse matrix that requires a gradient, which only edge_weight can get",
        ),
        (torch.tensor([[-1], [3]]), None, "edge_index contains genes -1 to 3, but x has 7 genes"),
        (torch.tensor([[0], [1]]), torch.ones(2), r"edge_weight has shape \(2,\), expected \(1,\)"),
        (torch.tensor([[0], [1]]), torch.ones(1, 1), r"edge_weight has shape \(1, 1\), expected \(1,\)"),
        (torch.eye(6).to_sparse_coo(), None, r"matrix of shape \(6, 6\), but x has 7 genes"),
        (
            torch.eye(7).to_sparse_coo(),
            torch.ones(7),
            "edge_index is a sparse matrix, which contains its weights",
        ),
        (to_csr(torch.eye(7)).requires_grad_(), None, "requires a gradient.* Pass edges of shape"),
        (GlobalGraph(to_csr(torch.eye(6))), None, r"matrix of shape \(6, 6\), but x has 7 genes"),
    ],
)
def test_mismatched_graph_is_rejected(edge_index, edge_weight, message):
    with pytest.raises(ValueError, match=message):
        conv_of()(features(), edge_index, edge_weight)


def test_unknown_attention_and_zero_heads_are_rejected():
    with pytest.raises(ValueError, match="attention='gauss' is unknown; choose one of .*'additive'"):
        InteractionConv(2, 2, attention="gauss")
    with pytest.raises(ValueError, match="heads=0 must be at least 1"):
        InteractionConv(2, 2, heads=0)


def test_layer_without_any_graph_is_rejected():
    with pytest.raises(ValueError, match="edge_index=None and attention=None leave no graph; pass at"):
        conv_of(attention=None)(features())
