"""Access to the web: the only code of the package that goes online."""

from __future__ import annotations

import gzip
import os
import socket
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage import cache
from gene_gcn.storage.text_files import is_zip, sha256_of

if TYPE_CHECKING:
    import requests

_Result = TypeVar("_Result")

# Environment variables that name mirrors, and the hosts they replace.
HOSTS = {
    "GENE_GCN_STRING_URL": "https://stringdb-downloads.org/download",
    "GENE_GCN_STRING_API": "https://string-db.org/api",
    "GENE_GCN_BIOGRID_URL": "https://downloads.thebiogrid.org",
    "GENE_GCN_BIOGRID_API": "https://webservice.thebiogrid.org",
}


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try; times in seconds.

    Parameters
    ----------
    attempts : int
        How often a request is sent before giving up.
    backoff : float
        Pause after the first failure; doubled after each further one.
    longest_wait : float
        Longest pause between two attempts, even if the server's ``Retry-After`` asks for more.
    connect, read : float
        Longest silence while connecting and while reading.
    """

    attempts: int = 4
    backoff: float = 1.0
    longest_wait: float = 60.0
    connect: float = 10.0
    read: float = 60.0


RETRY_POLICY = RetryPolicy()
TRANSIENT = {429, 500, 502, 503, 504}
MEANING = {
    401: "access is denied",
    403: "access is denied",
    404: "there is no such file",
    410: "there is no such file",
    429: "too many requests; try again later",
}

_CHUNK = 1 << 16
_HTML = (b"<!doctype html", b"<html", b"<head")


class ProgressBar(Protocol):
    """What pooch needs of a progress bar."""

    total: int

    def update(self, n: int, /) -> Any: ...

    def reset(self) -> Any: ...

    def close(self) -> Any: ...


class DownloadError(OSError):
    """A file or an answer could not be obtained from a host.

    Attributes
    ----------
    missing : bool
        Whether the host answered that the file does not exist: 404, or a web page instead of a file.
    """

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


def base_url(variable: str, given: str | None = None) -> str:
    """Return the address of a host, without a final slash.

    Parameters
    ----------
    variable : str
        Environment variable that names a mirror, one of `HOSTS`.
    given : str, optional
        Address that replaces both the variable's and the default one.

    Raises
    ------
    ArgumentError
        If the address does not start with ``https://`` or ``http://``.
    """
    url = (given or os.environ.get(variable) or HOSTS[variable]).rstrip("/")
    if urlsplit(url).scheme not in ("https", "http") or not urlsplit(url).hostname:
        name = Argument("base_url", url) if given else f"The environment variable {variable}={url!r}"
        raise ArgumentError("base_url", name, f" is not a web address; the default is {HOSTS[variable]}.")
    return url


def fetch(
    url: str,
    name: str,
    *,
    check: Callable[[Path], Any] | None = None,
    known_hash: str | None = None,
    progress: bool | ProgressBar = False,
    **metadata: Any,
) -> Path:
    """Return a file of the cache, downloading it first if it is absent.

    A download is accepted if it has the announced length, is neither empty nor a web page, its gzip or zip
    structure is intact, and `check` accepts it. Transient failures (no connection, 429, 5xx) are retried, see
    :class:`RetryPolicy`. Redirects to plain http are refused, except on the same host if `url` itself is
    plain http, as that of a mirror can be.

    Parameters
    ----------
    url : str
        Address of the file.
    name : str
        Its path in the cache folder; :func:`gene_gcn.storage.cache.get_file` describes how files are written
        and verified.
    check : callable, optional
        Called with the path of the new file; raises ValueError if the file is not as expected.
    known_hash : str, optional
        SHA-256, as hex, that the file must have; None if none is published.
    progress : bool or ProgressBar
        True shows a progress bar, which needs tqdm.
    **metadata
        What else to record about the file.

    Returns
    -------
    Path

    Raises
    ------
    DownloadError
        If the file cannot be downloaded or is damaged.
    OSError
        If it cannot be written, or has changed since it was downloaded.
    """

    def check_file(path: Path) -> None:
        _check_content(path)
        if known_hash is not None and (found := sha256_of(path)) != known_hash:
            raise ArgumentError("known_hash", f"{path} has the SHA-256 {found}, not {known_hash}.")
        if check is not None:
            check(path)

    def make(path: Path) -> None:
        remedy = (
            "go online once, or download the file elsewhere and pass it as path= "
            f"(or save it as {cache.cache_folder() / name})"
        )
        with_retries(lambda: _download(url, path, progress), url, remedy)
        try:
            check_file(path)
        except ValueError as error:
            message = str(error).replace(str(path), url)
            raise DownloadError(f"{message} The download was discarded.", missing=_is_html(path)) from error

    return cache.get_file(name, make, check=check_file, url=url, **metadata)


def request_text(url: str, data: Mapping[str, Any] | None = None, *, secret: str | None = None) -> str:
    """Return a page (GET), or a service's answer to a form (POST), with retries as in :func:`fetch`.

    Parameters
    ----------
    url : str
        The address.
    data : mapping, optional
        Fields of the form; None for a page.
    secret : str, optional
        A value in `data` that must stay secret: redirects to other hosts are refused, and errors do not show
        it.

    Returns
    -------
    str

    Raises
    ------
    DownloadError
        If there is no answer, or it is an error.
    """
    import requests

    def request() -> str:
        with requests.request(
            "GET" if data is None else "POST",
            url,
            data=data,
            timeout=(RETRY_POLICY.connect, RETRY_POLICY.read),
            hooks=_redirect_policy(url, secret),
        ) as response:
            response.encoding = "utf-8"
            response.raise_for_status()
            return response.text

    remedy = "go online and try again, or read a file with path="
    return with_retries(request, url, remedy, secret)


# ---- one attempt ----


def _download(url: str, path: Path, progress: bool | ProgressBar) -> None:
    import pooch

    answers: list[requests.Response] = []
    get = pooch.HTTPDownloader(
        progressbar=progress,
        chunk_size=_CHUNK,
        timeout=(RETRY_POLICY.connect, RETRY_POLICY.read),
        headers={"Accept-Encoding": "identity"},  # so that the length is the length of the file
        hooks=_redirect_policy(url, None, answers),
    )
    try:
        get(url, str(path), None)
    finally:
        for answer in answers:
            answer.close()
    _check_length(answers[-1], path)


def _check_length(answer: requests.Response, path: Path) -> None:
    """Refuse a truncated body; urllib3 2 does so itself."""
    import requests

    announced = answer.headers.get("Content-Length", "")
    encoded = "Content-Encoding" in answer.headers
    if announced.isdigit() and not encoded and path.stat().st_size != int(announced):
        raise requests.exceptions.ChunkedEncodingError("the answer does not have the announced length")


def _redirect_policy(
    url: str, secret: str | None, answers: list[requests.Response] | None = None
) -> dict[str, Callable[..., None]]:
    """Return hooks for requests that refuse unsafe redirects and collect all answers in a list."""
    start = urlsplit(url)

    def check_redirect(response: requests.Response, **options: Any) -> None:
        if answers is not None:
            answers.append(response)
        if not response.is_redirect:
            return
        target = urlsplit(urljoin(response.url, response.headers["location"]))
        same_host = (target.scheme, target.netloc) == (start.scheme, start.netloc)
        if not same_host and (target.scheme != "https" or secret is not None):
            response.close()
            raise DownloadError(
                f"{url} redirects to {target.scheme}://{target.netloc}, which is refused because nothing "
                "proves whose host that is; if it is the right one, pass it as base_url= or set the "
                "environment variable."
            )

    return {"response": check_redirect}


# ---- several attempts ----


def with_retries(request: Callable[[], _Result], url: str, remedy: str, secret: str | None = None) -> _Result:
    """Send a request, again after transient failures; raise a DownloadError if it fails for good."""
    import requests

    attempt = 1
    while True:
        try:
            return request()
        except requests.RequestException as error:
            failure = error
        if attempt == RETRY_POLICY.attempts or not _is_transient(failure):
            break
        time.sleep(_pause(failure, attempt))
        attempt += 1
    explained = _explained(failure, url, remedy)
    if secret is not None:  # without its cause, whose message may contain the secret
        raise DownloadError(str(explained).replace(secret, "…"), missing=explained.missing)
    raise explained from failure


def _is_transient(failure: requests.RequestException) -> bool:
    import requests

    if failure.response is not None:
        return failure.response.status_code in TRANSIENT
    if isinstance(failure, requests.exceptions.SSLError) or _is_unresolved(failure):
        return False
    # A connection that was refused, lost or silent; InvalidURL and the like are permanent.
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(failure, (*broken, requests.exceptions.ContentDecodingError))


def _pause(failure: requests.RequestException, attempt: int) -> float:
    """Return the seconds to wait: those of ``Retry-After`` (a number or a date), or twice the last pause."""
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    seconds = RETRY_POLICY.backoff * 2 ** (attempt - 1)
    if failure.response is not None and (retry_after := failure.response.headers.get("Retry-After")):
        with suppress(InvalidHeader):
            seconds = Retry().parse_retry_after(retry_after)
    return min(seconds, RETRY_POLICY.longest_wait)


def _explained(failure: requests.RequestException, url: str, remedy: str) -> DownloadError:
    import requests

    host = urlsplit(url).netloc
    if failure.response is not None:
        status = failure.response.status_code
        meaning = MEANING.get(status, "the host has a problem; try again later" if status >= 500 else "")
        detail = meaning or _excerpt(failure.response)
        text = f"{url} returned HTTP {status}" + (f": {detail}" if detail else "")
        return DownloadError(f"{text.rstrip('.')}.", missing=status in (404, 410))
    if _is_unresolved(failure):
        reason = f"the host name {host} cannot be resolved"
    elif isinstance(failure, requests.exceptions.SSLError):
        reason = f"the certificate of {host} is not trusted"
    elif isinstance(failure, requests.Timeout) or "timed out" in str(failure).lower():
        reason = f"{host} does not answer in time"
    elif isinstance(failure, requests.exceptions.ConnectionError):
        reason = f"{host} does not accept connections"
    else:
        reason = "the answer was cut off"
    return DownloadError(f"{url} cannot be downloaded because {reason}: {remedy}.")


def _excerpt(response: requests.Response) -> str:
    import requests

    try:
        text = " ".join(response.text.split())
    except (requests.RequestException, RuntimeError):  # closed or cut off
        return ""
    return "" if text.startswith("<") else text[:200]


def _is_unresolved(failure: BaseException) -> bool:
    return any(isinstance(cause, socket.gaierror) for cause in _causes(failure))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# ---- content of a download ----


def _is_html(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(200).lstrip().lower().startswith(_HTML)


def _check_content(path: Path) -> None:
    """Raise ArgumentError for an empty file, a web page, or a damaged gzip or zip file."""
    if path.stat().st_size == 0:
        raise ArgumentError("path", f"{path} is empty.")
    if _is_html(path):
        text = f"{path} is a web page, not a file: the version in its address may not exist."
        raise ArgumentError("path", text)
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    try:
        if is_gzip:
            with gzip.open(path) as file:
                while file.read(1 << 20):
                    pass
        elif is_zip(path):
            _check_zip(path)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise ArgumentError("path", f"{path} is damaged or incomplete ({error}).") from error


def _check_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
                text = f"{path} is refused: its member {name!r} would be written outside of its folder."
                raise ArgumentError("path", text)
        if (damaged := archive.testzip()) is not None:
            raise ArgumentError("path", f"{path} is damaged: its member {damaged!r} is corrupt.")
