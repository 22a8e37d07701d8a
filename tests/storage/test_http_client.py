from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from gene_gcn.storage.http_client import Pace, Refused, _redirected, open_answer, printable


def pace(total: float = 10.0, lowest_speed: float = 1000.0) -> Pace:
    return Pace(time.monotonic() + total, total, 0.05, lowest_speed)


def redirect_from(host, location: str, **options) -> str:
    host.answers("/x", host.Answer(302, headers={"Location": location}))
    with (
        pytest.raises(Refused) as error,
        open_answer(f"{host.url}/x", pace=pace(), connect=1, read=1, **options),
    ):
        pass
    return str(error.value)


def test_redirects_to_other_hosts_need_https_and_no_secret(host):
    assert "redirects to http://a.org, which is refused" in redirect_from(host, "http://a.org/x")
    assert "redirects to https://a.org, which is refused" in redirect_from(
        host, "https://a.org/x", secret="s3cret"
    )


def test_a_form_is_not_sent_on_unless_the_host_says_so(host):
    host.forms["/form"] = lambda form: str(form).encode()
    for status, method in ((302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")):
        host.answers("/x", host.Answer(status, headers={"Location": "/form"}))
        with open_answer(f"{host.url}/x", {"a": "b"}, pace=pace(), connect=1, read=1) as answer:
            assert answer.content == (b"{'a': 'b'}" if method == "POST" else b"{}")
        assert host.seen[-1][0] == method


def test_pace():
    slow = pace()
    slow.receive(10)
    time.sleep(0.06)
    with pytest.raises(Refused, match="less than 1,000 bytes per second"):
        slow.receive(10)
    fast = pace()
    for _ in range(4):
        fast.receive(10_000)
        time.sleep(0.02)
    with pytest.raises(Refused, match="took longer than 0 seconds"):
        pace(total=0).check()


def test_printable():
    assert printable("a\x1b[1m\n b\x00é") == "a [1m b é"


# ---- TLS ----


def test_redirects_from_https_to_http_are_refused(secure_host):
    secure_host.files["/y"] = b"right"
    secure_host.answers("/x", secure_host.Answer(302, headers={"Location": "/y"}))
    with open_answer(f"{secure_host.url}/x", pace=pace(), connect=1, read=1) as answer:
        assert answer.content == b"right"
    plain = secure_host.url.replace("https", "http")
    assert f"redirects to {plain}, which is refused" in redirect_from(secure_host, f"{plain}/y")
    assert secure_host.paths() == ["/x", "/y", "/x"]


@pytest.mark.parametrize(
    ("url", "location", "secret", "is_refused"),
    [
        ("https://a.org/x", "http://a.org/x", None, True),
        ("https://a.org/x", "http://b.org/x", None, True),
        ("http://a.org/x", "http://b.org/x", None, True),
        ("http://a.org/x", "https://a.org/x", None, False),
        ("https://a.org/x", "https://b.org/x", None, False),
        ("https://a.org/x", "https://b.org/x", "s3cret", True),
        ("http://a.org/x", "//a.org/y", "s3cret", False),
    ],
)
def test_where_a_host_may_redirect_to(url, location, secret, is_refused):
    answer = requests.Response()
    answer.url, answer.headers["Location"] = url, location
    if is_refused:
        with pytest.raises(Refused, match=f"redirects to {location[:-2]}, which is refused"):
            _redirected(answer, url, urlsplit(url), secret)
    else:
        assert _redirected(answer, url, urlsplit(url), secret) == urljoin(url, location)


# ---- time to connect ----


def connect_to(url: str) -> float:
    """Return the seconds after which connecting is given up."""
    start = time.monotonic()
    with (
        pytest.raises((requests.ConnectionError, requests.Timeout), match="timed out|no connection within"),
        open_answer(url, pace=pace(), connect=0.3, read=0.3),
    ):
        pass
    return time.monotonic() - start


@pytest.mark.parametrize("sent", [0, 1], ids=["silent", "a byte at a time"])
def test_a_tls_handshake_without_end_is_given_up(sent):
    def work():
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"\x16\x03\x03\x40\x00"[: 5 * sent])
                while time.monotonic() < end:
                    connection.sendall(b"\x02" * sent)
                    time.sleep(0.05)

    end = time.monotonic() + 5
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=work, daemon=True).start()
        assert 0.2 < connect_to(f"https://127.0.0.1:{server.getsockname()[1]}/x") < 2


def test_a_name_that_is_looked_up_without_end_is_given_up(host, monkeypatch):
    look_up, late = socket.getaddrinfo, threading.Event()

    def slow(*args, **options):
        late.wait(5)
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert 0.2 < connect_to(f"{host.url}/x") < 2
    late.set()
    host.files["/x"] = b"right"
    with open_answer(f"{host.url}/x", pace=pace(), connect=1, read=1) as answer:
        assert answer.content == b"right"
