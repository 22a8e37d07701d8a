from __future__ import annotations

import pytest
import requests

from gene_gcn.storage import retries
from gene_gcn.storage.http_client import Refused
from gene_gcn.storage.retries import DownloadError, RetryPolicy, with_retries

URL = "https://a.org/x"


class Requests:
    """Requests that fail with these errors, then succeed."""

    def __init__(self, *errors):
        self.errors, self.paces = list(errors), []

    def __call__(self, pace):
        self.paces.append(pace)
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture
def waits(monkeypatch):
    found = []
    monkeypatch.setattr(retries.time, "sleep", found.append)
    return found


def answered(status):
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("text of the answer", response=response)


def test_transient_failures_are_retried_ever_later(waits):
    request = Requests(requests.ConnectionError(), answered(503), requests.Timeout())
    assert with_retries(request, URL, RetryPolicy(), remedy="wait") == "answer"
    assert waits == [1, 2, 4] and len({pace.deadline for pace in request.paces}) == 1


def test_the_last_failure_is_explained(waits):
    request = Requests(*[requests.Timeout()] * 4)
    with pytest.raises(
        DownloadError, match=r"^https://a.org/x cannot .* a.org does not answer in time: wait\.$"
    ):
        with_retries(request, URL, RetryPolicy(attempts=4), remedy="wait")
    assert len(request.paces) == 4


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (answered(404), "returned HTTP 404: there is no such file."),
        (answered(418), "returned HTTP 418: text of the answer."),
        (Refused("loops"), "https://a.org/x loops: wait."),
        (Refused("loops", "stop it"), "https://a.org/x loops; stop it."),
        (requests.exceptions.SSLError(), "no TLS connection to a.org can be made: wait."),
        (requests.exceptions.InvalidURL(), "it is not a web address"),
    ],
)
def test_permanent_failures_are_not_retried(waits, error, message):
    with pytest.raises(DownloadError) as raised:
        with_retries(Requests(error), URL, RetryPolicy(), remedy="wait")
    assert message in str(raised.value) and not waits
    assert raised.value.missing == ("404" in message)


def test_no_wait_goes_beyond_the_total_time(waits):
    with pytest.raises(DownloadError, match="does not accept connections"):
        with_retries(Requests(*[requests.ConnectionError()] * 9), URL, RetryPolicy(total=0.5), remedy="wait")
    assert not waits
