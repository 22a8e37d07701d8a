"""Quality, thresholds and confusions of labels follow their definitions."""

import numpy as np
from scipy.special import softmax

from gene_gcn.uncertainty import confusable_pairs, label_quality, suspicious_labels

K = 3


def draw(n, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, K, n)
    return softmax(3 * np.eye(K)[y] + rng.normal(size=(n, K)), axis=1), y


def test_quality_orders_cells_as_the_log_odds_against_the_strongest_rival():
    probability, y = draw(50)
    quality = label_quality(probability, y)
    for p, label, q in zip(probability, y, quality, strict=True):
        log_odds = np.log(p[label]) - np.log(np.delete(p, label).max())
        np.testing.assert_allclose(q, 1 / (1 + np.exp(-log_odds)))
    np.testing.assert_array_equal(quality < 0.5, probability.argmax(axis=1) != y)


def test_quality_of_impossible_types_is_finite():
    probability = np.array([[1.0, 0, 0], [1, 0, 0], [0, 0, 0]], np.float32)
    np.testing.assert_allclose(label_quality(probability, np.array([0, 1, 2])), [1, 0, 0.5], atol=1e-9)


def test_suspicious_labels_are_those_beyond_the_threshold_of_the_predicted_type():
    probability, y = draw(200)
    y[:20] = (y[:20] + 1) % K
    found = suspicious_labels(probability, y)
    threshold = [probability[y == k, k].mean() for k in range(K)]
    for p, label, is_suspicious in zip(probability, y, found, strict=True):
        best = int(np.argmax(p))
        assert is_suspicious == (best != label and p[best] >= threshold[best])
    assert found[:20].mean() > 0.5 > 0.1 > found[20:].mean()


def test_a_type_that_is_hard_to_tell_has_a_low_threshold():
    # Cells of type 0 are sure, those of type 1 are not: 0.6 is much for type 1 and little for type 0.
    probability = np.array([[0.95, 0.05], [0.95, 0.05], [0.45, 0.55], [0.45, 0.55], [0.4, 0.6], [0.6, 0.4]])
    y = np.array([0, 0, 1, 1, 0, 1])
    np.testing.assert_array_equal(np.flatnonzero(suspicious_labels(probability, y)), [4])


def test_types_without_labels_do_no_harm():
    probability, y = draw(40)
    wide = np.column_stack([probability, np.zeros(40)])
    np.testing.assert_array_equal(suspicious_labels(wide, y), suspicious_labels(probability, y))


def test_pairs_count_both_directions():
    y = np.array([0, 0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 1, 1, 2, 0, 1, 2])
    pairs = confusable_pairs(y, predicted, K)
    assert pairs.to_dict("split")["data"] == [
        [0, 1, 2, 0.5, 1, 0.5],
        [1, 0, 1, 0.5, 2, 0.5],
        [0, 2, 1, 0.25, 0, 0.0],
    ]
    assert confusable_pairs(y, y, K).empty
