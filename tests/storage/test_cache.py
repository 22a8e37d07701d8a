from __future__ import annotations

import json

import pytest

from gene_gcn import networks
from gene_gcn.errors import ArgumentError
from gene_gcn.networks import GeneNetwork, NetworkSource
from gene_gcn.networks.store import get_network
from gene_gcn.storage import cache

NAME = "string/12.0/file.txt"
SOURCE = NetworkSource("X", "1", "Homo sapiens")
NETWORK = GeneNetwork(["A", "B", "C"], [[0, 1], [1, 2]], [2, 1], source=SOURCE)


def make_file(content="text", name=NAME, **metadata):
    return cache.get_file(
        name, lambda path: path.write_text(content) and None, check=lambda path: None, **metadata
    )


def unexpected(*args):
    raise AssertionError("not to be called")


def test_file_is_made_once_and_has_metadata():
    path = make_file(version="12.0")
    assert path == cache.cache_folder() / NAME and path.read_text() == "text"
    record = cache.get_record(path)
    assert record["version"] == "12.0" and len(record["sha256"]) == 64
    assert cache.get_file(NAME, unexpected, check=unexpected) == path


def test_error_for_a_changed_file_names_the_remedy():
    path = make_file()
    path.write_text("other")
    with pytest.raises(OSError, match=r"has changed since .* 20.* networks.remove\('string/12.0"):
        make_file()
    assert networks.remove(NAME) == [NAME]
    assert make_file().read_text() == "text"


def test_file_copied_into_the_cache_is_checked_and_recorded():
    path = cache.cache_folder() / NAME
    path.parent.mkdir(parents=True)
    path.write_text("copied")
    assert networks.cached().empty  # it has no record yet

    def refuse(path):
        raise ValueError(f"{path} is wrong")

    with pytest.raises(ValueError, match="is wrong"):
        cache.get_file(NAME, unexpected, check=refuse)
    assert path.exists() and cache.get_record(path) is None
    assert cache.get_file(NAME, unexpected, check=lambda path: None) == path
    assert list(networks.cached()["name"]) == [NAME]


def test_failure_leaves_nothing():
    def half(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get_file(NAME, half, check=unexpected)
    assert not [path for path in cache.cache_folder().rglob("*") if path.is_file()]


def test_full_disk_is_said_with_one_remedy(small_disk, monkeypatch):
    monkeypatch.setenv("GENE_GCN_CACHE", str(small_disk))
    kept = make_file(name="a/kept")
    full = r"(No space left on device|File too large)\); free some space, or choose another folder with the"
    with pytest.raises(OSError, match=f"large cannot be written .{full}") as caught:
        make_file("text" * 2**20, name="a/large")
    assert str(caught.value).count("another folder") == 1
    assert kept.read_text() == "text" and list(cache.cached()["name"]) == ["a/kept"]


def test_folder_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENE_GCN_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"\(Not a directory\); choose another folder with the environment"):
        make_file()


def test_list_and_remove():
    assert networks.cached().empty and list(networks.cached().columns) == cache.COLUMNS
    file = make_file(version="12.0", organism="Homo sapiens")
    get_network("string/12.0/9606", {}, [file], lambda: NETWORK)
    make_file(name="biogrid/x.zip")
    foreign = cache.cache_folder() / "mine.txt"
    foreign.write_text("not of the cache")
    table = networks.cached().set_index("name")
    assert len(table) == 3
    assert tuple(table.loc[NAME, ["version", "organism", "size"]]) == ("12.0", "Homo sapiens", 4)
    (network,) = table.index[table.index.str.endswith(".safetensors")]
    assert tuple(table.loc[network, ["version", "organism", "sha256"]]) == (
        "1",
        "Homo sapiens",
        NETWORK.content_hash,
    )
    assert table["date"].str.startswith("20").all() and table["path"].notna().all()
    with pytest.raises(ValueError, match="Nothing in .* is named 'nothing'; it contains biogrid/x.zip"):
        networks.remove("nothing")
    assert networks.remove("string/*") == [network, NAME]
    assert list(networks.cached()["name"]) == ["biogrid/x.zip"]
    networks.remove("*")
    assert [path for path in cache.cache_folder().rglob("*") if path.is_file()] == [foreign]


def test_records_are_json():
    path = make_file(version="1")
    record = json.loads((path.parent / f"{path.name}.record").read_text())
    assert set(record) == {"sha256", "date", "version"}


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GENE_GCN_CACHE", "~/x")
    assert cache.cache_folder().name == "x" and "~" not in str(cache.cache_folder())
    monkeypatch.delenv("GENE_GCN_CACHE")
    assert "gene_gcn" in cache.cache_folder().parts


def test_files_that_cannot_be_read_are_discarded():
    first, second = make_file(name="a/x"), make_file(name="a/y")
    with pytest.raises(ArgumentError, match="no pair"), cache.discarding(first, second):
        raise ArgumentError("min_score", "no pair")
    assert first.exists() and second.exists()
    message = "Line 3 is wrong. Removed from the cache: x; the next call"
    with pytest.raises(OSError, match=message), cache.discarding(first):
        raise ArgumentError("path", "Line 3 is wrong.")
    assert list(cache.cached()["name"]) == ["a/y"]
