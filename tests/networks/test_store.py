from __future__ import annotations

import pytest

from gene_gcn.errors import StorageWarning
from gene_gcn.networks import GeneNetwork, NetworkSource, store
from gene_gcn.networks.store import get_network
from gene_gcn.storage import cache

SOURCE = NetworkSource("X", "1", "Homo sapiens")
NETWORK = GeneNetwork(["A", "B", "C"], [[0, 1], [1, 2]], [2, 1], source=SOURCE)


def fetched(content="text", name="string/12.0/file.txt"):
    return cache.get_file(name, lambda path: path.write_text(content) and None, check=lambda path: None)


def unexpected(*args):
    raise AssertionError("not to be called")


def test_files_are_read_once():
    file = fetched()
    options = ("string/12.0/9606", {"min_score": 400}, [file])
    assert get_network(*options, lambda: NETWORK) is NETWORK
    loaded = get_network(*options, unexpected)
    assert loaded == NETWORK and loaded.source == NETWORK.source
    other = GeneNetwork(["A", "B"], [[0], [1]])
    assert get_network(options[0], {"min_score": 900}, [file], lambda: other) == other
    second = fetched("another file", "string/12.0/second.txt")
    assert get_network(*options[:2], [second], lambda: other) == other


@pytest.mark.parametrize("position", [20, -20, None])
def test_damaged_copy_is_replaced(position):
    options = ("x", {}, [fetched()])
    get_network(*options, lambda: NETWORK)
    (path,) = cache.cache_folder().glob("x.*.safetensors")
    content = bytearray(path.read_bytes())
    if position is None:
        content = content[:-8]
    else:
        content[position] ^= 0x55
    path.write_bytes(content)
    assert get_network(*options, lambda: NETWORK) is NETWORK
    assert get_network(*options, unexpected) == NETWORK


def test_network_that_cannot_be_stored_is_returned(monkeypatch):
    file = fetched()

    def full(*args):
        raise OSError("no space")

    monkeypatch.setattr(store, "_save", full)
    with pytest.warns(StorageWarning, match="not stored for the next call: no space"):
        assert get_network("x", {}, [file], lambda: NETWORK) is NETWORK
