"""What lightning trains: losses of modules over batches of cells, stopping early with the best weights."""

from __future__ import annotations

import logging
import math
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar
from torch import Tensor, nn

from gene_gcn.errors import Argument, DivergenceError
from gene_gcn.nn.autoencoder import GeneAutoEncoder
from gene_gcn.nn.gene_gcn import GeneGCN
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.training.data import CellDataset, Cells, batches
from gene_gcn.training.device import choose_device
from gene_gcn.training.options import TrainingOptions

ADAM_LEARNING_RATE = 1e-3
MOMENTUM = 0.9
VALIDATION_BATCH = 256
# glibc keeps freed memory up to twice the largest block of under 32 MB that was ever freed; with less, a step
# gives its tables back to the system and gets them again page by page, for half of its time.
LARGEST_KEPT_BLOCK = 31 * 2**20


def fit(
    task: Task, training: CellDataset, validation: CellDataset | None, seed: int
) -> list[dict[str, float]]:
    """Train the module of a task, leave it on the CPU in evaluation mode, and return its history."""
    torch.empty(LARGEST_KEPT_BLOCK, dtype=torch.uint8)
    options = task.options
    callbacks: list[lightning.Callback] = [RestoreBest(options.patience)] if validation else []
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
                batches(training.to(device), options.batch_size, generator),
                batches(validation.to(device), VALIDATION_BATCH) if validation else None,
            )
    task.cpu().eval()
    return task.history


class Task(lightning.LightningModule):
    """The loss of a module over batches of cells, and what lightning needs to know about it."""

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
        """Return the mean over cells."""
        raise NotImplementedError

    def metrics(self, cells: Cells) -> dict[str, Tensor]:
        """Return what is reported of a validation set."""
        return {"loss": self.loss(cells)}

    def on_fit_start(self) -> None:
        if self.graph is not None:
            self.graph = self.graph.to(self.device)

    def training_step(self, cells: Cells) -> Tensor:
        loss = self.loss(cells)
        self.log("loss", loss, on_epoch=True, on_step=False, prog_bar=True, batch_size=len(cells.x))
        return loss

    def validation_step(self, cells: Cells) -> None:
        metrics = {f"validation_{name}": value for name, value in self.metrics(cells).items()}
        self.log_dict(metrics, batch_size=len(cells.x))

    def on_train_epoch_end(self) -> None:
        metrics = {name: value.item() for name, value in self.trainer.callback_metrics.items()}
        loss = metrics["loss"] + metrics.get("validation_loss", 0.0)  # not finite if either is not
        if not math.isfinite(loss):
            raise DivergenceError(
                f"The loss is {loss} in epoch {self.current_epoch}; pass a smaller ",
                Argument("learning_rate"),
                f" than {self.learning_rate:.3g}.",
            )
        self.history.append({"epoch": self.current_epoch, **metrics})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters, lr, decay = self.model.parameters(), self.learning_rate, self.options.weight_decay
        if self.options.optimizer == "adam":
            return torch.optim.Adam(
                parameters, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay, fused=True
            )
        return torch.optim.SGD(
            parameters, lr, momentum=MOMENTUM, weight_decay=decay, nesterov=True, fused=True
        )


class Classification(Task):
    """Cross-entropy of a `GeneGCN`."""

    class_weight: Tensor | None

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
        return self.metrics(cells)["loss"]

    def metrics(self, cells: Cells) -> dict[str, Tensor]:
        assert cells.y is not None
        logits = self(cells)
        return {
            "loss": F.cross_entropy(logits, cells.y, self.class_weight),
            "accuracy": (logits.argmax(1) == cells.y).float().mean(),
        }


class Reconstruction(Task):
    """Mean squared error of a `GeneAutoEncoder` on the fused features of a `GeneGCN`, or on expression."""

    def __init__(
        self,
        autoencoder: GeneAutoEncoder,
        source: GeneGCN | None,
        graph: GlobalGraph | None,
        options: TrainingOptions,
    ):
        super().__init__(autoencoder, graph, options, ADAM_LEARNING_RATE)
        self.source = source

    def loss(self, cells: Cells) -> Tensor:
        features = cells.x
        if self.source is not None:
            with torch.no_grad():
                features = self.source.fuse(cells.x, self.graph, equal=cells.equal)
        return F.mse_loss(self.model(features), features)


class RestoreBest(EarlyStopping):
    """Early stopping that ends with the weights of the best epoch."""

    def __init__(self, patience: int):
        super().__init__(
            "validation_loss", patience=patience, min_delta=1e-4, mode="min", check_on_train_epoch_end=False
        )
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        before = self.best_score
        super().on_validation_end(trainer, pl_module)
        if self.best_score < before:
            assert isinstance(pl_module, Task)
            weights = pl_module.model.state_dict()
            self._weights = {name: value.detach().clone() for name, value in weights.items()}

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._weights:
            assert isinstance(pl_module, Task)
            pl_module.model.load_state_dict(self._weights)


def _hardware(device: str) -> dict[str, Any]:
    chosen = choose_device(device)
    devices = 1 if chosen.index is None else [chosen.index]
    return {"accelerator": "gpu" if chosen.type == "cuda" else chosen.type, "devices": devices}


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt; lightning turns it into a SystemExit and ignores further ones."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence lightning's remarks about hardware and workers, which no user of this package can act on."""
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
