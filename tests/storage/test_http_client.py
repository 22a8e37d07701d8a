from __future__ import annotations

import time

import pytest

from gene_gcn.storage.http_client import Pace, Refused, open_answer, printable


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
