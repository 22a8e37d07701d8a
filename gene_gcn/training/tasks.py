"""What lightning trains: losses of modules over batches of cells, stopping early with the best weights."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from gene_gcn.errors import Argument, DivergenceError
from gene_gcn.nn.autoencoder import GeneAutoEncoder
from gene_gcn.nn.expression_layer import FEWEST_CELLS
from gene_gcn.nn.gene_gcn import GeneGCN
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.training.checkpoint import Checkpoint, WholeFiles, fingerprint
from gene_gcn.training.data import CellDataset, Cells, batches, shuffled_batches
from gene_gcn.training.distributed import num_processes, process_rank, sum_over_processes
from gene_gcn.training.options import TrainingOptions
from gene_gcn.training.quiet import quiet
from gene_gcn.training.ranks import JoinedProcesses, own_device
from gene_gcn.training.reproducibility import epoch_seed

ADAM_LEARNING_RATE = 1e-3
MOMENTUM = 0.9
VALIDATION_BATCH = 256
# glibc keeps freed memory up to twice the largest block of under 32 MB that was ever freed; with less, a step
# gives its tables back to the system and gets them again page by page, for half of its time.
LARGEST_KEPT_BLOCK = 31 * 2**20


def fit(
    task: Task,
    training: CellDataset,
    validation: CellDataset | None,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> list[dict[str, float]]:
    """Train the module of a task, leave it on the CPU in evaluation mode, and return its history."""
    torch.empty(LARGEST_KEPT_BLOCK, dtype=torch.uint8)
    options = task.options
    callbacks: list[lightning.Callback] = [RestoreBest(options.patience)] if validation else []
    if options.progress:
        callbacks.append(RichProgressBar())
    resume = None
    if checkpoint is not None:
        callbacks.append(checkpoint.callback())
        resume = checkpoint.path if checkpoint.exists() else None
    device = own_device(options.device)
    task.begin(seed, checkpoint, training, validation)
    with quiet():
        trainer = lightning.Trainer(
            **_hardware(device),
            max_epochs=options.max_epochs,
            callbacks=callbacks,
            plugins=[WholeFiles()],
            logger=False,
            enable_checkpointing=checkpoint is not None,
            enable_model_summary=False,
            enable_progress_bar=options.progress,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # `shuffled_batches` has no cell twice in an epoch
        )
        with _interruptible(), _weights_by_gene(task.model, options.batch_size, device):
            trainer.fit(
                task.train(),
                shuffled_batches(training.to(device), options.batch_size, seed),
                batches(validation.to(device), VALIDATION_BATCH) if validation else None,
                ckpt_path=resume,
                weights_only=True,
            )
    if checkpoint is not None:
        checkpoint.remove()
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
        self._seed = 0
        self._checkpoint: Checkpoint | None = None
        self._fingerprint = ""

    def begin(
        self,
        seed: int,
        checkpoint: Checkpoint | None,
        training: CellDataset,
        validation: CellDataset | None,
    ) -> None:
        """Note the seed, and what a state must belong to."""
        self._seed, self._checkpoint = seed, checkpoint
        if checkpoint is not None:
            tensors = [*training.tensors(), *(validation.tensors() if validation else []), *self.buffers()]
            if self.graph is not None:
                adj_t = self.graph.adj_t
                tensors += [adj_t.crow_indices(), adj_t.col_indices(), adj_t.values()]
            self._fingerprint = fingerprint(self.model, self.options, seed, tensors)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint |= {"history": self.history, "fingerprint": self._fingerprint}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        assert self._checkpoint is not None
        self._checkpoint.check_belongs(checkpoint["fingerprint"], self._fingerprint)
        self.history = checkpoint["history"]

    def loss(self, cells: Cells) -> Tensor:
        """Return the mean over cells."""
        raise NotImplementedError

    def weight(self, cells: Cells) -> Tensor:
        """Return what their mean loss counts, the sum of their weights; by default their number."""
        return cells.x.new_tensor(len(cells.x))

    def metrics(self, cells: Cells) -> dict[str, Tensor]:
        """Return what is reported of a validation set."""
        return {"loss": self.loss(cells)}

    def on_fit_start(self) -> None:
        if self.graph is not None:
            self.graph = self.graph.to(self.device)

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(epoch_seed(self._seed, self.current_epoch, process_rank()))  # for dropout

    def training_step(self, cells: Cells) -> Tensor:
        processes = num_processes()
        loss, size = self.loss(cells) if len(cells.x) else self._zero(), len(cells.x)
        mean = loss.detach()
        if processes > 1:
            # Gradients are averaged over processes, but their cells may count differently.
            weight = self.weight(cells)
            total = sum_over_processes(torch.stack([mean * weight, weight, weight.new_tensor(size)]))
            loss, mean, size = loss * (weight * processes / total[1]), total[0] / total[1], int(total[2])
        self.log("loss", mean, on_epoch=True, on_step=False, prog_bar=True, batch_size=size)
        return loss

    def _zero(self) -> Tensor:
        """Return a loss without cells, with a gradient of every weight: the other processes wait for it."""
        return sum((0 * parameter.sum() for parameter in self.model.parameters()), start=torch.zeros(()))

    def validation_step(self, cells: Cells) -> None:
        metrics = {f"validation_{name}": value for name, value in self.metrics(cells).items()}
        self.log_dict(metrics, batch_size=len(cells.x), sync_dist=True)  # every process has all cells

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
        self.learning_rate = self.trainer.strategy.broadcast(self.learning_rate)  # rounded alike
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

    def weight(self, cells: Cells) -> Tensor:
        assert cells.y is not None
        return super().weight(cells) if self.class_weight is None else self.class_weight[cells.y].sum()

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

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._weights = state_dict["weights"]

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.wait_count >= self.patience:  # killed after the last epoch
            trainer.should_stop = True

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


def _hardware(device: torch.device) -> dict[str, Any]:
    devices = 1 if device.index is None else [device.index]
    hardware = {"accelerator": "gpu" if device.type == "cuda" else device.type, "devices": devices}
    if num_processes() == 1:
        return hardware
    # lightning counts devices by machine; here every process is a machine with one device.
    strategy = DDPStrategy(cluster_environment=JoinedProcesses(), gradient_as_bucket_view=True)
    return hardware | {"strategy": strategy, "num_nodes": num_processes()}


class _ByGene(nn.Module):
    """A matrix (H, N) that is stored as its transpose, so that the weights of a gene are together."""

    def forward(self, stored: Tensor) -> Tensor:
        return stored.t()

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight.t().contiguous()


def _without_weight(module: nn.Module, state: dict[str, Any], prefix: str, metadata: object) -> None:
    """Take out the weight that PyG's layers write by themselves, which is there as it is stored, too."""
    del state[f"{prefix}weight"]


@contextmanager
def _weights_by_gene(model: nn.Module, batch_size: int, device: torch.device) -> Iterator[None]:
    """Store the first weights of the head gene by gene while `expression_layer` needs them."""
    many = batch_size >= FEWEST_CELLS and device.type == "cpu"
    if not (many and isinstance(model, GeneGCN) and model.has_one_step):
        yield
        return
    first = model.head.lins[0]
    register_parametrization(first, "weight", _ByGene())
    hook = first.register_state_dict_post_hook(_without_weight)
    try:
        yield
    finally:
        hook.remove()
        remove_parametrizations(first, "weight")
        first.weight.data = first.weight.data.contiguous()


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
