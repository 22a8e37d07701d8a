"""Training of a `GeneGCN` or a `GeneAutoEncoder` on sparse expression, by lightning.

Knows tensors and CSR matrices, no labels or files. Cells stay sparse, in the memory of the device that trains; a
batch is made dense there when it is needed, with its equal genes already grouped.
"""

from __future__ import annotations

import copy
import logging
import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar
from scipy import sparse
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch_geometric.nn import Linear

from gene_gcn.nn import EqualGenes, GeneAutoEncoder, GeneGCN, GlobalGraph
from gene_gcn.training.imputation import LowRankGenes

PREDICT_BATCH = 256
SAMPLE_VALUES = 2**26  # features held at once to initialise the head (256 MB)
MOMENTUM = 0.9
ADAM_RATE = 1e-3
# glibc keeps freed memory up to twice the largest block of under 32 MB that was ever freed; with less, a step
# gives its tables back to the system and gets them again page by page, for half of its time.
LARGEST_KEPT_BLOCK = 31 * 2**20


class Cells(NamedTuple):
    """A batch of cells.

    Attributes
    ----------
    x : Tensor of float32, shape (B, N)
    equal : EqualGenes, or None where the model has no use for it
    y : Tensor of int64, shape (B,), or None
    """

    x: Tensor
    equal: EqualGenes | None
    y: Tensor | None


class CellDataset(Dataset):
    """Rows of a CSR matrix as batches of dense cells, made where the matrix is: on the CPU, or a GPU after `to`.

    Parameters
    ----------
    X : csr_matrix of float32, shape (cells, N)
        With sorted indices and no stored zeros.
    y : ndarray of int64, shape (cells,), optional
    channels : int
        Channels of the model. With one, genes of equal value are grouped, with more those without expression.
    group : bool
        Whether to group equal genes, which only an individual graph needs.

    Attributes
    ----------
    y : Tensor of int64, shape (cells,), or None
    """

    def __init__(
        self, X: sparse.csr_matrix, y: np.ndarray | None = None, channels: int = 1, group: bool = True
    ):
        self.num_genes = X.shape[1]
        self.y = None if y is None else torch.from_numpy(y)
        self._start = torch.from_numpy(X.indptr.astype(np.int64))
        self._gene = torch.from_numpy(X.indices)
        self._value = torch.from_numpy(X.data)
        self._group = self._background = self._num_groups = None
        if group:
            tables = _group_rows(X, channels)
            self._group, self._background, self._num_groups = map(torch.from_numpy, tables)

    def __len__(self) -> int:
        return len(self._start) - 1

    def to(self, device: torch.device) -> CellDataset:
        """The same cells, held there as they are here: sparse."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        return moved

    def __getitems__(self, cells: list[int]) -> Cells:
        """The batch of these cells; the loader calls this once a batch."""
        cells = torch.as_tensor(cells, device=self._value.device)
        start = self._start[cells]
        length = self._start[cells + 1] - start
        cell = torch.repeat_interleave(length)  # (P,) expressed genes of all cells
        at = torch.arange(len(cell), device=cell.device) + (start + length - length.cumsum(0))[cell]
        gene = self._gene[at].long()
        x = self._value.new_zeros(self.num_genes, len(cells))
        x[gene, cell] = self._value[at]
        equal = None
        if self._group is not None:
            equal = self._equal_genes(cells, length, cell, gene, self._group[at].long())
        return Cells(x.t(), equal, None if self.y is None else self.y[cells])  # gene after gene in memory

    def _equal_genes(
        self, cells: Tensor, length: Tensor, cell: Tensor, gene: Tensor, group: Tensor
    ) -> EqualGenes:
        m = int(self._num_groups[cells].max())
        flat = cell * m + group  # (P,) into (B, M)
        size = torch.bincount(flat, minlength=len(cells) * m).float().view(-1, m)
        size[:, 0] = self.num_genes - length
        first = torch.zeros(len(cells) * m, dtype=torch.int64, device=gene.device).scatter_(0, flat, gene)
        first = first.view(-1, m)
        first[:, 0] = self._background[cells]
        return EqualGenes(cell, gene, group, first, size)


def _group_rows(X: sparse.csr_matrix, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the distinct features of each cell, from 1; an unexpressed gene of each; counts of groups."""
    group = np.empty(X.nnz, np.int32)
    background = np.zeros(X.shape[0], np.int64)
    num_groups = np.ones(X.shape[0], np.int64)
    for cell, (start, stop) in enumerate(zip(X.indptr[:-1], X.indptr[1:], strict=True)):
        values, genes = X.data[start:stop], X.indices[start:stop]
        number = np.unique(values, return_inverse=True)[1] if channels == 1 else np.arange(len(values))
        group[start:stop] = number + 1
        num_groups[cell] += number.max(initial=-1) + 1
        missing = np.flatnonzero(genes != np.arange(len(genes)))  # indices are sorted
        background[cell] = (missing[0] if len(missing) else len(genes)) % X.shape[1]
    return group, background, num_groups


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes
    ----------
    optimizer : {"sgd", "adam"}
        "sgd" has Nesterov momentum 0.9. "adam" (β 0.9 and 0.999, ε 1e-8) is the paper's; its scaling of every
        single weight lets rarely seen genes overfit.
    learning_rate : float, or None
        None: 1e-3 for Adam; for SGD 4.5 over the mean squared length of a cell's fused features, at most
        0.05, which makes the first step independent of the scale of the data.
    head_init : {"pca", "autoencoder", "random"}
        See `initialize_head`.
    patience : int
        Epochs without a better validation loss before training stops.
    """

    optimizer: str = "sgd"
    learning_rate: float | None = None
    weight_decay: float = 0.0
    head_init: str = "pca"
    batch_size: int = 64
    max_epochs: int = 100
    patience: int = 8
    device: str = "auto"
    progress: bool = False


def train(
    model: GeneGCN,
    training: CellDataset,
    validation: CellDataset | None = None,
    *,
    graph: GlobalGraph | None = None,
    class_weight: Tensor | None = None,
    pretraining: CellDataset | None = None,
    options: TrainingOptions | None = None,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Train a model in place and leave it on the CPU, in evaluation mode.

    With a validation set, training stops when its loss has not improved for some epochs and the weights of
    the best epoch are restored; without one it runs all epochs. The same seed gives the same weights on the
    same machine; global random states are left as they were.

    Parameters
    ----------
    model : GeneGCN
    training, validation : CellDataset with labels
    graph : GlobalGraph, optional
    class_weight : Tensor, shape (K,), optional
        Weights of the types in the loss.
    pretraining : CellDataset, optional
        Cells, labelled or not, that an autoencoder for the start of the head learns from; by default those of
        `training`.

    Returns
    -------
    list of dict
        One per epoch: "epoch", "loss", and "validation_loss", "validation_accuracy" where there is a
        validation set.

    Raises
    ------
    FloatingPointError
        If the loss is no longer finite.
    """
    options = options or TrainingOptions()
    with _seeded(seed):
        features = sample_features(model, training, graph)
        initialize_head(
            model,
            features,
            options.head_init,
            pretraining or training,
            validation,
            graph=graph,
            options=options,
            seed=seed,
        )
        task = _Classification(model, graph, options, _learning_rate(options, features), class_weight)
        del features
        return _fit(task, training, validation, seed)


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
    """Train an autoencoder in place, by Adam, to give back what a head would see; labels are not looked at.

    Stopping, seeds and errors are those of `train`.

    Parameters
    ----------
    training, validation : CellDataset
    model : GeneGCN, optional
        Its fused features are learned, and it stays as it is; by default expression itself.
    graph : GlobalGraph, optional
        Of that model.
    options : TrainingOptions, optional
        Optimiser, learning rate and weight decay are left out of account: Adam's defaults are used.

    Returns
    -------
    list of dict
        One per epoch: "epoch", "loss", and "validation_loss" where there is a validation set.
    """
    options = replace(options or TrainingOptions(), optimizer="adam", learning_rate=None, weight_decay=0.0)
    with _seeded(seed):
        return _fit(_Reconstruction(autoencoder, model, graph, options), training, validation, seed)


def _fit(
    task: _Task, training: CellDataset, validation: CellDataset | None, seed: int
) -> list[dict[str, float]]:
    """Train the task's module and leave it on the CPU, in evaluation mode; the history of the epochs."""
    torch.empty(LARGEST_KEPT_BLOCK, dtype=torch.uint8)
    options = task.options
    callbacks: list[lightning.Callback] = [_RestoreBest(options.patience)] if validation else []
    if options.progress:
        callbacks.append(RichProgressBar())
    device = choose_device(options.device)
    generator = torch.Generator().manual_seed(seed)
    with _quiet():
        trainer = lightning.Trainer(
            **_hardware(options.device),
            max_epochs=options.max_epochs,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=options.progress,
            num_sanity_val_steps=0,
        )
        with _interruptible():
            trainer.fit(
                task.train(),
                _loader(training.to(device), options.batch_size, generator),
                _loader(validation.to(device), PREDICT_BATCH) if validation else None,
            )
    task.cpu().eval()
    return task.history


def predict_logits(
    model: GeneGCN,
    cells: CellDataset,
    graph: GlobalGraph | None = None,
    device: str = "auto",
    genes: LowRankGenes | None = None,
    present: Tensor | None = None,
) -> Tensor:
    """Logits of all cells, (cells, K), on the CPU.

    Parameters
    ----------
    genes : LowRankGenes, optional
        To fill in those genes that are not `present`, a bool Tensor of shape (N,).
    """
    target = choose_device(device)
    graph = None if graph is None else graph.to(target)
    if genes is None:
        return _over_batches(model, lambda batch: model(batch.x, graph, equal=batch.equal), cells, device)
    genes, present = genes.to(target), present.to(target)
    encoder = genes.encoder(present)
    return _over_batches(
        model, lambda batch: model(genes.fill(batch.x, present, encoder), graph), cells, device
    )


def encode(autoencoder: GeneAutoEncoder, cells: CellDataset, device: str = "auto") -> Tensor:
    """Codes of all cells, (cells, width of the last hidden layer), on the CPU."""
    return _over_batches(autoencoder, lambda batch: autoencoder.encoder(batch.x), cells, device)


@torch.inference_mode()
def _over_batches(
    module: nn.Module, result: Callable[[Cells], Tensor], cells: CellDataset, device: str
) -> Tensor:
    target = choose_device(device)
    module.to(target).eval()
    with _quiet():
        results = [result(batch).cpu() for batch in _loader(cells.to(target), PREDICT_BATCH)]
    module.cpu()
    return torch.cat(results)


@torch.no_grad()
def sample_features(model: GeneGCN, cells: CellDataset, graph: GlobalGraph | None = None) -> Tensor:
    """Fused features of as many random cells as fit into 256 MB, (cells, N·C)."""
    width = model.num_genes * model.channels
    n = min(len(cells), max(2, SAMPLE_VALUES // width))
    chosen = torch.randperm(len(cells))[:n].tolist()
    features = torch.empty(n, width)
    for start in range(0, n, PREDICT_BATCH):
        batch = cells.__getitems__(chosen[start : start + PREDICT_BATCH])
        features[start : start + PREDICT_BATCH] = model.fuse(batch.x, graph, equal=batch.equal)
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
    """Give the head its first weights.

    "random" keeps U[−√(1/d_in), √(1/d_in)]. "autoencoder" trains a `GeneAutoEncoder` of the same widths on
    the fused features of the cells and copies its encoder. "pca", the default, is the optimum of a linear
    autoencoder with one layer in closed form: pairs of hidden units start as ± a principal component of the
    features, so that no sign is lost in the ReLU; at most a third as many components as cells, as later ones
    are noise. A head without hidden units keeps the random start.

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
        return ADAM_RATE
    squared_length = features.square().sum(1).mean().item()
    return min(0.05, 4.5 / squared_length) if squared_length > 0 else 0.05


class _Task(lightning.LightningModule):
    """The loss of a module over batches of cells, and what lightning has to know about it."""

    def __init__(
        self, model: nn.Module, graph: GlobalGraph | None, options: TrainingOptions, learning_rate: float
    ):
        super().__init__()
        self.model = model
        self.graph = graph
        self.options = options
        self.learning_rate = learning_rate
        self.history: list[dict[str, float]] = []

    def loss(self, cells: Cells) -> Tensor:
        """Mean over the cells."""
        raise NotImplementedError

    def figures(self, cells: Cells) -> dict[str, Tensor]:
        """What is told of a validation set, the "loss" first."""
        return {"loss": self.loss(cells)}

    def on_fit_start(self) -> None:
        if self.graph is not None:
            self.graph = self.graph.to(self.device)

    def training_step(self, cells: Cells) -> Tensor:
        loss = self.loss(cells)
        self.log("loss", loss, on_epoch=True, on_step=False, prog_bar=True, batch_size=len(cells.x))
        return loss

    def validation_step(self, cells: Cells) -> None:
        figures = {f"validation_{name}": value for name, value in self.figures(cells).items()}
        self.log_dict(figures, batch_size=len(cells.x))

    def on_train_epoch_end(self) -> None:
        figures = {name: value.item() for name, value in self.trainer.callback_metrics.items()}
        loss = figures["loss"] + figures.get("validation_loss", 0.0)  # not finite if either is not
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss is {loss} in epoch {self.current_epoch}; a smaller "
                f"learning_rate than {self.learning_rate:.3g} may help."
            )
        self.history.append({"epoch": self.current_epoch, **figures})

    def configure_optimizers(self):
        arguments = {"lr": self.learning_rate, "weight_decay": self.options.weight_decay}
        if self.options.optimizer == "adam":
            return torch.optim.Adam(
                self.model.parameters(), betas=(0.9, 0.999), eps=1e-8, fused=True, **arguments
            )
        return torch.optim.SGD(
            self.model.parameters(), momentum=MOMENTUM, nesterov=True, fused=True, **arguments
        )


class _Classification(_Task):
    """Cross-entropy of a `GeneGCN`."""

    def __init__(
        self,
        model: GeneGCN,
        graph: GlobalGraph | None,
        options: TrainingOptions,
        learning_rate: float,
        class_weight: Tensor | None,
    ):
        super().__init__(model, graph, options, learning_rate)
        self.register_buffer("class_weight", class_weight, persistent=False)

    def forward(self, cells: Cells) -> Tensor:
        return self.model(cells.x, self.graph, equal=cells.equal)

    def loss(self, cells: Cells) -> Tensor:
        return F.cross_entropy(self(cells), cells.y, self.class_weight)

    def figures(self, cells: Cells) -> dict[str, Tensor]:
        logits = self(cells)
        return {
            "loss": F.cross_entropy(logits, cells.y, self.class_weight),
            "accuracy": (logits.argmax(1) == cells.y).float().mean(),
        }


class _Reconstruction(_Task):
    """Mean squared error of a `GeneAutoEncoder` on the fused features of a `GeneGCN`, or on expression."""

    def __init__(
        self,
        autoencoder: GeneAutoEncoder,
        source: GeneGCN | None,
        graph: GlobalGraph | None,
        options: TrainingOptions,
    ):
        super().__init__(autoencoder, graph, options, ADAM_RATE)
        self.source = source

    def loss(self, cells: Cells) -> Tensor:
        features = cells.x
        if self.source is not None:
            with torch.no_grad():
                features = self.source.fuse(cells.x, self.graph, equal=cells.equal)
        return F.mse_loss(self.model(features), features)


class _RestoreBest(EarlyStopping):
    """Early stopping that ends with the weights of the best epoch."""

    def __init__(self, patience: int):
        super().__init__(
            "validation_loss", patience=patience, min_delta=1e-4, mode="min", check_on_train_epoch_end=False
        )
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer, task: _Task) -> None:
        before = self.best_score
        super().on_validation_end(trainer, task)
        if self.best_score < before:
            self._weights = {name: value.detach().clone() for name, value in task.model.state_dict().items()}

    def on_fit_end(self, trainer, task: _Task) -> None:
        if self._weights:
            task.model.load_state_dict(self._weights)


def _loader(cells: CellDataset, batch_size: int, generator: torch.Generator | None = None) -> DataLoader:
    """Batches of cells, in random order where there is a generator."""
    # Without a generator of its own the loader would draw a number from the global one.
    return DataLoader(
        cells,
        batch_size,
        shuffle=generator is not None,
        generator=generator or torch.Generator(),
        collate_fn=lambda batch: batch,
    )


def choose_device(device: str = "auto") -> torch.device:
    """The device of that name; "auto" is the first CUDA device where there is one, otherwise the CPU.

    Raises
    ------
    ValueError
        The name is unknown or this machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"device={device!r} cannot be used here ({reason}); try 'auto' or 'cpu'.") from error
    return chosen


def _hardware(device: str) -> dict:
    chosen = choose_device(device)
    devices = 1 if chosen.index is None else [chosen.index]
    return {"accelerator": "gpu" if chosen.type == "cuda" else chosen.type, "devices": devices}


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's global generators seeded inside, as before outside."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C as Python has it; lightning makes it a SystemExit and ignores any further one."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without lightning's remarks on hardware and workers, which no user of ours can act on."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
