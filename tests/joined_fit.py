"""What each of two processes does where tests fit to cells on disk together: `joined_fit.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from stored_cells import Rows, typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import open_cells
from gene_gcn.estimators.fit_state import NAME, FitState
from gene_gcn.training.distributed import in_turn, process_rank
from gene_gcn.training.ranks import join_processes

CELLS = 25_000  # more than the sample, so that each process reads blocks of its own


class Stopped(BaseException):
    """What a process that is killed does not see."""


class Damaged(Rows):
    """Cells that cannot be read by one process from its `last` slice on."""

    batch_size = 4096
    last = 10**9

    def __getitem__(self, rows):
        block = super().__getitem__(rows)
        if len(self.read) >= self.last:
            raise OSError(f"slice {self.last} of process {process_rank()} is damaged")
        return block


def fit(cells, y="cell_type", checkpoint=None):
    return GeneGCNClassifier(random_state=0, device="cpu").fit(cells, y, checkpoint=checkpoint)


def stop_after(steps):
    """Let fits stop after they have saved so many steps; return what undoes that."""
    save, saved = FitState.save, []

    def save_and_stop(state, iterate):
        save(state, iterate)
        saved.append(iterate)
        if len(saved) == steps:
            raise Stopped

    FitState.save = save_and_stop
    return lambda: setattr(FitState, "save", save)


def error_of(*arguments):
    try:
        fit(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def tensors_of(clf):
    depth, share = clf.normalizer_.target_sum, torch.from_numpy(clf.normalizer_.gene_share)
    normalizer = {"target_sum": torch.tensor(depth, dtype=torch.float64), "gene_share": share}
    return clf.fitted_.tensors() | clf.fitted_.reference.tensors() | normalizer


def main(folder):
    join_processes("cpu")
    cells = open_cells(folder / "cells.h5ad")
    state = folder / f"disk of process {process_rank()}"  # that of the second never has a state
    results = {"uninterrupted": tensors_of(fit(cells))}
    proceed = stop_after(2)
    try:
        fit(cells, checkpoint=state)
    except Stopped:
        proceed()
    results["files"] = sorted(path.name for path in state.glob("*"))
    results["resumed"] = tensors_of(fit(cells, checkpoint=state))
    if process_rank() == 0:
        (state / NAME).write_bytes(b"damaged")
    results["damaged state"] = error_of(cells, "cell_type", state)
    labeled = typed_cells(CELLS)
    for when, last in (("checking", 11), ("fitting", 160)):
        rows = Damaged(labeled.X)
        rows.last = last if process_rank() == 1 else rows.last
        results[f"damaged slice, {when}"] = error_of(rows, labeled.obs["cell_type"].to_numpy())
    results["in turn"] = list(in_turn(iter(range(process_rank(), 5, 2))))
    if process_rank() == 0:
        results["lost process"] = error_of(cells)
    torch.save(results, folder / f"{process_rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
