"""Models from the web: whole and as pinned, or an error that leaves nothing; then offline."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import huggingface_hub
import pytest
from hub_host import NEW, OLD, Hub
from shared_models import FILES, contents, make_model

from gene_gcn.errors import ArgumentError, OfflineWarning
from gene_gcn.networks import DownloadError
from gene_gcn.storage.model_cache import cached_models
from gene_gcn.storage.model_manifest import manifest_of
from gene_gcn.storage.model_source import local_model
from gene_gcn.storage.model_zip import write_zip

SECRET = "hf_s3cret"


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path / "model")


@pytest.fixture
def newer(tmp_path):
    return make_model(tmp_path / "newer", 2.0)


@pytest.fixture
def hub(host, monkeypatch, model) -> Hub:
    monkeypatch.setenv("GENE_GCN_HF_URL", host.url)
    hub = Hub(host)
    hub.put("owner/name", OLD, model)
    return hub


@pytest.fixture
def web(host, model) -> str:
    """The address of a model in a folder on the web."""
    host.files |= {f"/m/{name}": data for name, data in model.items()}
    return f"{host.url}/m/"


def load(address):
    """Return the files of a model, wherever it is; warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with local_model(address) as folder:
            return contents(folder)


def refused(address, match, cache, kind=(DownloadError, ArgumentError)):
    """Expect an error that leaves nothing in the cache."""
    with pytest.raises(kind, match=match) as caught:
        load(address)
    assert [path for path in cache.rglob("*") if path.is_file()] == [] and cached_models() == []
    assert len(str(caught.value)) < 600
    return str(caught.value)


# ---- on this computer ----


def test_folders_and_archives(tmp_path, model, cache):
    write_zip(tmp_path / "model.zip", model)
    for path in (tmp_path / "model", str(tmp_path / "model"), tmp_path / "model.zip"):
        assert load(path) == model
    assert not cache.exists()  # which is for what was downloaded


# ---- the Hub ----


def test_the_host_of_these_tests_is_like_the_hub(hub, tmp_path, model):
    for name, data in model.items():
        for revision in ("main", OLD):
            path = huggingface_hub.hf_hub_download(
                *("owner/name", name),
                revision=revision,
                endpoint=hub.host.url,
                cache_dir=tmp_path / revision,
                token=False,
            )
            assert Path(path).read_bytes() == data and OLD in path


def test_branches_are_asked_for_and_commits_are_not(hub, model, newer):
    assert load("hf://owner/name") == load(f"hf://owner/name@{OLD}") == model
    first, *others = hub.host.paths()
    assert first == "/owner/name/resolve/main/manifest.json"
    assert sorted(others) == [
        f"/owner/name/resolve/{OLD}/{name}" for name in FILES if name != "manifest.json"
    ]
    load("hf://owner/name")
    assert hub.host.paths()[4:] == ["/owner/name/resolve/main/manifest.json"]
    hub.put("owner/name", NEW, newer)
    assert load("hf://owner/name") == newer and load(f"hf://owner/name@{OLD}") == model
    hub.host.close()
    assert load(f"hf://owner/name@{NEW}") == newer and load(f"hf://owner/name@{OLD}") == model
    said = r"hf://owner/name is taken from the cache \(20.*does not accept"
    with pytest.warns(OfflineWarning, match=said), local_model("hf://owner/name") as folder:
        assert contents(folder) == newer


def test_what_is_not_in_the_cache_needs_the_host(hub, cache):
    hub.host.close()
    refused("hf://owner/name", "does not accept connections: go online once", cache)
    refused(f"hf://owner/name@{OLD}", "does not accept connections: go online once", cache)


def test_tags_and_folders(hub, model, newer):
    hub.put("owner/name", NEW, {f"fine/pbmc/{name}": data for name, data in newer.items()}, "refs/pr/1")
    assert load("hf://owner/name@refs/pr/1/fine/pbmc") == newer
    assert load("hf://owner/name") == model
    assert {m.source for m in cached_models()} == {"hf://owner/name", "hf://owner/name/fine/pbmc"}


def test_no_model_there(hub, cache):
    said = refused("hf://owner/none", "There is no model hf://owner/none", cache)
    assert "another name, or be private, for which HF_TOKEN must be set" in said
    refused("hf://owner/name@v9", "There is no model hf://owner/name@v9 .*another revision", cache)


def test_withdrawn_models_are_not_taken_from_the_cache(hub):
    load("hf://owner/name")
    hub.host.forms.clear()
    with pytest.raises(DownloadError, match="There is no model hf://owner/name"):
        load("hf://owner/name")


@pytest.mark.parametrize(
    ("headers", "match"),
    [
        ({"X-Repo-Commit": NEW}, f"answered with the commit '{NEW}' instead of {OLD}"),
        ({}, "answered with the commit 'none' instead of"),
    ],
)
def test_files_of_another_commit_are_refused(hub, cache, model, headers, match):
    path = f"/owner/name/resolve/{OLD}/config.json"
    hub.host.answers(path, hub.host.Answer(body=model["config.json"], headers=headers))
    refused("hf://owner/name", match, cache, DownloadError)
    if headers:
        path = f"/owner/name/resolve/{OLD}/manifest.json"
        hub.host.answers(path, hub.host.Answer(body=model["manifest.json"], headers=headers))
        refused(f"hf://owner/name@{OLD}", match, cache, DownloadError)
    load("hf://owner/name")


@pytest.mark.parametrize("commit", ["", "main", OLD[:39], "../" * 13 + "a"])
def test_a_commit_that_is_none(hub, cache, model, commit):
    headers = {"X-Repo-Commit": commit} if commit else {}
    answer = hub.host.Answer(body=model["manifest.json"], headers=headers)
    hub.host.answers("/owner/name/resolve/main/manifest.json", answer)
    refused(
        "hf://owner/name", "does not say which commit it is; is .* a mirror of the Hub", cache, DownloadError
    )


def test_the_hub_says_another_digest_than_the_manifest(hub, cache, model):
    data = model["model.safetensors"]
    headers = {"X-Repo-Commit": OLD, "X-Linked-Etag": f'"{"0" * 64}"'}
    path = f"/owner/name/resolve/{OLD}/model.safetensors"
    hub.host.answers(path, hub.host.Answer(body=data, headers=headers))
    refused("hf://owner/name", "model.safetensors is damaged: its SHA-256 differs", cache)


# ---- the token ----


@pytest.fixture
def private(hub, secure_host, newer, monkeypatch):
    """A private repository, whose large files are on another host."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    hub.token, hub.files_host = SECRET, secure_host
    hub.put("owner/private", NEW, newer)
    return hub


def test_the_token_is_sent_to_the_hub_alone(private, newer):
    assert load("hf://owner/private") == newer
    assert {h.get("Authorization") for h in private.host.headers} == {f"Bearer {SECRET}"}
    assert len(private.files_host.headers) == 1
    assert SECRET not in str(private.files_host.headers)


def test_the_token_is_not_in_messages_or_the_cache(private, cache, monkeypatch):
    body = f"Bearer {SECRET} is not allowed".encode()
    private.host.answers("/owner/private/resolve/main/manifest.json", private.host.Answer(418, body))
    with pytest.raises(DownloadError, match="HTTP 418: Bearer … is not allowed") as caught:
        load("hf://owner/private")
    causes = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert SECRET not in repr(causes)
    load("hf://owner/private")
    assert not any(SECRET.encode() in file.read_bytes() for file in cache.rglob("*") if file.is_file())
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(DownloadError, match="or HF_TOKEN gives no access to it") as caught:
        load("hf://owner/private")
    assert "hf_wrong" not in str(caught.value)


def test_the_token_is_not_for_other_addresses(host, web, model, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert load(web) == model and "Authorization" not in str(host.headers)


# ---- folders on the web ----


def test_folders_on_the_web(host, web, model, newer):
    assert load(web) == load(web.rstrip("/")) == model
    host.files |= {f"/m/{name}": data for name, data in newer.items()}
    assert load(web) == newer and len(cached_models()) == 2
    pinned = f"{web}#sha256={hashlib.sha256(model['manifest.json']).hexdigest()}"
    host.close()
    assert load(pinned) == model
    with pytest.warns(OfflineWarning), local_model(web) as folder:
        assert contents(folder) == newer


def test_a_pinned_folder_that_has_changed(web, cache):
    refused(f"{web}#sha256={'0' * 64}", "has the SHA-256 .*, not 000.*, which was asked for", cache)


PERMANENT = [
    ({"status": 404, "body": b"<html>"}, "HTTP 404: there is no such file"),
    ({"status": 403, "body": b"x"}, "HTTP 403: access is denied"),
    ({"body": b"<!DOCTYPE html><html>Sign in</html>"}, "is a web page, not a file of a model"),
    (
        {"status": 302, "headers": {"Location": "http://elsewhere.invalid/x"}},
        "redirects to http://elsew.*refused",
    ),
    (
        {"status": 302, "headers": {"Location": "ftp://127.0.0.1/x"}},
        "redirects to ftp://127.*is not a web address",
    ),
]
TRANSIENT = [
    ({"status": 500}, "HTTP 500"),
    ({"status": 503}, "HTTP 503"),
    ({"status": 429}, "HTTP 429"),
    ({"sent": 100}, "does not accept connections|was cut off"),
    ({"sent": 100, "silence": 5.0}, "does not answer in time"),
]


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors"])
@pytest.mark.parametrize(("answer", "match"), PERMANENT)
def test_permanent_faults(host, web, cache, model, name, answer, match):
    host.answers(f"/m/{name}", host.Answer(**answer))
    refused(web, match, cache)
    assert host.paths().count(f"/m/{name}") == 1
    assert load(web) == model


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors"])
@pytest.mark.parametrize(("answer", "match"), TRANSIENT)
def test_transient_faults(host, web, cache, model, name, answer, match):
    host.answers(f"/m/{name}", *[host.Answer(**answer)] * 3)
    refused(web, match, cache)
    host.answers(f"/m/{name}", *[host.Answer(**answer)] * 2)
    assert load(web) == model  # the third attempt succeeds


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_tampered_files(host, web, cache, model, name):
    data = bytearray(model[name])
    data[-2] ^= 1
    host.answers(f"/m/{name}", host.Answer(body=bytes(data)))
    refused(web, f"/m/{name} is damaged: its SHA-256 differs", cache, ArgumentError)
    host.answers(f"/m/{name}", host.Answer(body=model[name][:-5]))
    refused(web, f"/m/{name} is damaged: it has .* bytes instead of", cache, ArgumentError)
    host.answers(f"/m/{name}", host.Answer(body=model[name] + bytes(100_000)))
    refused(web, f"/m/{name} (is a file of|is damaged: it has)", cache)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data.replace(b'"bytes": ', b'"bytes": 1', 1), "its digest does not match"),
        (lambda data: b"[]", "is not a JSON object"),
        (lambda data: data[:-10], "is not JSON"),
        (lambda data: manifest_of({"../evil.txt": b""}), "does not list config.json and model.safetensors"),
        (lambda data: data + bytes(10**6), "is a file of|is not JSON|accepted"),
    ],
)
def test_tampered_manifests(host, web, cache, model, change, match):
    host.answers("/m/manifest.json", host.Answer(body=change(model["manifest.json"])))
    refused(web, match, cache)
    assert host.paths() == ["/m/manifest.json"]


def test_a_manifest_of_another_model_is_not_mixed_with_files(host, web, cache, newer):
    host.files["/m/manifest.json"] = newer["manifest.json"]
    refused(web, "config.json is damaged|README.md is damaged", cache, ArgumentError)


def test_damage_in_the_cache_is_mended(host, web, model):
    with local_model(web) as folder:
        (folder / "config.json").write_text("{}")
    assert load(web) == model
    with local_model(web) as folder:
        (folder / "model.safetensors").unlink()
    host.close()
    with pytest.raises(DownloadError, match="does not accept connections"):
        load(web)


# ---- archives on the web ----


@pytest.fixture
def archive(host, tmp_path, model) -> str:
    write_zip(tmp_path / "served.zip", model)
    data = (tmp_path / "served.zip").read_bytes()
    host.files["/m.zip"] = data

    def answer(_):
        etag = f'"{hashlib.md5(host.files["/m.zip"]).hexdigest()}"'
        is_known = host.headers[-1].get("If-None-Match") == etag
        return host.Answer(
            304 if is_known else 200, b"" if is_known else host.files["/m.zip"], {"ETag": etag}
        )

    host.forms["/m.zip"] = answer
    return f"{host.url}/m.zip"


def test_archives_on_the_web(host, archive, tmp_path, model, newer):
    assert load(archive) == load(archive) == model
    assert host.headers[-1]["If-None-Match"]  # nothing was sent again
    pinned = f"{archive}#sha256={hashlib.sha256(host.files['/m.zip']).hexdigest()}"
    write_zip(tmp_path / "newer.zip", newer)
    host.files["/m.zip"] = (tmp_path / "newer.zip").read_bytes()
    assert load(archive) == newer
    count = len(host.seen)
    assert load(pinned) == model and len(host.seen) == count
    host.close()
    with pytest.warns(OfflineWarning), local_model(archive) as folder:
        assert contents(folder) == newer


def test_archives_that_are_not_what_was_pinned(archive, cache):
    refused(f"{archive}#sha256={'0' * 64}", "has the SHA-256 .*, not 000", cache, ArgumentError)


@pytest.mark.parametrize(
    ("answer", "match"),
    [*PERMANENT, ({"body": b"PK\x05\x06 not a zip"}, "m.zip is damaged: it is not a zip archive")],
)
def test_faulty_archives(host, archive, cache, model, answer, match):
    host.answers("/m.zip", host.Answer(**answer))
    refused(archive, match, cache)
    assert load(archive) == model


def test_redirects_to_another_host(host, secure_host, archive, model, monkeypatch):
    secure_host.files["/x"] = host.files["/m.zip"]
    host.answers("/m.zip", host.Answer(302, headers={"Location": f"{secure_host.url}/x"}))
    assert load(archive) == model
