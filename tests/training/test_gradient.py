"""Training: the same seed gives the same weights, the best epoch is kept, and nothing else is touched."""

from __future__ import annotations

import copy
import logging
import random
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from training_cells import (
    K,
    N,
    autoencoder_of,
    dataset,
    loss_of,
    make_cells,
    model_of,
    network,
    same_weights,
    short,
)

from gene_gcn.errors import DivergenceError
from gene_gcn.nn import GeneAutoEncoder
from gene_gcn.training.data import CellDataset
from gene_gcn.training.gradient import initialize_head, sample_features, train, train_autoencoder
from gene_gcn.training.inference import predict_logits
from gene_gcn.training.options import TrainingOptions

# ---- reproducible, and nothing else touched ----


@pytest.mark.parametrize("head_init", ["pca", "autoencoder", "random"])
def test_the_same_seed_gives_the_same_bits_whatever_the_global_state(head_init):
    models, histories = [], []
    for disturbance in (1, 2):
        torch.manual_seed(disturbance)
        np.random.seed(disturbance)
        random.seed(disturbance)
        models.append(model_of(dropout=0.2))
        histories.append(
            train(
                models[-1],
                dataset(),
                dataset(30, 1),
                graph=network(),
                seed=5,
                options=short(head_init=head_init),
            )
        )
    assert same_weights(*models) and histories[0] == histories[1]
    other = model_of(dropout=0.2)
    train(other, dataset(), graph=network(), seed=6, options=short(head_init=head_init))
    assert not same_weights(models[0], other)


def test_global_random_states_stay_as_they_were():
    def states():
        numpy_state = str(np.random.get_state())
        return torch.get_rng_state().tolist(), numpy_state, random.getstate()

    model, before = model_of(dropout=0.2), states()
    train(model, dataset(), dataset(30, 1), options=short(head_init="autoencoder"))
    assert states() == before
    predict_logits(model, dataset())
    assert states() == before


@pytest.mark.parametrize("validate", [True, False])
def test_nothing_is_printed_or_warned(capfd, caplog, validate):
    graph = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch_geometric|typing")
        model = model_of()
        train(model, dataset(), dataset(30, 1) if validate else None, graph=graph, options=short())
        predict_logits(model, dataset(), graph)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_levels_of_loggers_and_filters_of_warnings_are_restored():
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    try:
        for level, logger in zip((logging.DEBUG, logging.CRITICAL), loggers, strict=True):
            logger.setLevel(level)
        filters = list(warnings.filters)
        train(model_of(), dataset(), options=short(max_epochs=1))
        with pytest.raises(DivergenceError):
            train(model_of(), dataset(), options=short(learning_rate=1e30))
        assert [logger.level for logger in loggers] == [logging.DEBUG, logging.CRITICAL]
        assert warnings.filters == filters
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def test_a_progress_bar_is_shown_on_request(capfd):
    train(model_of(), dataset(), options=short(progress=True))
    assert "Epoch" in "".join(capfd.readouterr())


# ---- what training does ----


@pytest.mark.parametrize("head_init", ["pca", "autoencoder", "random"])
@pytest.mark.parametrize(("optimizer", "learning_rate"), [("sgd", 0.02), ("adam", 0.01)])
def test_training_reduces_the_loss(optimizer, learning_rate, head_init):
    model = model_of()
    history = train(
        model,
        dataset(),
        graph=network(),
        options=short(optimizer=optimizer, learning_rate=learning_rate, head_init=head_init, max_epochs=15),
    )
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert loss_of(model, dataset(), network()) < 0.8 * history[0]["loss"]
    assert not model.training and all(p.device.type == "cpu" for p in model.parameters())


@pytest.mark.parametrize("channels", [1, 4])
def test_every_parameter_learns(channels):
    """Except b_φ, which adds the same to all scores of a gene: a softmax does not see it."""
    model = model_of(channels, num_layers=2)
    before = copy.deepcopy(model)
    train(model, dataset(channels=channels), graph=network(), options=short(head_init="random"))
    for name, value in model.state_dict().items():
        assert name.endswith("phi.bias") or not torch.equal(value, before.state_dict()[name]), name


def test_the_weights_of_the_best_epoch_are_restored():
    """Wrong validation labels for a third of the cells: the better the fit, the worse their loss, in time."""
    validation = dataset(60, 1)
    validation.y[:20] = (validation.y[:20] + 1) % K
    model = model_of()
    history = train(model, dataset(), validation, options=short(learning_rate=0.1, max_epochs=40, patience=6))
    losses = [epoch["validation_loss"] for epoch in history]
    best = int(np.argmin(losses))
    assert best < len(losses) - 1 and losses[-1] > losses[best] + 0.05
    assert loss_of(model, validation) == pytest.approx(losses[best], rel=1e-4)
    assert len(history) == best + 1 + 6 < 40  # stopped after six epochs without improvement


def test_a_validation_set_does_not_change_what_is_learned():
    """The last epoch is the best one here."""
    with_validation, without = model_of(), model_of()
    history = train(with_validation, dataset(), dataset(30, 1), options=short())
    train(without, dataset(), options=short())
    losses = [epoch["validation_loss"] for epoch in history]
    assert losses == sorted(losses, reverse=True)
    assert same_weights(with_validation, without)


def test_without_validation_it_runs_all_epochs():
    history = train(model_of(), dataset(), options=short(max_epochs=7, patience=1))
    assert [set(epoch) for epoch in history] == [{"epoch", "loss"}] * 7
    assert [epoch["epoch"] for epoch in history] == list(range(7))


def test_the_history_has_means_over_cells():
    """With steps of almost no length, the model after an epoch is the one that was measured in it."""
    model, weight, validation = model_of(), torch.tensor([1.0, 2, 3]), dataset(50, 1)
    history = train(
        model,
        dataset(),
        validation,
        class_weight=weight,
        options=short(max_epochs=1, learning_rate=1e-9, batch_size=90),
    )
    assert history[0]["loss"] == pytest.approx(loss_of(model, dataset(), weight=weight), rel=1e-4)
    assert history[0]["validation_loss"] == pytest.approx(loss_of(model, validation, weight=weight), rel=1e-4)
    accuracy = (predict_logits(model, validation).argmax(1) == validation.y).double().mean()
    assert history[0]["validation_accuracy"] == pytest.approx(accuracy)


def test_class_weights_move_the_predictions():
    shares = []
    for weight in (None, torch.tensor([30.0, 1, 1])):
        model = model_of()
        train(model, dataset(), class_weight=weight, options=short())
        shares.append(predict_logits(model, dataset()).softmax(1)[:, 0].mean().item())
    assert shares[1] > shares[0] + 0.1
    unweighted, ones = model_of(), model_of()
    train(unweighted, dataset(), options=short())
    train(ones, dataset(), class_weight=torch.ones(K), options=short())
    for name, value in ones.state_dict().items():
        torch.testing.assert_close(unweighted.state_dict()[name], value)


def test_the_network_takes_part():
    model = model_of()
    train(model, dataset(), graph=network(), options=short())
    assert (predict_logits(model, dataset(), network()) - predict_logits(model, dataset())).abs().max() > 1e-3


def test_weight_decay_shrinks_weights():
    lengths = []
    for weight_decay in (0.0, 0.5):
        model = model_of()
        train(model, dataset(), options=short(weight_decay=weight_decay, max_epochs=10))
        lengths.append(sum(p.square().sum().item() for p in model.parameters()))
    assert lengths[1] < 0.8 * lengths[0]


@pytest.mark.parametrize("validate", [True, False])
def test_a_loss_that_is_not_finite_is_an_error_with_a_remedy(validate):
    with pytest.raises(
        DivergenceError, match=r"loss is (nan|inf) in epoch \d+; pass a smaller learning_rate="
    ):
        train(model_of(), dataset(), dataset(30, 1) if validate else None, options=short(learning_rate=1e30))


def test_a_validation_loss_that_is_not_finite_is_an_error_too():
    """One step of enormous length: the loss before it was finite, what follows is not."""
    with pytest.raises(DivergenceError, match="in epoch 0; pass a smaller learning_rate="):
        train(model_of(), dataset(), dataset(30, 1), options=short(learning_rate=1e38, batch_size=90))


# ---- the first weights and steps ----


def learning_rate_used(options, monkeypatch, X=None):
    """The rate that the optimizer is given."""
    rates = []
    for name in ("SGD", "Adam"):
        optimizer = getattr(torch.optim, name)
        monkeypatch.setattr(
            torch.optim,
            name,
            lambda parameters, lr, make=optimizer, **kwargs: (
                rates.append(lr) or make(parameters, lr=lr, **kwargs)
            ),
        )
    X = make_cells()[0] if X is None else X
    train(model_of(num_layers=0), CellDataset(X, np.arange(X.shape[0]) % K), options=options)
    return rates[0]


@pytest.mark.parametrize(("scale", "expected"), [(1, None), (100, None), (0.01, 0.05), (0, 0.05)])
def test_the_rate_of_sgd_follows_the_length_of_a_cell(monkeypatch, scale, expected):
    X = make_cells()[0] * np.float32(scale)
    if expected is None:
        expected = min(0.05, 4.5 / X.power(2).sum(1).mean())
    options = TrainingOptions(max_epochs=1)
    assert learning_rate_used(options, monkeypatch, X) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (TrainingOptions(max_epochs=1, optimizer="adam"), 1e-3),
        (TrainingOptions(max_epochs=1, optimizer="adam", learning_rate=0.3), 0.3),
        (TrainingOptions(max_epochs=1, learning_rate=0.3), 0.3),
    ],
)
def test_the_rate_of_adam_and_a_given_one(monkeypatch, options, expected):
    assert learning_rate_used(options, monkeypatch) == expected


def test_sampled_features_are_those_of_the_cells():
    model, cells = model_of(4), dataset(channels=4)
    features = sample_features(model, cells, network())
    with torch.no_grad():
        expected = model.fuse(torch.from_numpy(make_cells()[0].toarray()), network())
    assert features.shape == (90, 4 * N)
    features, expected = (t[t.sum(1).argsort()] for t in (features, expected))
    torch.testing.assert_close(features, expected)


def test_pca_starts_with_pairs_of_principal_components():
    model, X = model_of(num_layers=0), torch.from_numpy(make_cells()[0].toarray())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        initialize_head(model, X, "pca")
    first, centered = model.head.lins[0].requires_grad_(False), X - X.mean(0)
    plus, minus = first.weight[:4], first.weight[4:]
    assert torch.equal(plus, -minus)
    torch.testing.assert_close(plus @ plus.T, torch.eye(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(first(X), centered @ first.weight.T, atol=1e-4, rtol=0)
    best = torch.linalg.svdvals(centered)[:4].square().sum()  # the most that four can explain
    assert 0.95 * best < (centered @ plus.T).square().sum() <= best * 1.0001


def test_random_keeps_the_first_weights_and_the_autoencoder_learns_its_own():
    X = torch.from_numpy(make_cells()[0].toarray())
    kept, learned = model_of(num_layers=0), model_of(num_layers=0)
    initialize_head(kept, X, "random")
    assert same_weights(kept, model_of(num_layers=0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained = GeneAutoEncoder(N, (8, 6))
        torch.manual_seed(0)
        initialize_head(learned, X, "autoencoder", dataset(), options=short())
    assert (learned.head.lins[0].weight != untrained.encoder.lins[0].weight).any()
    assert torch.equal(learned.head.lins[-1].weight, kept.head.lins[-1].weight)


def error_of(autoencoder, features):
    with torch.no_grad():
        return F.mse_loss(autoencoder(features), features).item()


@pytest.mark.parametrize("fused", [False, True])
def test_the_autoencoder_learns_expression_or_fused_features(fused):
    cells, graph, model = dataset(300), network(), model_of()
    X = torch.from_numpy(make_cells(300)[0].toarray())
    before = copy.deepcopy(model)
    with torch.no_grad():
        features = model.fuse(X, graph) if fused else X
    learned = autoencoder_of()
    history = train_autoencoder(
        learned,
        cells,
        model=model if fused else None,
        graph=graph if fused else None,
        options=short(max_epochs=40),
        seed=3,
    )
    assert error_of(learned, features) < 0.9 * features.var(0, correction=0).mean()  # better than the means
    assert same_weights(model, before) and not learned.training
    assert len(history) == 40 and history[-1]["loss"] == pytest.approx(error_of(learned, features), rel=0.05)
    again = autoencoder_of()
    train_autoencoder(
        again,
        CellDataset(make_cells(300)[0]),
        model=model if fused else None,  # without labels
        graph=graph if fused else None,
        options=short(max_epochs=40),
        seed=3,
    )
    assert same_weights(again, learned)


def test_the_autoencoder_keeps_its_best_epoch():
    cells, held_out, learned = dataset(3), dataset(30, 1), autoencoder_of()
    history = train_autoencoder(learned, cells, held_out, options=short(max_epochs=400, patience=30))
    losses = [epoch["validation_loss"] for epoch in history]
    assert 4 < len(history) < 400 and min(losses) < losses[-1]
    features = torch.from_numpy(make_cells(30, seed=1)[0].toarray())
    assert error_of(learned, features) == pytest.approx(min(losses), rel=1e-3)


def test_optimizer_options_are_not_those_of_the_autoencoder():
    results = [autoencoder_of(), autoencoder_of()]
    for learned, options in zip(results, (short(), short(learning_rate=5.0, weight_decay=9.0)), strict=True):
        train_autoencoder(learned, dataset(), options=options)
    assert same_weights(*results)


def test_further_cells_change_the_start_from_an_autoencoder_only():
    more = CellDataset(make_cells(200, seed=7)[0])
    for head_init in ("autoencoder", "random", "pca"):
        models = [model_of(), model_of()]
        for model, pretraining in zip(models, (None, more), strict=True):
            train(model, dataset(), pretraining=pretraining, options=short(head_init=head_init))
        assert same_weights(*models) == (head_init != "autoencoder")


def test_the_gradient_of_a_batch_is_the_mean_over_its_cells():
    """So that the paper's rows of one cell a step lose nothing of their mathematics at 64 cells."""
    cells, graph, model = dataset(24), network(), model_of()

    def gradients(chosen):
        model.zero_grad()
        batch = cells.__getitems__(chosen)
        F.cross_entropy(model(batch.x, graph, equal=batch.equal), batch.y).backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    together = gradients(list(range(24)))
    alone = [torch.stack(parts).mean(0) for parts in zip(*(gradients([i]) for i in range(24)), strict=True)]
    assert all(gradient.any() for gradient in together)
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("head_init", ["pca", "autoencoder", "random"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_cells_train(n, head_init):
    model = model_of()
    train(model, dataset(n), options=short(head_init=head_init, max_epochs=1))
    assert predict_logits(model, dataset(n)).isfinite().all()
