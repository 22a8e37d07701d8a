from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from small_networks import GENES, small

from gene_gcn.networks import GeneNetwork, NetworkSource


def test_cannot_be_changed():
    network = small()
    with pytest.raises(AttributeError, match="immutable"):
        network.genes = ()
    with pytest.raises(AttributeError, match="immutable"):
        network.name = "x"
    with pytest.raises(AttributeError, match="immutable"):
        del network._genes
    before = network.content_hash
    network.edge_index.zero_()
    network.edge_weight.zero_()
    network.degree[:] = 9
    assert network == small()
    assert small().content_hash == before


def test_memory_is_not_shared_with_the_arguments():
    index, weight = np.array([[0, 1], [1, 2]]), np.array([1.0, 0.5])
    network = GeneNetwork(GENES, index, weight)
    index[:], weight[:] = 0, 7
    assert network == GeneNetwork(GENES, [[0, 1], [1, 2]], [1.0, 0.5])


def test_equality_and_hash_depend_on_content():
    network = small(source=NetworkSource("one"))
    same = small(source=NetworkSource("two"))
    assert network == same and hash(network) == hash(same) and len({network, same}) == 1
    others = [
        network.with_diagonal(1),
        network.normalized("sym"),
        network.align(GENES[::-1]),
        GeneNetwork(["X", *GENES[1:]], network.edge_index, network.edge_weight),
        GeneNetwork(GENES, network.edge_index),
    ]
    for other in others:
        assert other != network and other.content_hash != network.content_hash
    assert network != "a network"


class Estimator(BaseEstimator):
    def __init__(self, network=None):
        self.network = network


def test_copies_pickles_and_clones():
    network = small(source=NetworkSource("STRING")).with_diagonal(1).normalized("sym")
    unpickled = pickle.loads(pickle.dumps(network))
    for other in (copy.copy(network), copy.deepcopy(network), unpickled, clone(Estimator(network)).network):
        assert other == network and other.source == network.source
        assert other.content_hash == network.content_hash
    assert not unpickled._edge_weight.flags.writeable and not unpickled._edge_index.flags.writeable


def test_content_hash_is_the_same_in_another_process():
    code = (
        "from gene_gcn.networks import GeneNetwork; import sys;"
        "n = GeneNetwork(['A', 'B'], [[0], [1]]); h = n.content_hash; n.to_frame();"
        "print(h, 'torch' in sys.modules)"
    )
    options = {"capture_output": True, "text": True, "check": True}
    content_hash, torch_loaded = subprocess.run([sys.executable, "-c", code], **options).stdout.split()
    assert content_hash == GeneNetwork(["A", "B"], [[0], [1]]).content_hash
    assert torch_loaded == "False"  # so that the command line's help does not wait for torch
