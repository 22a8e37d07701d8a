"""A fit that was interrupted goes on, and gives what it would have given."""

from __future__ import annotations

import pytest
import torch
from training_cells import K, dataset, make_cells, model_of, network, same_weights, short

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError
from gene_gcn.training.gradient import train
from gene_gcn.training.tasks import Task


def fit(folder=None, validation=True, max_epochs=5, patience=8, seed=0, **changes):
    model = model_of(dropout=0.2)
    held_out = dataset(60, 1)
    held_out.y[:20] = (held_out.y[:20] + 1) % K  # the better the fit, the worse their loss, in time
    history = train(
        model,
        dataset(),
        held_out if validation else None,
        graph=network(),
        options=short(max_epochs=max_epochs, patience=patience, **changes),
        checkpoint=folder,
        seed=seed,
    )
    return model, history


@pytest.fixture
def interrupted(monkeypatch):
    """Let training stop at the start of an epoch, as when it is killed."""

    def interrupt(epoch, **arguments):
        start = Task.on_train_epoch_start

        def stop(task):
            if task.current_epoch == epoch:
                raise RuntimeError("killed")
            start(task)

        with monkeypatch.context() as patch:
            patch.setattr(Task, "on_train_epoch_start", stop)
            with pytest.raises(RuntimeError, match="killed"):
                fit(**arguments)

    return interrupt


@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("head_init", ["pca", "autoencoder"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_fit_goes_on_with_the_same_bits(tmp_path, interrupted, optimizer, head_init, validation):
    how = {"optimizer": optimizer, "head_init": head_init, "validation": validation}
    interrupted(3, folder=tmp_path, **how)
    (resumed, history), (whole, expected) = fit(tmp_path, **how), fit(**how)
    assert same_weights(resumed, whole) and history == expected
    assert list(tmp_path.iterdir()) == []  # another fit starts anew


def test_the_best_epoch_before_the_interruption_is_restored(tmp_path, interrupted):
    how = {"learning_rate": 0.1, "max_epochs": 40, "patience": 6}
    whole, expected = fit(**how)
    stopped = len(expected)
    best = stopped - how["patience"]
    assert 0 < best < stopped < how["max_epochs"]
    interrupted(best + 2, folder=tmp_path, **how)
    resumed, history = fit(tmp_path, **how)
    assert same_weights(resumed, whole) and history == expected


def test_a_fit_that_was_killed_after_its_last_epoch_does_not_train_on(tmp_path, monkeypatch):
    how = {"learning_rate": 0.1, "max_epochs": 40, "patience": 6}
    with monkeypatch.context() as patch:
        patch.setattr("gene_gcn.training.checkpoint.Checkpoint.remove", lambda checkpoint: None)
        whole, expected = fit(tmp_path, **how)
    resumed, history = fit(tmp_path, **how)
    assert same_weights(resumed, whole) and history == expected


def test_more_epochs_may_be_asked_for(tmp_path, interrupted):
    interrupted(2, folder=tmp_path, max_epochs=3)
    assert len(fit(tmp_path, max_epochs=6)[1]) == 6


@pytest.mark.parametrize("change", [{"learning_rate": 0.01}, {"seed": 1}, {"validation": False}])
def test_the_state_of_another_fit_is_refused(tmp_path, interrupted, change):
    interrupted(2, folder=tmp_path)
    with pytest.raises(ArgumentError, match="state of a fit of other cells, genes or parameters") as caught:
        fit(tmp_path, **change)
    assert caught.value.argument == "checkpoint"
    assert len(fit(tmp_path)[1]) == 5  # the state is still there


def test_a_damaged_state_is_refused(tmp_path, interrupted):
    interrupted(2, folder=tmp_path)
    (state,) = tmp_path.iterdir()
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ArgumentError, match="damaged"):
        fit(tmp_path)


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path, interrupted, monkeypatch):
    interrupted(2, folder=tmp_path)
    (state,) = tmp_path.iterdir()
    before = state.read_bytes()

    def half(checkpoint, path):
        path.write_bytes(b"half")
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(OSError, match="the disk is gone"):
            fit(tmp_path)
    assert state.read_bytes() == before
    assert same_weights(fit(tmp_path)[0], fit()[0])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="cannot be made a folder"):
        fit(tmp_path / "file")


def test_a_state_has_no_code(tmp_path, interrupted):
    interrupted(2, folder=tmp_path)
    (state,) = tmp_path.iterdir()
    assert torch.load(state, weights_only=True)["epoch"] == 1


def test_the_classifier_takes_a_folder_for_gradient_training_only(tmp_path):
    X, y = make_cells(60)
    with pytest.raises(
        ArgumentError,
        match="checkpoint= is used by gradient training, and by the exact fit for cells on disk",
    ):
        GeneGCNClassifier().fit(X, y, checkpoint=tmp_path)
    fitted = [
        GeneGCNClassifier(hidden_channels=(6,), max_epochs=2, random_state=0).fit(X, y, checkpoint=folder)
        for folder in (tmp_path / "new", None)
    ]
    assert same_weights(*(clf.model_ for clf in fitted))
    assert list((tmp_path / "new").iterdir()) == []
