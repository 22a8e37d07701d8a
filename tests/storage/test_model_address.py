"""Addresses of models: what is one, and where it leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.model_address import HubAddress, WebAddress, parse_address

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf://owner/name", HubAddress("owner/name")),
        ("hf://owner/name/", HubAddress("owner/name")),
        ("hf://o.w-n/na_me@v1.0", HubAddress("o.w-n/na_me", "v1.0")),
        ("hf://o/n@v1/pbmc/fine", HubAddress("o/n", "v1", "pbmc/fine")),
        ("hf://o/n/pbmc", HubAddress("o/n", "main", "pbmc")),
        ("hf://o/n@refs/pr/1", HubAddress("o/n", "refs/pr/1")),
        ("https://a.org/m.zip", WebAddress("https://a.org/m.zip")),
        ("https://a.org/m/", WebAddress("https://a.org/m")),
        (
            f"https://a.org/m.zip?download=1#sha256={DIGEST}",
            WebAddress("https://a.org/m.zip?download=1", DIGEST),
        ),
        (f"http://a.org/m.zip#sha256={DIGEST.upper()}", WebAddress("http://a.org/m.zip", DIGEST)),
        ("http://localhost:8000/m/", WebAddress("http://localhost:8000/m")),
        ("folder/model", Path("folder/model")),
        (Path("model.zip"), Path("model.zip")),
    ],
)
def test_addresses(text, expected):
    found = parse_address(text)
    assert found == expected
    if not isinstance(found, Path):
        assert parse_address(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "hf://owner",
        "hf://owner/",
        "hf:///name",
        "hf://o/n@",
        "hf://o/../n",
        "hf://o/n@v1/../secret",
        "hf://o/n@a..b",
        "hf://o/n/a//b",
        "hf://o/n?x=1",
        "hf://o/n#x",
        "hf://o /n",
        "hf://../n",
        "https://",
        "https://user:word@a.org/m.zip",
        "https://[::1/m.zip",
        "https://a.org/m.zip#sha256=abc",
        "https://a.org/m.zip#main",
        "http://a.org/m.zip",
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(ArgumentError) as caught:
        parse_address(text)
    assert caught.value.argument == "path" and "word" not in str(caught.value)


def test_files_of_an_address(monkeypatch):
    monkeypatch.delenv("GENE_GCN_HF_URL")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.org/hub/")
    address = HubAddress("o/n", "refs/pr/1", "a/b")
    assert address.url("x.json") == "https://mirror.org/hub/o/n/resolve/refs%2Fpr%2F1/a/b/x.json"
    monkeypatch.setenv("GENE_GCN_HF_URL", "https://own.org")
    assert address.url("x", "c1") == "https://own.org/o/n/resolve/c1/a/b/x"
    assert WebAddress("https://a.org/m?key=1").url("x") == "https://a.org/m/x?key=1"


@pytest.mark.parametrize(
    ("endpoint", "is_sent"),
    [("https://huggingface.co", True), ("http://127.0.0.1:8000", True), ("http://mirror.org", False)],
)
def test_tokens_are_not_sent_without_encryption(monkeypatch, endpoint, is_sent):
    monkeypatch.setenv("GENE_GCN_HF_URL", endpoint)
    monkeypatch.setenv("HF_TOKEN", " hf_s3cret ")
    assert HubAddress("o/n").token() == ("hf_s3cret" if is_sent else None)
    monkeypatch.setenv("HF_TOKEN", "")
    assert HubAddress("o/n").token() is None
