"""What a saved classifier must hold to predict: names, types, lengths and shapes that fit each other."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gene_gcn.cells.label_values import labels_as_text
from gene_gcn.cells.normalizer import METHODS
from gene_gcn.cells.scale import INVERSE, SCALE_NAMES
from gene_gcn.errors import ArgumentError, is_out_of_memory
from gene_gcn.estimators.card import ModelCard, Provenance
from gene_gcn.estimators.fitted import HEAD_BIAS, HEAD_WEIGHT, NETWORK_WEIGHT
from gene_gcn.ontology import Hierarchy
from gene_gcn.storage.model_folder import TensorSpec
from gene_gcn.storage.model_manifest import damaged
from gene_gcn.training.imputation import PPCAImputer

if TYPE_CHECKING:
    from gene_gcn.estimators.model_settings import ModelSettings

__all__ = [
    "check_baseline",
    "check_config",
    "check_model",
    "check_reference",
    "check_values",
    "reading",
    "writing",
]

PARTS = (
    "parameters",
    "classes",
    "prior",
    "normalizer",
    "network",
    "hierarchy",
    "feature_names",
    "history",
    "batches",
)
LATER_PARTS = ("card", "provenance")  # which models that were saved before there were cards lack
LONGEST_LABEL = 10_000
LARGEST_VALUE = 1e15  # of a weight or a depth: far above any, far below what overflows in a product
LONGEST_AXIS = 1e4  # 1, except along which cells hardly vary
MOST_NODES = 10_000  # above the types: three times as many as the Cell Ontology has terms
FLAGS = ("learn_mixing", "residual", "use_raw")
WHOLE = ("batch_size", "channels", "diagonal", "heads", "max_epochs", "num_layers", "patience", "verbose")
NUMBERS = ("dropout", "validation_fraction", "weight_decay")


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Let what goes wrong with the contents of a model name the folder and the remedy."""
    with _refusing(lambda problem: damaged(path, problem)):
        yield


@contextmanager
def writing() -> Iterator[None]:
    """Let what would go wrong when the model is loaded name the remedy."""
    problem_of = "The model is not saved, because it could not be loaded again"
    with _refusing(lambda problem: ArgumentError("contents", f"{problem_of}: {problem}; fit it again.")):
        yield


@contextmanager
def _refusing(error_of: Callable[[str], ArgumentError]) -> Iterator[None]:
    try:
        yield
    except ArgumentError as error:
        raise error if error.argument == "path" else error_of(str(error).rstrip(".")) from error
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        problem = f"its contents do not fit each other ({type(error).__name__}: {error!s:.200})"
        raise error_of(problem) from error


def check_config(
    config: Mapping[str, Any], specs: Mapping[str, TensorSpec], parameter_names: Collection[str]
) -> None:
    """Refuse contents that do not fit each other, before any tensor is read (ArgumentError)."""
    _require(set(config) - set(LATER_PARTS) == set(PARTS), f"it must hold {', '.join(PARTS)}")
    _check_parameters(config["parameters"], parameter_names)
    num_genes = _check_normalizer(config["normalizer"], specs)
    _check_classes(config["classes"])
    _check_prior(config["prior"], len(config["classes"]["values"]))
    names = config["feature_names"]
    _require(names is None or _are_texts(names), "feature_names are not names")
    _check_hierarchy(config["hierarchy"], config["classes"]["values"])
    _check_history(config["history"])
    _check_batches(config["batches"], specs)
    _check_card(config)
    unknown = [name for name in specs if name.partition(".")[0] not in ("model", *_SPECS)]
    _require(not unknown, f"tensor {unknown[:1]} is unknown")
    _check_network(config["network"], specs)
    _check_imputer(config, specs, num_genes)


def check_model(
    settings: ModelSettings, has_network: bool, specs: Mapping[str, TensorSpec], num_genes: int, classes: int
) -> None:
    """Refuse tensors that are not those of the model that the parameters describe (ArgumentError)."""
    found = {name.removeprefix("model."): s for name, s in specs.items() if name.startswith("model.")}
    _require(all(spec.dtype == "F32" for spec in found.values()), "weights are not float32")
    layers = settings.num_layers if has_network or settings.attention is not None else 0
    if settings.chosen_optimizer == "lbfgs":
        expected: dict[str, tuple[int, ...]] = {HEAD_WEIGHT: (classes, num_genes), HEAD_BIAS: (classes,)}
        if layers:
            expected[NETWORK_WEIGHT] = (1, 1)
    else:
        expected = _expected_shapes(settings, layers, found, num_genes, classes)
    for name in sorted(expected.keys() | found.keys()):
        _require(name in found, f"tensor 'model.{name}' is missing")
        _require(name in expected, f"tensor 'model.{name:.40}' is unknown")
        shapes = f"tensor 'model.{name}' has shape {found[name].shape} instead of {expected[name]}"
        _require(found[name].shape == expected[name], shapes)


def check_reference(
    settings: ModelSettings, specs: Mapping[str, TensorSpec], num_genes: int, classes: int
) -> None:
    """Refuse profiles and held-out cells that do not fit the model (ArgumentError)."""
    if settings.chosen_optimizer != "lbfgs":
        found = any(name.startswith("reference.") for name in specs)
        _require(not found, "there are profiles of types that are not used")
        return
    _require(_has_tensors("reference", specs), "tensors of the reference are missing or unknown")
    cells = specs["reference.types"].shape
    rank = specs["imputer.variances"].shape if "imputer.variances" in specs else (0,)
    shapes = {
        "mean": (classes, num_genes),
        "counts": (classes,),
        "logits": (*cells, classes),
        "types": cells,
        "components": (*cells, *rank),
        "centers": (classes, *rank),
        "covariance": (*rank, *rank),
    } | _shapes_of_moments(specs, num_genes, classes)
    for name, shape in shapes.items():
        expected = TensorSpec("I64" if name in ("counts", "types", "moments_counts") else "F32", shape)
        _require(specs[f"reference.{name}"] == expected, f"tensor 'reference.{name}' has a wrong shape")
    _require(len(cells) == 1, "tensor 'reference.types' has a wrong shape")


def _shapes_of_moments(
    specs: Mapping[str, TensorSpec], num_genes: int, classes: int
) -> dict[str, tuple[int, ...]]:
    batches, rank = specs["reference.moments_counts"].shape[:1], specs["reference.moments_factors"].shape[1:2]
    return {
        "moments_counts": (*batches, classes),
        "moments_sums": (*batches, classes, num_genes),
        "moments_squares": (*batches, num_genes),
        "moments_factors": (*batches, *rank, num_genes),
    }


def check_baseline(settings: ModelSettings, specs: Mapping[str, TensorSpec], num_genes: int) -> None:
    """Refuse a mean cell that does not fit the model, or that an imputer has already (ArgumentError)."""
    found = {name: spec for name, spec in specs.items() if name.startswith("baseline.")}
    has_imputer = any(name.startswith("imputer.") for name in specs)
    wanted = settings.chosen_optimizer != "lbfgs" and not has_imputer
    expected = {"baseline.mean": TensorSpec("F32", (num_genes,))} if wanted else {}
    _require(found == expected, "the mean training cell is missing, unknown, or has a wrong shape")


def check_values(tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse numbers that cannot be those of a fitted model (ArgumentError)."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        in_range = bool((tensor.abs() <= LARGEST_VALUE).all())  # False for NaN
        _require(in_range, f"tensor {name!r} has values that are not finite, or far too large")
    share = tensors["normalizer.gene_share"]
    is_share = bool((share >= 0).all()) and abs(share.double().sum().item() - 1) < 1e-2
    _require(is_share, "tensor 'normalizer.gene_share' does not hold shares, whose sum is 1")
    for name in ("imputer.variances", "imputer.noise"):
        _require(name not in tensors or bool((tensors[name] >= 0).all()), f"tensor {name!r} is negative")
    if "imputer.axes" in tensors:
        _check_imputation({name: tensors[f"imputer.{name}"] for name in _SPECS["imputer"]})
    if "reference.types" in tensors:
        _check_types(tensors["reference.types"], tensors["reference.counts"])
        variances = torch.linalg.eigvalsh(tensors["reference.covariance"].double())
        is_covariance = bool((variances >= -1e-4 * variances.abs().sum()).all())
        _require(is_covariance, "tensor 'reference.covariance' is not a covariance")
        _check_moments(tensors["reference.moments_counts"], tensors["reference.moments_squares"])
    if "network.edge_index" in tensors:
        _check_edges(tensors["network.edge_index"], tensors["network.edge_weight"], len(share))


# ---- parts of the config ----

_SPECS = {
    "baseline": ("mean",),
    "normalizer": ("gene_share",),
    "network": ("edge_index", "edge_weight"),
    "imputer": ("axes", "mean", "noise", "variances"),
    "reference": (
        *("centers", "components", "counts", "covariance", "logits", "mean", "types"),
        *("moments_counts", "moments_factors", "moments_squares", "moments_sums"),
    ),
}


def _check_parameters(values: Any, names: Collection[str]) -> None:
    _require(isinstance(values, dict), "parameters are not named values")
    different = sorted(set(values) ^ set(names))
    _require(not different, f"parameters {different[:3]} are missing or unknown")
    for name, value in values.items():
        problem = f"parameter {name}={value!r:.40} has the wrong type or is out of range"
        if name in FLAGS:
            _require(value in (True, False) and isinstance(value, int), problem)
        elif name in WHOLE:
            _require(isinstance(value, int) and abs(value) < 2**31, problem)
        elif name in NUMBERS:
            _require(_is_number(value), problem)
        elif name == "learning_rate":
            _require(value is None or _is_number(value), problem)
        elif name == "hidden_channels":
            widths = isinstance(value, list) and all(type(width) is int and width < 2**31 for width in value)
            _require(widths, problem)
        elif name == "class_weight":
            _require(value in (None, "balanced") or _are_class_weights(value), problem)
        elif name == "normalization":
            _require(value in METHODS, problem)
        elif name == "device":
            _require(value == "auto", problem)
        elif name in ("random_state", "n_jobs"):
            _require(value is None or type(value) is int, problem)
        else:
            _require(value is None or isinstance(value, (str, bool)) or _is_number(value), problem)


def _check_normalizer(values: Any, specs: Mapping[str, TensorSpec]) -> int:
    _require(isinstance(values, dict), "normalizer is not named values")
    _require(_has_tensors("normalizer", specs), "tensor 'normalizer.gene_share' is missing or unknown")
    n, genes, method, scale = (values.get(name) for name in ("n_genes", "genes", "method", "input_scale"))
    _require(type(n) is int and n > 0, f"n_genes is {n!r:.40}")
    share = specs["normalizer.gene_share"]
    _require(share == TensorSpec("F32", (n,)), f"n_genes is {n:,}, but gene_share has shape {share.shape}")
    _require("genes" in values, "the names of the genes are missing")
    _require(genes is None or (_are_texts(genes) and len(set(genes)) == n == len(genes)), _GENES)
    _require(method in METHODS and method != "auto", f"method is {method!r:.40}")
    known = isinstance(scale, str) and scale in (SCALE_NAMES if method == "none" else INVERSE)
    _require(known, f"input_scale is {scale!r:.40}")
    depth = values.get("target_sum")
    _require(_is_number(depth) and 0 < depth < LARGEST_VALUE, f"target_sum is {depth!r:.40}")
    return n


_GENES = "genes are not unique names, one for each of n_genes"


def _check_classes(values: Any) -> None:
    _require(isinstance(values, dict) and set(values) == {"dtype", "values"}, "classes are incomplete")
    dtype: Any = values["dtype"]
    labels: list[Any] = values["values"]
    match = re.fullmatch(r"[<>|=]?(?:U(\d{1,9})|O|b1|[iu][1248]|f[248])", str(dtype))
    _require(bool(match), f"the dtype of the classes is {dtype!r:.40}")
    _require(isinstance(labels, list) and len(labels) > 1, "there are fewer than two classes")
    _require(all(isinstance(label, (str, int, float)) for label in labels), "a class is not text or number")
    longest = max([LONGEST_LABEL, *(len(label) for label in labels if isinstance(label, str))])
    _require(not (match and match[1]) or int(match[1]) <= longest, f"the dtype of the classes is {dtype}")
    with np.errstate(all="ignore"):
        array = np.array(labels, dtype=np.dtype(dtype))
    unchanged = array.tolist() == labels and np.unique(array).tolist() == labels
    _require(unchanged, "classes are not unique, sorted and of their dtype")


def _check_prior(values: Any, num_classes: int) -> None:
    numbers = isinstance(values, list) and len(values) == num_classes and all(map(_is_number, values))
    is_prior = numbers and min(values) >= 0 and abs(sum(values) - 1) < 1e-6
    _require(is_prior, "prior is not a probability for each class")


def _check_hierarchy(values: Any, classes: list[Any]) -> None:
    if values is None:
        return
    keys = {"nodes", "num_types", "parents", "ids", "levels"}
    _require(isinstance(values, dict) and set(values) == keys, "hierarchy is incomplete")
    _require(
        _are_texts(values["nodes"]) and _are_texts(values["ids"]), "nodes or ids of hierarchy are not text"
    )
    _require(len(values["nodes"]) <= len(classes) + MOST_NODES, "hierarchy has too many nodes")
    _require(type(values["num_types"]) is int, "num_types of hierarchy is not a number")
    levels = values["levels"]
    pairs = isinstance(levels, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in levels)
    _require(pairs and _are_texts([name for name, _ in levels]), "levels of hierarchy are not named")
    positions = [*values["parents"], *(nodes for _, nodes in levels)]
    _require(all(map(_are_whole_numbers, positions)), "hierarchy has positions that are not whole numbers")
    types = Hierarchy.from_dict(values).types  # refuses what does not fit each other
    _require(types == tuple(labels_as_text(np.array(classes, dtype=object))), "hierarchy has other types")


def _check_history(values: Any) -> None:
    is_table = isinstance(values, dict) and all(isinstance(column, list) for column in values.values())
    _require(is_table, "history is not a table")
    columns: list[list[Any]] = list(values.values())
    _require(len({len(column) for column in columns}) <= 1, "the columns of history differ in length")
    cells = (cell for column in columns for cell in column)
    _require(
        all(cell is None or isinstance(cell, (str, int, float)) for cell in cells), "history has objects"
    )


def _check_batches(values: Any, specs: Mapping[str, TensorSpec]) -> None:
    _require(_are_texts(values) and len(set(values)) == len(values), "batches are not unique names")
    spec = specs.get("reference.moments_counts")
    fits = not values or (spec is not None and spec.shape[:1] == (len(values),))
    _require(fits, "batches are not those whose sums are kept")


def _check_card(config: Mapping[str, Any]) -> None:
    card, provenance = config.get("card"), config.get("provenance")
    _require(card is None or isinstance(card, dict), "the card is not named values")
    ModelCard.of(card)  # refuses what is not text
    if provenance is not None:
        Provenance.from_dict(provenance)


def _check_network(values: Any, specs: Mapping[str, TensorSpec]) -> None:
    if values is None:
        _require(not any(name.startswith("network.") for name in specs), "there are edges without a network")
        return
    keys = {"diagonal", "normalization", "source"}
    _require(isinstance(values, dict) and set(values) == keys, "network is incomplete")
    _require(type(values["diagonal"]) is int and values["diagonal"] in (0, 1), "network has a wrong diagonal")
    _require(values["normalization"] in ("max", "sym"), "network has an unknown normalization")
    source = values["source"]
    texts = isinstance(source, dict) and all(v is None or isinstance(v, str) for v in source.values())
    _require(source is None or texts, "the source of the network is not text")
    _require(_has_tensors("network", specs), "tensors of the network are missing or unknown")
    index, weight = specs["network.edge_index"], specs["network.edge_weight"]
    fits = len(weight.shape) == 1 and index == TensorSpec("I64", (2, *weight.shape)) and weight.dtype == "F32"
    _require(fits, "edges and their weights do not fit each other")


def _check_imputer(config: Mapping[str, Any], specs: Mapping[str, TensorSpec], num_genes: int) -> None:
    wanted = config["parameters"].get("missing_genes") != "zero" and config["normalizer"]["genes"] is not None
    if not wanted:
        _require(
            not any(name.startswith("imputer.") for name in specs), "there is an imputer that is not used"
        )
        return
    _require(_has_tensors("imputer", specs), "tensors of the imputer are missing or unknown")
    rank = specs["imputer.variances"].shape
    shapes = {"mean": (num_genes,), "axes": (num_genes, *rank), "noise": (), "variances": rank}
    fits = all(specs[f"imputer.{name}"] == TensorSpec("F32", shape) for name, shape in shapes.items())
    _require(len(rank) == 1 and rank[0] > 0 and fits, "tensors of the imputer have wrong shapes")


def _check_imputation(tensors: Mapping[str, torch.Tensor]) -> None:
    short = bool((tensors["axes"].abs() <= LONGEST_AXIS).all())
    _require(short, "tensor 'imputer.axes' does not hold axes of length 1")
    imputer = PPCAImputer(**tensors)
    positions = torch.arange(len(imputer.mean))
    for present in (positions % 2 == 0, positions >= 1, positions < 1):
        weight, bias = imputer.fold(imputer.mean[:, None], present)
        finite = bool(torch.isfinite(weight).all() and torch.isfinite(bias).all())
        _require(finite, "missing genes cannot be imputed by its tensors")


def _check_types(types: torch.Tensor, counts: torch.Tensor) -> None:
    _require(bool((counts > 0).all()), "tensor 'reference.counts' has a type without cells")
    held_out = torch.bincount(types.clamp(min=0), minlength=len(counts))
    is_part = bool((types >= 0).all()) and len(held_out) == len(counts) and bool((held_out <= counts).all())
    _require(is_part, "tensor 'reference.types' does not hold types of training cells")


def _check_moments(counts: torch.Tensor, squares: torch.Tensor) -> None:
    every = bool((counts >= 0).all()) and bool((counts.sum(0) > 0).all()) and bool((squares >= 0).all())
    _require(every, "tensors 'reference.moments_counts' or 'moments_squares' are not sums over all types")


def _check_edges(index: torch.Tensor, weight: torch.Tensor, num_genes: int) -> None:
    inside = bool(((index >= 0) & (index < num_genes)).all())
    _require(inside, "an edge of the network leads to a gene that does not exist")
    positive = bool(((weight > 0) & (weight <= 1 + 1e-5)).all())
    _require(positive, "a weight of the network is not in (0, 1]")
    rows, columns = index.numpy()
    key, back = rows * num_genes + columns, columns * num_genes + rows
    _require(bool((np.diff(key) > 0).all()), "the edges of the network are not sorted and unique")
    order = np.argsort(back)
    symmetric = np.array_equal(back[order], key) and np.array_equal(weight.numpy()[order], weight.numpy())
    _require(symmetric, "the network is not symmetric")


def _expected_shapes(
    settings: ModelSettings, layers: int, found: Mapping[str, TensorSpec], num_genes: int, classes: int
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a model's state, without allocating it."""
    from gene_gcn.nn.gene_gcn import GeneGCN

    stored = len({name.split(".")[1] for name in found if name.startswith("convs.")})
    _require(layers == stored, f"num_layers is {settings.num_layers:,}, but {stored:,} layers are stored")
    widths = len({name.split(".")[2] for name in found if name.startswith("head.lins.")}) - 1
    hidden = f"hidden_channels has {len(settings.hidden_channels):,} widths, but {widths:,} layers are stored"
    _require(widths == len(settings.hidden_channels), hidden)
    sizes: dict[str, tuple[int, ...]] = {}
    if settings.channels > 1:
        sizes["gene_vectors"] = (num_genes, settings.channels)
    if layers:
        graphs = settings.heads if settings.attention is not None else 1
        sizes["convs.0.lin.weight"] = (graphs * settings.channels, settings.channels)
    for name, shape in sizes.items():
        fits = name in found and found[name].shape == shape
        _require(fits, f"tensor 'model.{name}' does not have the shape {shape} that the parameters ask for")
    with torch.device("meta"):
        model = GeneGCN(
            num_genes,
            classes,
            settings.channels,
            layers,
            tuple(settings.hidden_channels),
            attention=settings.attention,
            heads=settings.heads,
            learn_mixing=settings.learn_mixing,
            residual=settings.residual,
            dropout=settings.dropout,
        )
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


# ---- helpers ----


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ArgumentError("contents", problem)


def _has_tensors(part: str, specs: Mapping[str, TensorSpec]) -> bool:
    found = {name for name in specs if name.startswith(f"{part}.")}
    return found == {f"{part}.{name}" for name in _SPECS[part]}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) and value for value in values)


def _are_whole_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)


def _are_class_weights(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], (str, int, float))
        and _is_number(pair[1])
        for pair in values
    )
