"""Training of a `GeneGCN` or a `GeneAutoEncoder` by gradient descent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.nn import Linear

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.nn.autoencoder import GeneAutoEncoder
from gene_gcn.nn.gene_gcn import GeneGCN
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.training.checkpoint import Checkpoint
from gene_gcn.training.data import CellDataset
from gene_gcn.training.options import TrainingOptions
from gene_gcn.training.reproducibility import seeded
from gene_gcn.training.tasks import ADAM_LEARNING_RATE, Classification, Reconstruction, fit

SAMPLE_VALUES = 2**26  # features held at once to initialize the head (256 MB)
SAMPLE_BATCH = 256


def train(
    model: GeneGCN,
    training: CellDataset,
    validation: CellDataset | None = None,
    *,
    graph: GlobalGraph | None = None,
    class_weight: Tensor | None = None,
    pretraining: CellDataset | None = None,
    options: TrainingOptions | None = None,
    checkpoint: str | Path | None = None,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Train a model in place and leave it on the CPU, in evaluation mode.

    With a validation set, training stops when its loss has not improved for some epochs, and the weights of
    the best epoch are restored; without one it runs all epochs. The same seed gives the same weights on the
    same machine with the same number of threads; global random states are left as they were.

    Processes that have joined in a group (`gene_gcn.training.ranks`) train one model, if each calls this with
    the same cells and arguments. Each takes other cells, `batch_size` of them in every step.

    Parameters
    ----------
    model : GeneGCN
    training, validation : CellDataset with labels
    graph : GlobalGraph, optional
    class_weight : Tensor, shape (K,), optional
        Weights of the types in the loss.
    pretraining : CellDataset, optional
        Cells, labeled or not, for the autoencoder of `head_init="autoencoder"`; by default those of
        `training`.
    checkpoint : path, optional
        Folder for the state after each epoch. If it has a state, training goes on from there; when training
        ends, the state is deleted.

    Returns
    -------
    list of dict
        One per epoch: "epoch", "loss", and with a validation set "validation_loss" and "validation_accuracy".

    Raises
    ------
    ArgumentError
        The folder has the state of another fit, or only some processes see it.
    DivergenceError
        The loss is no longer finite.
    """
    options = options or TrainingOptions()
    state = None if checkpoint is None else Checkpoint(checkpoint)
    with seeded(seed):
        features = sample_features(model, training, graph)
        initialize_head(
            model,
            features,
            # Weights of a state replace these.
            "random" if state is not None and state.exists() else options.head_init,
            pretraining or training,
            validation,
            graph=graph,
            options=options,
            seed=seed,
        )
        task = Classification(model, graph, options, _learning_rate(options, features), class_weight)
        del features
        return fit(task, training, validation, seed, state)


def train_autoencoder(
    autoencoder: GeneAutoEncoder,
    training: CellDataset,
    validation: CellDataset | None = None,
    *,
    model: GeneGCN | None = None,
    graph: GlobalGraph | None = None,
    options: TrainingOptions | None = None,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Train an autoencoder in place, by Adam, to reconstruct what a head would see; labels are not used.

    Stopping, seeds and errors are those of `train`.

    Parameters
    ----------
    training, validation : CellDataset
    model : GeneGCN, optional
        Its fused features are reconstructed, and it is not changed; by default expression itself is.
    graph : GlobalGraph, optional
        Of that model.
    options : TrainingOptions, optional
        Its optimizer, learning rate and weight decay are ignored: Adam's defaults are used.

    Returns
    -------
    list of dict
        One per epoch: "epoch", "loss", and with a validation set "validation_loss".
    """
    options = replace(options or TrainingOptions(), optimizer="adam", learning_rate=None, weight_decay=0.0)
    with seeded(seed):
        return fit(Reconstruction(autoencoder, model, graph, options), training, validation, seed)


@torch.no_grad()
def sample_features(model: GeneGCN, cells: CellDataset, graph: GlobalGraph | None = None) -> Tensor:
    """Return the fused features (cells, N·C) of as many random cells as fit into 256 MB."""
    width = model.num_genes * model.channels
    n = min(len(cells), max(2, SAMPLE_VALUES // width))
    chosen = torch.randperm(len(cells))[:n].tolist()
    features = torch.empty(n, width)
    for start in range(0, n, SAMPLE_BATCH):
        batch = cells.__getitems__(chosen[start : start + SAMPLE_BATCH])
        features[start : start + SAMPLE_BATCH] = model.fuse(batch.x, graph, equal=batch.equal)
    return features


def initialize_head(
    model: GeneGCN,
    features: Tensor,
    method: str = "pca",
    training: CellDataset | None = None,
    validation: CellDataset | None = None,
    *,
    graph: GlobalGraph | None = None,
    options: TrainingOptions | None = None,
    seed: int = 0,
) -> None:
    """Initialize the head.

    "random" keeps U[−√(1/d_in), √(1/d_in)]. "autoencoder" trains a `GeneAutoEncoder` of the same widths on
    the fused features of cells and copies its encoder. "pca", the default, is the closed form of a linear
    autoencoder with one layer: pairs of hidden units start as ± a principal component of the features, so
    that the ReLU loses no sign. There are at most a third as many components as cells, as later ones are
    noise. A head without hidden units keeps the random start.

    Parameters
    ----------
    features : Tensor, shape (cells, N·C)
        Fused features of training cells, for "pca".
    training, validation : CellDataset
        What `train_autoencoder` takes, as are the other arguments, for "autoencoder".
    """
    if method == "pca" and len(model.head.lins) > 1:
        _pca(model.head.lins[0], features)
    elif method == "autoencoder":
        if training is None:
            raise ArgumentError("training", Argument("method", "autoencoder"), " needs training cells.")
        autoencoder = GeneAutoEncoder(model.head.in_channels, model.head.channel_list[1:-1])
        train_autoencoder(
            autoencoder, training, validation, model=model, graph=graph, options=options, seed=seed
        )
        autoencoder.initialize(model.head)


@torch.no_grad()
def _pca(layer: Linear, features: Tensor) -> None:
    rank = min(layer.out_channels // 2, len(features) // 3, features.size(1))
    if rank < 1:
        return
    mean = features.mean(0)
    _, _, v = torch.svd_lowrank(features, q=min(rank + 10, *features.shape), niter=2, M=mean)
    components = v.T[:rank]  # a few more make these exact
    layer.weight[:rank], layer.weight[rank : 2 * rank] = components, -components
    layer.bias.copy_(-layer.weight @ mean)


def _learning_rate(options: TrainingOptions, features: Tensor) -> float:
    if options.learning_rate is not None:
        return options.learning_rate
    if options.optimizer == "adam":
        return ADAM_LEARNING_RATE
    squared_length = features.square().sum(1).mean().item()
    return min(0.05, 4.5 / squared_length) if squared_length > 0 else 0.05
