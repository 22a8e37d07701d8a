"""Block-diagonal batches of PyG: each graph gets the result that it gets alone."""

from __future__ import annotations

import pytest
import torch
from layer_reference import attention_of, rng
from torch_geometric.data import Batch, Data
from torch_geometric.explain import Explainer, GNNExplainer
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.loader import DataLoader

from gene_gcn.errors import ArgumentError
from gene_gcn.nn import GeneGCN, GlobalGraph, InteractionConv
from gene_gcn.nn.graph_batch import GraphBatch

FUNCTIONS = ["embedded_dot", "dot", "additive", None]
SIZES = {"different": (5, 3, 0, 5, 1, 200), "equal": (6, 6, 6), "one": (4,), "no genes": (0, 0), "none": ()}


def graphs_of(sizes, channels=2, seed=0):
    """Return graphs with some equal genes, with edges that have weights; the smallest have no edges."""
    graphs = []
    for i, n in enumerate(sizes):
        generator = rng(seed + i)
        num_edges = 2 * n if n > 1 else 0
        graphs.append(
            Data(
                x=torch.randint(0, 3, (n, channels), generator=generator).double(),
                edge_index=torch.randint(0, max(n, 1), (2, num_edges), generator=generator),
                edge_weight=torch.rand(num_edges, generator=generator).double(),
            )
        )
    return graphs


def batch_of(graphs):
    if graphs:
        return Batch.from_data_list(graphs)
    empty = graphs_of((0,))[0]
    return Data(batch=torch.empty(0, dtype=torch.int64), **empty.to_dict())


def conv_of(function="embedded_dot", channels=2, heads=2, seed=0):
    conv = InteractionConv(channels, 3, 4, function, heads, learn_mixing=True).double()
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng(seed)) / 2)
    return conv


def one_by_one(call, graphs, like):
    """Concatenate the results of the graphs alone."""
    return torch.cat([call(graph) for graph in graphs] or [like.new_zeros(0, 3)])


# ---- equal to the graphs alone ----


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("method", ["auto", "merged", "flash", "dense"])
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS[:3])
def test_attention_equals_that_of_the_graphs_alone(function, heads, method, sizes):
    attention, weight = attention_of(function, 2, heads), torch.randn(heads, 2, 3, generator=rng(9)).double()
    graphs = graphs_of(sizes)
    batch = batch_of(graphs)
    wanted = [batch.x.requires_grad_(), weight.requires_grad_(), *attention.parameters()]
    out = attention(batch.x, weight, method=method, batch=batch.batch, batch_size=len(sizes))
    parts = batch.x.split(sizes)
    expected = one_by_one(lambda x: attention(x.unsqueeze(0), weight, method=method)[0], parts, out)
    torch.testing.assert_close(out, expected)
    slope = torch.randn(out.shape, generator=rng(3)).double()
    if not out.numel():
        assert out.shape == (0, 3)
        return
    torch.testing.assert_close(
        torch.autograd.grad((out * slope).sum(), wanted),
        torch.autograd.grad((expected * slope).sum(), wanted),
    )


@pytest.mark.parametrize("sizes", [(400, 300, 400), (400, 400)])
def test_scalar_attention_equals_that_of_the_graphs_alone(sizes):
    attention, x = attention_of("dot", 1), torch.rand(sum(sizes), 1, generator=rng()).double()
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    attention, x = attention.float(), x.float()
    torch.testing.assert_close(
        attention(x, method="scalar", batch=batch),
        torch.cat([attention(part.unsqueeze(0), method="scalar")[0] for part in x.split(sizes)]),
    )


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_returned_graphs_are_padded_with_zeros(sizes):
    attention, graphs = attention_of("additive", 2, 2), graphs_of(sizes)
    batch = batch_of(graphs)
    out, weights = attention(batch.x, return_attention=True, batch=batch.batch, batch_size=len(sizes))
    largest = max(sizes, default=0)
    assert weights.shape == (len(sizes), 2, largest, largest)
    torch.testing.assert_close(out, attention(batch.x, batch=batch.batch))
    for graph, part in zip(graphs, weights, strict=True):
        n = graph.num_nodes
        torch.testing.assert_close(part[:, :n, :n], attention.graph(graph.x.unsqueeze(0))[0])
        assert not part[:, n:].any() and not part[:, :, n:].any()


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_layer_equals_the_graphs_alone(function, sizes):
    conv, graphs = conv_of(function), graphs_of(sizes)
    batch = batch_of(graphs)
    n = batch.x.size(0)
    x, wanted = batch.x.requires_grad_(), [batch.x, *conv.parameters()]
    parts = [
        Data(x=part, edge_index=g.edge_index, w=g.edge_weight)
        for part, g in zip(x.split(sizes), graphs, strict=True)
    ]
    expected = one_by_one(lambda g: conv(g.x, g.edge_index, g.w), parts, x)
    network = GlobalGraph.from_edges(batch.edge_index, batch.edge_weight, n)
    forms = [(network,), (network.prepare(),), (network.adj_t,), (network.adj_t.to_sparse_coo(),)]
    forms += [(batch.edge_index, w) for w in (batch.edge_weight, batch.edge_weight.clone().requires_grad_())]
    for form in forms:
        for size in (None, len(sizes)):
            out = conv(x, *form, batch=batch.batch, batch_size=size)
            torch.testing.assert_close(out, expected)
            if n:
                torch.testing.assert_close(
                    torch.autograd.grad(out.square().sum(), wanted, allow_unused=True),
                    torch.autograd.grad(
                        expected.square().sum(), wanted, allow_unused=True, retain_graph=True
                    ),
                )
    if function is not None:
        alone = one_by_one(lambda g: conv(g.x), parts, x)
        torch.testing.assert_close(conv(x, batch=batch.batch), alone)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_batches_of_the_loader_equal_the_graphs_alone(function):
    conv, graphs = conv_of(function), graphs_of((5, 3, 5, 8, 1))
    outs = [
        conv(batch.x, batch.edge_index, batch.edge_weight, batch=batch.batch, batch_size=batch.batch_size)
        for batch in DataLoader(graphs, batch_size=2)
    ]
    expected = [conv(graph.x, graph.edge_index, graph.edge_weight) for graph in graphs]
    torch.testing.assert_close(torch.cat(outs), torch.cat(expected))


def test_without_batch_all_genes_belong_to_one_cell():
    """Nothing in x and edge_index tells the cells of a block-diagonal batch apart."""
    conv, batch = conv_of(), batch_of(graphs_of((5, 3)))
    together = conv(batch.x, batch.edge_index, batch.edge_weight)
    one_graph = torch.zeros_like(batch.batch)
    torch.testing.assert_close(conv(batch.x, batch.edge_index, batch.edge_weight, batch=one_graph), together)
    assert (
        conv(batch.x, batch.edge_index, batch.edge_weight, batch=batch.batch) - together
    ).abs().max() > 0.01


def test_graphs_of_equal_size_equal_a_batch_of_cells():
    conv, batch = conv_of(), batch_of(graphs_of((6, 6, 6)))
    assert torch.equal(conv(batch.x, batch=batch.batch), conv(batch.x.view(3, 6, 2)).flatten(0, 1))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_batch_of_any_integers(dtype):
    conv, batch = conv_of(), batch_of(graphs_of((5, 3)))
    assert torch.equal(conv(batch.x, batch=batch.batch.to(dtype)), conv(batch.x, batch=batch.batch))


def test_compiled_layer_equals_the_eager_one():
    conv, batch = conv_of(), batch_of(graphs_of((5, 3, 5)))
    arguments = (batch.x, batch.edge_index, batch.edge_weight, None, batch.batch)
    torch.compiler.reset()  # the number of compilations of a function is limited
    torch.testing.assert_close(torch.compile(conv, backend="aot_eager")(*arguments), conv(*arguments))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_autocast_equals_the_graphs_alone(function):
    conv, graphs = conv_of(function).float(), graphs_of((5, 3, 5))
    batch = batch_of(graphs)
    with torch.autocast("cpu", torch.bfloat16):
        out = conv(batch.x.float(), batch.edge_index, batch.edge_weight, batch=batch.batch)
        alone = [conv(graph.x.float(), graph.edge_index, graph.edge_weight) for graph in graphs]
    torch.testing.assert_close(out, torch.cat(alone), rtol=0.02, atol=0.05)


# ---- the model ----


def model_of(channels=1, num_layers=1, function="embedded_dot"):
    model = GeneGCN(6, 3, channels, num_layers, (5,), 4, function).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng(1)) / 2)
    return model


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("num_layers", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 2])
def test_model_equals_the_cells_alone(channels, num_layers, function):
    model, graphs = model_of(channels, num_layers, function), graphs_of((6, 6, 6), 1)
    expected = torch.stack([model(g.x.squeeze(1), g.edge_index, g.edge_weight) for g in graphs])
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(expected.square().sum(), parameters, retain_graph=True)
    (batch,) = DataLoader(graphs, batch_size=3)
    features = model.embed(batch.x.view(3, 6)).flatten(0, 1)
    for x in (batch.x, batch.x.squeeze(1), features):
        out = model(x, batch.edge_index, batch.edge_weight, batch=batch.batch, batch_size=batch.batch_size)
        torch.testing.assert_close(out, expected)
        torch.testing.assert_close(torch.autograd.grad(out.square().sum(), parameters), gradients)


@pytest.mark.parametrize(
    ("sizes", "batch_size", "message"),
    [
        ((6, 5), None, "batch gives graph 1 5 genes, but every graph of this model must have 6, in the same"),
        ((12,), None, "batch gives graph 0 12 genes, but every graph"),
        ((6, 0, 6), None, "batch gives graph 1 0 genes, but every graph"),
        ((6, 6), 3, "batch gives graph 2 0 genes, but every graph"),
    ],
)
def test_model_rejects_cells_with_another_number_of_genes(sizes, batch_size, message):
    batch = batch_of(graphs_of(sizes, 1))
    with pytest.raises(ArgumentError, match=message):
        model_of()(batch.x, batch.edge_index, batch=batch.batch, batch_size=batch_size)


def test_model_asks_for_batch():
    batch = batch_of(graphs_of((6, 6), 1))
    message = r"x has shape \(12, 1\), expected .* For a block-diagonal batch, pass batch=\."
    with pytest.raises(ArgumentError, match=message):
        model_of()(batch.x, batch.edge_index)
    with pytest.raises(ArgumentError, match=r"x has shape \(12, 3\), expected \(B·6, 1\) or \(B·6, 2\) with"):
        model_of(2)(batch.x.expand(-1, 3), batch=batch.batch)


# ---- explanations ----


def explain(model, x, edge_index, **kwargs):
    explainer = Explainer(
        model,
        GNNExplainer(epochs=3),
        explanation_type="model",
        node_mask_type="attributes",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "graph", "return_type": "raw"},
    )
    return explainer(x, edge_index, **kwargs)


def test_explainer_takes_a_block_diagonal_batch():
    model, graphs = model_of().float(), graphs_of((6, 6, 6), 1)
    batch = batch_of(graphs)
    x, weight = batch.x.float(), batch.edge_weight.float()
    explanation = explain(model, x, batch.edge_index, edge_weight=weight, batch=batch.batch)
    assert explanation.node_mask.shape == (18, 1) and explanation.edge_mask.shape == weight.shape
    alone = [model(g.x.float().squeeze(1), g.edge_index, g.edge_weight.float()) for g in graphs]
    torch.testing.assert_close(explanation.prediction, torch.stack(alone))


def test_explainers_mask_the_edges_of_each_cell():
    """With a mask of all edges, logits and the mask's gradient equal those of the cells alone."""
    model, graphs = model_of(), graphs_of((6, 6), 1)
    batch = batch_of(graphs)
    mask = torch.nn.Parameter(torch.randn(batch.edge_index.size(1), generator=rng()).double())
    set_masks(model, mask, batch.edge_index)
    out = model(batch.x, batch.edge_index, batch.edge_weight, batch=batch.batch)
    (gradient,) = torch.autograd.grad(out.square().sum(), mask)
    clear_masks(model)
    for graph, logits, own, expected in zip(graphs, out, mask.split(12), gradient.split(12), strict=True):
        own = torch.nn.Parameter(own.detach())
        set_masks(model, own, graph.edge_index)
        alone = model(graph.x.squeeze(1), graph.edge_index, graph.edge_weight)
        torch.testing.assert_close(alone, logits)
        torch.testing.assert_close(torch.autograd.grad(alone.square().sum(), own)[0], expected)
        clear_masks(model)


def test_explainer_of_pyg_refuses_a_batch_of_cells():
    model, batch = model_of().float(), batch_of(graphs_of((6, 6), 1))
    edge_index = batch.edge_index[:, batch.edge_index[1] < 6]
    with pytest.raises(ValueError, match="too many values to unpack"):  # PyG's own sentence
        explain(model, batch.x.float().view(2, 6, 1), edge_index)


def test_sparse_matrices_cannot_be_explained():
    model, graph = model_of(), graphs_of((6,), 1)[0]
    set_masks(model, torch.nn.Parameter(torch.ones(12)), graph.edge_index)
    network = GlobalGraph.from_edges(graph.edge_index, None, 6)
    for matrix in (network, network.adj_t):
        with pytest.raises(ArgumentError, match=r"explainers of PyG cannot mask\. Pass edges of shape"):
            model(graph.x.squeeze(1), matrix)


# ---- invalid input ----


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([0, 0, 0, 1], r"batch is a list, expected a tensor with the graph of each gene"),
        (torch.tensor([0, 0, 1]), r"batch has shape \(3,\), expected \(4,\), the graph of each gene"),
        (torch.zeros(4, 1).long(), r"batch has shape \(4, 1\), expected \(4,\)"),
        (torch.zeros(4), r"batch has data type torch.float32, expected integers, the numbers of the graphs"),
        (torch.zeros(4).bool(), r"batch has data type torch.bool, expected integers"),
        (
            torch.zeros(4, dtype=torch.int64, device="meta"),
            r"batch is on meta, but x is on cpu\. Pass batch.to",
        ),
        (
            torch.tensor([0, 1, 0, 1]),
            r"batch is not sorted: gene 2 of graph 0 follows gene 1 of graph 1\. Put the genes of each",
        ),
        (torch.tensor([-1, 0, 0, 1]), r"batch contains graph -1; graphs are numbered from 0"),
    ],
)
@pytest.mark.parametrize("function", ["dot", None])
def test_batch_that_does_not_fit_is_rejected(function, batch, message):
    conv, x, edge_index = conv_of(function), torch.rand(4, 2).double(), torch.tensor([[0], [1]])
    with pytest.raises(ArgumentError, match=message) as error:
        conv(x, edge_index, batch=batch)
    assert error.value.argument == "batch"
    if function:
        with pytest.raises(ArgumentError, match=message):
            conv.attention(x, batch=batch)


def test_arguments_that_exclude_each_other_are_rejected():
    conv, x, batch = conv_of(), torch.rand(4, 2).double(), torch.tensor([0, 0, 1, 1])
    with pytest.raises(ArgumentError, match=r"batch tells apart .* x has shape \(1, 4, 2\), whose cells are"):
        conv(x.unsqueeze(0), batch=batch)
    with pytest.raises(ArgumentError, match="batch_size=2 requires batch=, the graph of each gene"):
        conv(x, batch_size=2)
    with pytest.raises(ArgumentError, match="batch_size=1 is too small, because batch contains graph 1"):
        conv(x, batch=batch, batch_size=1)
    with pytest.raises(
        ArgumentError, match=r"equal lists genes of x \(B, N, C\) and cannot be used with batch="
    ):
        conv(x, equal=(), batch=batch)
    with pytest.raises(
        ArgumentError, match=r"x has shape \(4, 2\), expected \(B, N, 2\), or \(N, 2\) with batch"
    ):
        conv.attention(x)


def test_edges_between_graphs_are_rejected():
    conv, x, batch = conv_of(), torch.rand(4, 2).double(), torch.tensor([0, 0, 1, 1])
    edge_index = torch.tensor([[0, 1], [1, 3]])
    message = (
        "edge_index connects gene 1 of graph 0 with gene 3 of graph 1, but the graphs of a batch must not"
    )
    for graph in (edge_index, GlobalGraph.from_edges(edge_index, None, 4)):
        with pytest.raises(ArgumentError, match=message):
            conv(x, graph, batch=batch)
    network = GlobalGraph.from_edges(edge_index[:, :1], None, 2)
    with pytest.raises(ArgumentError, match=r"For cells that share one network, pass x of shape \(B, N, C\)"):
        conv(x, network, batch=batch)


def test_graph_numbers_may_be_huge():
    """Work and memory grow with the genes, not with the numbers of the graphs."""
    x, batch = torch.rand(4, 2).double(), torch.tensor([0, 0, 2**60, 2**60])
    conv = conv_of()
    torch.testing.assert_close(conv(x, batch=batch), conv(x, batch=batch.clamp(max=1)))
    assert GraphBatch.from_batch(x, batch).batch_size == 2**60 + 1
    with pytest.raises(ArgumentError, match="The attention graphs of x .* more than the limit"):
        conv.attention(x, batch=batch, return_attention=True)
