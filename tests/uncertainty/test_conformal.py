"""Sets of types hold the true one as often as promised, for each type on its own."""

import numpy as np
import pytest
from scipy.special import softmax

from gene_gcn.uncertainty import class_p_values, uncertified_types

K = 3


def draw(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.choice(K, n, p=[0.7, 0.25, 0.05])
    return softmax(2 * np.eye(K)[y] + rng.normal(size=(n, K)), axis=1), y


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_each_type_is_covered(alpha):
    covered = np.zeros((200, K))
    for seed in range(200):
        known, known_types = draw(600, seed)
        new, types = draw(600, seed + 1000)
        inside = class_p_values(new, known, known_types)[np.arange(600), types] > alpha
        covered[seed] = [inside[types == index].mean() for index in range(K)]
    assert np.all(covered.mean(axis=0) > 1 - alpha - 0.01)
    assert np.all(covered.mean(axis=0) < 1 - alpha + 0.04)  # 1 / (n + 1) more with the 30 cells of the rarest


def test_p_values_are_those_of_the_definition():
    known, types = draw(40, 0)
    new, _ = draw(5, 1)
    p = class_p_values(new, known, types)
    for cell in range(5):
        for index in range(K):
            own = known[types == index, index]
            assert p[cell, index] == (1 + np.sum(own <= new[cell, index])) / (len(own) + 1)


def test_types_without_held_out_cells_are_in_every_set():
    known, types = draw(50, 0)
    p = class_p_values(known, known[types < 2], types[types < 2])
    assert np.all(p[:, 2] == 1)


def test_uncertified_types():
    types = np.repeat([0, 1], [8, 9])
    np.testing.assert_array_equal(uncertified_types(types, K, 0.1), [0, 2])
    assert not len(uncertified_types(np.repeat([0, 1, 2], 30), K, 0.1))


def test_crepes_gives_the_same_p_values():
    crepes = pytest.importorskip("crepes", reason="crepes is not installed")
    known, types = draw(200, 0)
    new, _ = draw(50, 1)
    predictor = crepes.ConformalClassifier()
    predictor.fit(1 - known[np.arange(200), types], bins=types)
    ours = class_p_values(new, known, types)
    for index in range(K):
        theirs = predictor.predict_p(1 - new, bins=np.full(50, index), smoothing=False)
        np.testing.assert_allclose(ours[:, index], np.asarray(theirs)[:, index])
