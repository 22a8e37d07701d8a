"""What each of several processes does where tests train together: `joined_training.py FOLDER [kill]`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from training_cells import K, dataset, make_cells, model_of, network, short

from gene_gcn import CellEmbedding, GeneGCNClassifier
from gene_gcn.training.data import ShuffledBatches
from gene_gcn.training.distributed import num_processes, process_rank
from gene_gcn.training.gradient import train
from gene_gcn.training.ranks import join_processes
from gene_gcn.training.tasks import Task

CELLS = 65  # four batches of 16 and one cell, so that one of two processes has none in the last step
KILLED_IN = 2  # epoch


def train_one(batch_size, checkpoint=None, dropout=0.0):
    """Train both graphs with types that count differently; return the model and its history."""
    model = model_of(dropout=dropout, learn_mixing=True)
    history = train(
        model,
        dataset(CELLS),
        dataset(30, 1),
        graph=network(),
        class_weight=torch.arange(1.0, K + 1),
        options=short(batch_size=batch_size, max_epochs=4),
        checkpoint=checkpoint,
        seed=3,
    )
    return model, history


def kill_in_the_middle():
    """Let this process be killed at the start of an epoch."""
    start = Task.on_train_epoch_start

    def killed(task):
        if task.current_epoch == KILLED_IN:
            os.kill(os.getpid(), signal.SIGKILL)
        start(task)

    Task.on_train_epoch_start = killed


def main(folder, kill):
    join_processes("cpu")
    if kill:
        kill_in_the_middle()
    batch_size = 16 // num_processes()
    resumed, _ = train_one(batch_size, folder / "state", dropout=0.2)
    uninterrupted, _ = train_one(batch_size, dropout=0.2)
    model, history = train_one(batch_size)
    results = {"resumed": resumed.state_dict(), "uninterrupted": uninterrupted.state_dict()}
    results |= {"weights": model.state_dict(), "history": history}
    X, y = make_cells(60)
    clf = GeneGCNClassifier(attention="embedded_dot", hidden_channels=(6,), max_epochs=2, device="cpu")
    clf.fit(X, y)
    results["classifier"] = clf.model_.state_dict()
    results["embedding"] = CellEmbedding((6,), max_epochs=2, device="cpu").fit(X).model_.state_dict()
    results["order"] = list(ShuffledBatches(CELLS, batch_size, seed=3))
    torch.save(results, folder / f"{process_rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "kill" in sys.argv)
