"""How often and how long to try to get something from the web, and what to say if that fails."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from gene_gcn.storage.http_client import Pace

_Result = TypeVar("_Result")

TRANSIENT = {429, 500, 502, 503, 504}
MEANING = {
    401: "access is denied",
    403: "access is denied",
    404: "there is no such file",
    410: "there is no such file",
    429: "too many requests; try again later",
}


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try, and how much to accept; times in seconds, sizes in bytes.

    Parameters
    ----------
    attempts : int
        How often a request is sent before giving up.
    backoff : float
        Pause after the first failure; doubled after each further one.
    longest_wait : float
        Longest pause between two attempts, even if the server's ``Retry-After`` asks for more.
    connect, read : float
        Longest silence while connecting, TLS included, and while reading. To look up the host's name and try
        its addresses may take the longer of the two.
    total : float
        Longest time for a file or an answer, all attempts and redirects included.
    lowest_speed : float
        Bytes per second, averaged over `read` seconds, below which a download is given up.
    largest : int
        Largest file. Those of STRING and BioGRID for one organism have up to some hundred MB.
    largest_unannounced : int
        Largest file whose length the host does not announce, which could go on forever.
    largest_text : int
        Largest answer of a service.
    largest_unpacked : int
        Largest size that a gzip or zip file unpacks to.
    largest_ratio : float
        Largest ratio of that size to the packed one; tables have 5 to 30.
    always_unpacked : int
        Unpacked size up to which the ratio does not matter: small files of few different lines exceed it.
    """

    attempts: int = 4
    backoff: float = 1.0
    longest_wait: float = 60.0
    connect: float = 10.0
    read: float = 60.0
    total: float = 2 * 3600.0
    lowest_speed: float = 1000.0
    largest: int = 10_000_000_000
    largest_unannounced: int = 200_000_000
    largest_text: int = 500_000_000
    largest_unpacked: int = 50_000_000_000
    largest_ratio: float = 100.0
    always_unpacked: int = 100_000_000


class DownloadError(OSError):
    """A file or an answer could not be obtained from a host.

    Parameters
    ----------
    message : str
        What could not be obtained, from where, and why.
    missing : bool
        Whether the host answered that the file does not exist: 404, or a web page instead of a file.

    Attributes
    ----------
    missing : bool
    """

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


def with_retries(
    request: Callable[[Pace], _Result],
    url: str,
    policy: RetryPolicy,
    *,
    remedy: str,
    secret: str | None = None,
) -> _Result:
    """Send a request, again after transient failures.

    Parameters
    ----------
    request : callable
        Sends the request, keeping to the :class:`~gene_gcn.storage.http_client.Pace` that it is passed.
    url : str
        Its address, for messages.
    policy : RetryPolicy
    remedy : str
        What to do if it fails, for messages.
    secret : str, optional
        A value that messages must not show.

    Raises
    ------
    DownloadError
        If it fails for good.
    """
    import requests
    import urllib3

    from gene_gcn.storage.http_client import Pace, Refused

    deadline = time.monotonic() + policy.total
    attempt = 1
    failure: Exception
    while True:
        pace = Pace(deadline, policy.total, policy.read, policy.lowest_speed)
        try:
            return request(pace)
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            # urllib3 wraps what is raised while it reads from a connection.
            failure = next((cause for cause in _causes(error) if isinstance(cause, Refused)), error)
        pause = _pause(failure, attempt, policy)
        if attempt == policy.attempts or not _is_transient(failure) or pause > pace.remaining:
            break
        time.sleep(pause)
        attempt += 1
    explained = _explained(failure, url, remedy)
    if secret is not None:  # without its cause, whose message may contain the secret
        raise DownloadError(str(explained).replace(secret, "…"), missing=explained.missing)
    raise explained from failure


def _is_transient(failure: Exception) -> bool:
    import requests

    if (status := _status(failure)) is not None:
        return status in TRANSIENT
    if isinstance(failure, requests.exceptions.SSLError) or _is_unresolved(failure):
        return False
    # A connection that was refused, lost or silent; InvalidURL and the like are permanent.
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(failure, (*broken, requests.exceptions.ContentDecodingError))


def _status(failure: Exception) -> int | None:
    """Return the status of the answer, if the failure is an answer."""
    response = getattr(failure, "response", None)
    return None if response is None else response.status_code


def _pause(failure: Exception, attempt: int, policy: RetryPolicy) -> float:
    """Return the seconds to wait: those of ``Retry-After`` (a number or a date), or twice the last pause."""
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    seconds = policy.backoff * 2 ** (attempt - 1)
    response = getattr(failure, "response", None)
    if response is not None and (retry_after := response.headers.get("Retry-After")):
        with suppress(InvalidHeader, ValueError, OverflowError):  # dates that do not exist, huge numbers
            seconds = Retry().parse_retry_after(retry_after)
    return min(seconds, policy.longest_wait)


def _explained(failure: Exception, url: str, remedy: str) -> DownloadError:
    from gene_gcn.storage.http_client import Refused

    if (status := _status(failure)) is not None:
        meaning = MEANING.get(status, "the host has a problem; try again later" if status >= 500 else "")
        detail = meaning or str(failure)
        text = f"{url} returned HTTP {status}" + (f": {detail}" if detail else "")
        return DownloadError(f"{text.rstrip('.')}.", missing=status in (404, 410))
    if isinstance(failure, Refused):
        remedy = failure.remedy or remedy
        return DownloadError(f"{url} {failure}{';' if failure.remedy else ':'} {remedy}.")
    return DownloadError(f"{url} cannot be downloaded because {_reason(failure, url)}: {remedy}.")


def _reason(failure: Exception, url: str) -> str:
    import requests

    if isinstance(failure, (ValueError, requests.exceptions.InvalidHeader)):  # InvalidURL is a ValueError
        return "it is not a web address, or the answer has a broken header"
    host = urlsplit(url).netloc.rpartition("@")[2]
    if _is_unresolved(failure):
        return f"the host name {host} cannot be resolved"
    if isinstance(failure, requests.exceptions.SSLError):
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(failure)):
            return f"the certificate of {host} is not trusted"
        return f"no TLS connection to {host} can be made"
    if isinstance(failure, requests.Timeout) or "timed out" in str(failure).lower():
        return f"{host} does not answer in time"
    if isinstance(failure, requests.exceptions.ConnectionError):
        return f"{host} does not accept connections"
    return "the answer was cut off"


def _is_unresolved(failure: BaseException) -> bool:
    return any(isinstance(cause, socket.gaierror) for cause in _causes(failure))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
