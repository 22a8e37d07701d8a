"""After any fault of host, connection or disk: a clear error, no leftovers, and the next call works."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import io
import logging
import random
import shutil
import signal
import socket
import sys
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gene_gcn.networks import DownloadError
from gene_gcn.storage import download
from gene_gcn.storage.text_files import read_header

BODY = gzip.compress(b"a header\n" + random.Random(0).randbytes(100_000), mtime=0)
PATH = "/folder/file.txt.gz"
NAME = "folder/file.txt.gz"


def check_header(path):
    if read_header(path) != "a header":
        raise ValueError(f"{path} has another header.")


def files_of(cache):
    return sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())


@pytest.fixture
def fetch(host, cache):
    """A function that downloads the file; with `match`, it expects an error that leaves nothing behind."""
    host.files[PATH] = BODY

    def fetch(match=None, url=host.url + PATH, **options):
        options = {"check": check_header, **options}
        if match is not None:
            with pytest.raises(DownloadError, match=match) as error:
                download.fetch(url, NAME, **options)
            assert url in str(error.value) and len(str(error.value)) < 500
            assert files_of(cache) == []
            return error.value
        path = download.fetch(url, NAME, **options)
        assert path == cache / NAME and path.read_bytes() == BODY
        assert files_of(cache) == [NAME, f"{NAME}.record"]
        return path

    return fetch


def test_downloaded_once(host, fetch, cache):
    path = fetch()
    fetch()
    assert host.paths() == [PATH]
    host.close()
    assert fetch() == path  # offline, with a warm cache


BROKEN = bytearray(BODY)
BROKEN[len(BODY) // 2] ^= 0xFF


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ({"status": 404, "body": b"<html>"}, "HTTP 404: there is no such file"),
        ({"status": 403, "body": b"x"}, "HTTP 403: access is denied"),
        ({"status": 418, "body": b"I am a teapot"}, "HTTP 418: I am a teapot"),
        ({"body": b"\n <!DOCTYPE html><html>Sorry</html>"}, "is a web page"),
        ({"body": b""}, "is empty"),
        ({"body": bytes(BROKEN)}, "is damaged or incomplete"),
        ({"body": BODY[:-20]}, "is damaged or incomplete"),  # truncated, although the length agrees
        ({"announced": len(BODY) - 5}, "is damaged or incomplete"),
        ({"body": gzip.compress(b"other\n")}, "has another header"),
        ({"body": b"\0\1\2binary"}, "binary"),
        (
            {"status": 302, "headers": {"Location": "http://elsewhere.invalid/file"}},
            "redirects to http://elsew",
        ),
        ({"status": 302, "headers": {"Location": "ftp://127.0.0.1/file"}}, "redirects to ftp://127"),
    ],
)
def test_permanent_faults(host, fetch, answer, match):
    host.answers(PATH, host.Answer(**answer))
    error = fetch(match)
    assert error.missing == (answer.get("status") == 404 or b"html" in answer.get("body", b""))
    assert host.paths() == [PATH]  # requested once
    fetch()


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ({"status": 500}, "HTTP 500: the host has a problem"),
        ({"status": 503}, "HTTP 503"),
        ({"status": 429}, "HTTP 429: too many requests"),
        ({"sent": 1000}, "does not accept connections|was cut off"),
        ({"announced": len(BODY) + 5}, "was cut off"),
        ({"sent": 1000, "silence": 5.0}, "does not answer in time"),
        ({"sent": 0, "silence": 5.0}, "does not answer in time"),
    ],
)
def test_transient_faults(host, fetch, answer, match):
    host.answers(PATH, *[host.Answer(**answer)] * 3)
    fetch(match)
    assert len(host.seen) == 3
    host.answers(PATH, *[host.Answer(**answer)] * 2)
    fetch()  # the third attempt succeeds
    assert len(host.seen) == 6


def test_retry_after(host, fetch):
    host.answers(PATH, host.Answer(503, headers={"Retry-After": "0"}))
    host.answers(PATH, host.Answer(429, headers={"Retry-After": "3600"}))  # reduced to longest_wait
    fetch()
    assert 0.15 < host.times[2] - host.times[1] < 2


def test_retry_after_as_a_date(host, fetch, monkeypatch):
    waits = []
    monkeypatch.setattr(download, "RETRY_POLICY", download.RetryPolicy(longest_wait=600))
    monkeypatch.setattr(time, "sleep", waits.append)
    host.answers(PATH, host.Answer(503, headers={"Retry-After": email.utils.formatdate(time.time() + 100)}))
    host.answers(PATH, host.Answer(503, headers={"Retry-After": "soon"}), host.Answer(503))
    fetch()
    assert waits == [pytest.approx(100, abs=3), 2, 4]


def test_connection_refused(host, fetch, cache):
    closed = "http://127.0.0.1:9/file.txt.gz"
    error = fetch("127.0.0.1:9 does not accept connections", url=closed)
    assert "pass its path" in str(error) and str(cache / NAME) in str(error)
    assert str(error).count(". ") == 0  # one sentence
    fetch()


def test_dns_failure(host, fetch, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    fetch(
        "the host name nowhere.invalid cannot be resolved: go online once", url="http://nowhere.invalid/f.gz"
    )
    assert not waits
    monkeypatch.undo()


def test_safe_redirects(host, fetch):
    host.answers(PATH, host.Answer(301, headers={"Location": "/other"}))
    host.files["/other"] = BODY
    fetch()
    assert host.paths() == [PATH, "/other"]


@pytest.mark.parametrize("member", ["../evil.txt", "a/../../evil", "/etc/evil", "..\\evil.txt", "C:evil"])
def test_zip_with_members_outside(host, fetch, member):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("good.txt", "a header\n")
        archive.writestr(member, "x")
    host.answers(PATH, host.Answer(body=file.getvalue()))
    fetch("would be written outside of its folder")
    fetch()


def test_damaged_zip(host, fetch):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("good.txt", "a header\n" * 100)
    content = bytearray(file.getvalue())
    content[100] ^= 0xFF
    host.answers(PATH, host.Answer(body=bytes(content)), host.Answer(body=bytes(content[:500])))
    fetch("is damaged: its member 'good.txt' is corrupt")
    fetch("is damaged or incomplete")
    fetch()


def test_known_hash(fetch):
    fetch("has the SHA-256", known_hash="0" * 64)
    fetch(known_hash=hashlib.sha256(BODY).hexdigest())


def test_host_that_compresses_again(host, fetch, cache):
    """Some hosts send .gz files with gzip as content encoding, which requests decompresses."""
    host.answers(PATH, host.Answer(headers={"Content-Encoding": "gzip"}))
    path = download.fetch(host.url + PATH, NAME, check=check_header)
    assert path.read_bytes() == gzip.decompress(BODY)


def test_progress(host, fetch):
    class Bar:
        total, done, closed = 0, 0, False

        def update(self, n):
            self.done += n

        def reset(self):
            self.done = 0

        def close(self):
            self.closed = True

    bar = Bar()
    fetch(progress=bar)
    assert bar.closed and bar.done == bar.total == len(BODY)


PROGRAM = """
from pathlib import Path
from gene_gcn.storage import download
download.RETRY_POLICY = download.RetryPolicy(attempts=1, read=20)
{setup}
try:
    print(download.fetch({url!r}, {name!r}))
except (OSError, KeyboardInterrupt) as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are those of POSIX")
def test_disk_full(host, fetch, cache, python):
    setup = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))"
    host.files[PATH] = bytes(100_000)
    process = python(PROGRAM.format(setup=setup, url=host.url + PATH, name=NAME))
    output, _ = process.communicate(timeout=30)
    assert output.startswith(f"OSError {cache / NAME} cannot be written (File too large")
    assert "GENE_GCN_CACHE" in output and files_of(cache) == []
    host.files[PATH] = BODY
    fetch()


def test_cache_folder_that_cannot_be_created(host, fetch, cache):
    cache.write_text("a file")
    with pytest.raises(OSError, match=r"cannot be written \(.*\); choose another folder"):
        download.fetch(host.url + PATH, NAME)
    cache.unlink()
    fetch()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent as POSIX does")
def test_ctrl_c(host, fetch, cache, python):
    host.answers(PATH, host.Answer(sent=50_000, silence=20.0))
    process = python(PROGRAM.format(setup="", url=host.url + PATH, name=NAME))
    end = time.monotonic() + 20
    while not files_of(cache) and time.monotonic() < end:
        time.sleep(0.01)
    assert files_of(cache)  # half of it, under a temporary name
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert output.startswith("KeyboardInterrupt") and files_of(cache) == []
    fetch()


def test_two_processes_at_once(host, fetch, cache, python):
    host.answers(PATH, *[host.Answer(sent=50_000, silence=0.2)] * 2)
    both = [python(PROGRAM.format(setup="", url=host.url + PATH, name=NAME)) for _ in range(2)]
    assert [process.communicate(timeout=30)[0].strip() for process in both] == [str(cache / NAME)] * 2
    fetch()


def test_request_text(host):
    host.forms["/api"] = lambda form: f"hello {form['name']}".encode()
    host.answers("/api", host.Answer(503))
    assert download.request_text(host.url + "/api", {"name": "x"}) == "hello x"
    host.files["/page"] = b"page"
    assert download.request_text(host.url + "/page") == "page"
    assert [method for method, _, _ in host.seen] == ["POST", "POST", "GET"]
    with pytest.raises(DownloadError, match="HTTP 404"):
        download.request_text(host.url + "/none")


def test_secret_is_not_shown(host, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    host.answers("/api", host.Answer(400, body=b"wrong key s3cret"), host.Answer(500, body=b"s3cret"))
    with pytest.raises(DownloadError, match="HTTP 400: wrong key …") as error:
        download.request_text(host.url + "/api", {"accesskey": "s3cret"}, secret="s3cret")
    assert error.value.__cause__ is None and error.value.__context__ is None
    host.answers("/api", host.Answer(302, headers={"Location": "https://elsewhere.invalid/?s3cret"}))
    host.next["/api"].pop(0)
    with pytest.raises(DownloadError, match="which is refused") as moved:
        download.request_text(host.url + "/api", {"accesskey": "s3cret"}, secret="s3cret")
    output = "".join([str(error.value), str(moved.value), caplog.text, *capfd.readouterr()])
    assert "s3cret" not in output


def test_base_url(monkeypatch):
    variable = "GENE_GCN_STRING_URL"
    assert download.base_url(variable, "http://mirror/x/") == "http://mirror/x"
    monkeypatch.setenv(variable, "https://mirror")
    assert download.base_url(variable) == "https://mirror"
    monkeypatch.delenv(variable)
    assert download.base_url(variable) == "https://stringdb-downloads.org/download"
    assert all(url.startswith("https://") for url in download.HOSTS.values())
    for url in ("ftp://mirror", "mirror", "file:///etc"):
        with pytest.raises(ValueError, match="is not a web address; the default is https://"):
            download.base_url(variable, url)


def test_import_is_light(python):
    heavy = {"torch", "requests", "pooch", "safetensors"}
    process = python(f"import sys; import gene_gcn.networks; print({heavy} & set(sys.modules))")
    assert process.communicate(timeout=60)[0] == "set()\n"


@pytest.mark.parametrize(
    "location",
    [
        "http://[::1",
        "https://a\xffb/x",
        "https://a b/x",
        "https://a%00b/x",
        "https://",
        "https://host:99999/x",
        "https://" + "a" * 64 + ".org/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "https://user:word@elsewhere.invalid/x",
        "http://127.0.0.2:1/",
        PATH,  # to itself
    ],
)
def test_redirects_that_are_refused(host, fetch, location):
    host.answers(PATH, *[host.Answer(302, headers={"Location": location})] * 11)
    error = fetch("redirects (to|more than 10 times)")
    assert "\xff" not in str(error) and "word" not in str(error) and str(error).count(". ") == 0
    host.next[PATH].clear()
    fetch()


def change_policy(monkeypatch, **limits):
    monkeypatch.setattr(download, "RETRY_POLICY", replace(download.RETRY_POLICY, **limits))


def serve(answer):
    """Start a server that sends these bytes, an iterable, to everybody; return its address."""
    server = socket.create_server(("127.0.0.1", 0))

    def work():
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(1 << 16)
                for part in answer():
                    connection.sendall(part)

    threading.Thread(target=work, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/file.txt.gz"


def slowly(text):
    for byte in text + b"x" * 10_000:
        yield bytes([byte])
        time.sleep(0.05)


HEADERS = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500, HEADERS])
def test_a_host_that_trickles_is_given_up(fetch, beginning):
    start = time.monotonic()
    fetch("sends less than 1,000 bytes per second", url=serve(lambda: slowly(beginning)))
    with pytest.raises(DownloadError, match="sends less than 1,000 bytes per second"):
        download.request_text(serve(lambda: slowly(beginning)))
    assert time.monotonic() - start < 5


def test_total_time(fetch, monkeypatch):
    change_policy(monkeypatch, total=0.5, lowest_speed=1)
    fetch("took longer than 0.5 seconds", url=serve(lambda: slowly(HEADERS)))


def endless():
    yield HEADERS
    while True:
        yield b"x" * 65536


def test_a_body_without_end_is_given_up(host, fetch, monkeypatch):
    change_policy(monkeypatch, largest_unannounced=1_000_000, largest_text=2_000_000)
    fetch("sends more than 1 MB without announcing its length", url=serve(endless))
    with pytest.raises(DownloadError, match="sends more than 2 MB without announcing its length"):
        download.request_text(serve(endless))


def test_a_file_that_is_too_large_is_not_downloaded(host, fetch, monkeypatch):
    host.answers(PATH, host.Answer(announced=10**12))
    fetch("is a file of 1,000,000 MB, and 10,000 MB are accepted")
    host.answers(PATH, host.Answer(announced=10**9))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**6))
    with pytest.raises(OSError, match="cannot be written"):
        download.fetch(host.url + PATH, NAME)
    fetch()


def zip_of(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(4):
            archive.writestr(f"{i}.txt", content)
    return file.getvalue()


def test_bombs(host, fetch, monkeypatch):
    change_policy(monkeypatch, always_unpacked=1_000_000)
    for bomb in (gzip.compress(bytes(4_000_000)), zip_of(bytes(1_000_000))):
        host.answers(PATH, host.Answer(body=bomb))
        fetch("is refused because its 0.0 MB unpack to more than 1 MB")
    change_policy(monkeypatch, largest_unpacked=50_000)
    host.answers(PATH, host.Answer(body=BODY))
    with pytest.raises(DownloadError, match="unpack to more than 0 MB"):
        download.fetch(host.url + PATH, NAME)
    change_policy(monkeypatch, largest_unpacked=10**9)
    fetch()


def test_answers_that_are_no_files(host, fetch):
    host.answers(PATH, host.Answer(204, b""), host.Answer(302, b"x"), host.Answer(206, b"x"))
    for status in (204, 302, 206):
        fetch(f"HTTP {status}")
    host.answers(PATH, host.Answer(headers={"Content-Encoding": "zstd"}))
    fetch("is sent in the encoding 'zstd', which cannot be read")
    fetch()


def test_controls_of_a_terminal_are_not_shown(host, fetch):
    host.answers(PATH, host.Answer(418, b"\x1b[31mred\x07"))
    message = str(fetch("HTTP 418"))
    assert "[31mred" in message and "\x1b" not in message
