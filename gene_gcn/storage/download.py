"""Going online: the only code that does."""

from __future__ import annotations

import gzip
import os
import socket
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from gene_gcn.storage import cache
from gene_gcn.storage.text_files import is_zip, sha256_of

if TYPE_CHECKING:
    import requests

# Environment variables that name mirrors, and what they stand for.
HOSTS = {
    "GENE_GCN_STRING_URL": "https://stringdb-downloads.org/download",
    "GENE_GCN_STRING_API": "https://string-db.org/api",
    "GENE_GCN_BIOGRID_URL": "https://downloads.thebiogrid.org",
    "GENE_GCN_BIOGRID_API": "https://webservice.thebiogrid.org",
}


@dataclass(frozen=True)
class RetryPolicy:
    """How long to try; times in seconds.

    Parameters
    ----------
    attempts
        How often a request is sent before it is given up.
    backoff
        Wait after the first failure; doubled after each further one.
    longest_wait
        Longest wait between two attempts, also where the server's ``Retry-After`` asks for more.
    connect, read
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
    401: "access is refused",
    403: "access is refused",
    404: "there is no such file",
    410: "there is no such file",
    429: "too many requests; try again later",
}

_CHUNK = 1 << 16
_HTML = (b"<!doctype html", b"<html", b"<head")


class DownloadError(OSError):
    """A file or an answer could not be had from a host.

    Attributes
    ----------
    missing : bool
        Whether the host answered that there is no such thing: 404, or a web page instead of a file.
    """

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


def base_url(variable: str, given: str | None = None) -> str:
    """Return the address of a host, without a final slash: `given`, the environment's, or the usual.

    Raises
    ------
    ValueError
        If it is no address that begins with ``https://`` or ``http://``.
    """
    url = (given or os.environ.get(variable) or HOSTS[variable]).rstrip("/")
    if urlsplit(url).scheme not in ("https", "http") or not urlsplit(url).hostname:
        name = "base_url" if given else variable
        raise ValueError(f"{name}={url!r} is no web address; the usual one is {HOSTS[variable]}.")
    return url


def fetch(
    url: str,
    name: str,
    *,
    check: Callable[[Path], Any] | None = None,
    known_hash: str | None = None,
    progress: bool | Any = False,
    **metadata: Any,
) -> Path:
    """Return a file of the cache; fetch it first where it is not there.

    A file counts as fetched when it has the announced length, is neither empty nor a web page, its gzip or
    zip is whole, and `check` finds it right. Failures that may pass (no connection, 429, 5xx) are tried again
    after a pause, see :class:`RetryPolicy`. Redirects to plain http are refused, but for one on the same host
    where `url` is plain http itself, which only a mirror's is.

    Parameters
    ----------
    url
        Where the file is.
    name
        Its path in the cache folder, see :func:`gene_gcn.storage.cache.get_file`, which also says how the file
        is written and verified.
    check
        Called with the path of the new file; raises ValueError where it is not as expected.
    known_hash
        SHA-256, as hex, that the file must have; None where none is published.
    progress
        True for a progress bar, which needs tqdm, or an object with ``total``, ``update``, ``reset`` and
        ``close``.
    **metadata
        What else to record of the file.

    Raises
    ------
    DownloadError
        If the file cannot be had, or is damaged.
    OSError
        If it cannot be written, or has changed since it was fetched.
    """

    def check_file(path: Path) -> None:
        _check_content(path)
        if known_hash is not None and (found := sha256_of(path)) != known_hash:
            raise ValueError(f"{path} has the SHA-256 {found}, not {known_hash}.")
        if check is not None:
            check(path)

    def make(path: Path) -> None:
        remedy = (
            "go online once, or get the file by other means and pass it as path= "
            f"(or save it as {cache.cache_folder() / name})"
        )
        with_retries(lambda: _download(url, path, progress), url, remedy)
        try:
            check_file(path)
        except ValueError as error:
            message = str(error).replace(str(path), url)
            raise DownloadError(f"{message} Nothing was kept of it.", missing=_is_html(path)) from error

    return cache.get_file(name, make, check=check_file, url=url, **metadata)


def request_text(url: str, data: Mapping[str, Any] | None = None, *, secret: str | None = None) -> str:
    """Return a page (GET), or what a service answers to a form (POST); tried again as in :func:`fetch`.

    Parameters
    ----------
    url
        The address.
    data
        Fields of the form; None for a page.
    secret
        A value of `data` that must not show: no redirect takes it to another host, and no error tells it.

    Raises
    ------
    DownloadError
        If there is no answer, or it is an error.
    """
    import requests

    def action() -> str:
        options = {
            "timeout": (RETRY_POLICY.connect, RETRY_POLICY.read),
            "hooks": _redirect_policy(url, secret),
        }
        with requests.request("GET" if data is None else "POST", url, data=data, **options) as response:
            response.encoding = "utf-8"
            response.raise_for_status()
            return response.text

    remedy = "go online and try again, or read a file by path="
    return with_retries(action, url, remedy, secret)


# ---- one attempt ----


def _download(url: str, path: Path, progress: bool | Any) -> None:
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
    """Refuse a body that broke off; urllib3 sees to that from version 2 on."""
    import requests

    announced = answer.headers.get("Content-Length", "")
    packed = "Content-Encoding" in answer.headers
    if announced.isdigit() and not packed and path.stat().st_size != int(announced):
        raise requests.exceptions.ChunkedEncodingError("the answer has another length than announced")


def _redirect_policy(url: str, secret: str | None, answers: list | None = None) -> dict[str, Callable]:
    """Hooks for requests that refuse unsafe redirects, and collect the answers in a list."""
    start = urlsplit(url)

    def see(response: requests.Response, **options: Any) -> None:
        if answers is not None:
            answers.append(response)
        if not response.is_redirect:
            return
        target = urlsplit(urljoin(response.url, response.headers["location"]))
        same_host = (target.scheme, target.netloc) == (start.scheme, start.netloc)
        if not same_host and (target.scheme != "https" or secret is not None):
            response.close()
            raise DownloadError(
                f"{url} sends on to {target.scheme}://{target.netloc}, which is refused, as nothing shows "
                "who answers there; if that is the right host, name it by base_url= or the environment."
            )

    return {"response": see}


# ---- several attempts ----


def with_retries(action: Callable[[], Any], url: str, remedy: str, secret: str | None = None) -> Any:
    """Run a request until it succeeds; at last, or at once where that is no use, raise a DownloadError."""
    import requests

    for attempt in range(1, RETRY_POLICY.attempts + 1):
        try:
            return action()
        except requests.RequestException as error:
            failure = error
        if attempt == RETRY_POLICY.attempts or not _may_pass(failure):
            break
        time.sleep(_pause(failure, attempt))
    error = _explained(failure, url, remedy)
    if secret is not None:
        raise DownloadError(str(error).replace(secret, "…"), missing=error.missing)
    raise error from failure


def _may_pass(failure: requests.RequestException) -> bool:
    import requests

    if failure.response is not None:
        return failure.response.status_code in TRANSIENT
    if isinstance(failure, requests.exceptions.SSLError) or _is_unresolved(failure):
        return False
    # A connection refused, lost or silent; InvalidURL and the like stay what they are.
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(failure, (*broken, requests.exceptions.ContentDecodingError))


def _pause(failure: requests.RequestException, attempt: int) -> float:
    """Seconds to wait: what ``Retry-After`` says (seconds or a date), or twice as long as the last time."""
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    seconds = RETRY_POLICY.backoff * 2 ** (attempt - 1)
    if failure.response is not None and (asked := failure.response.headers.get("Retry-After")):
        try:
            seconds = Retry().parse_retry_after(asked)
        except InvalidHeader:
            pass
    return min(seconds, RETRY_POLICY.longest_wait)


def _explained(failure: requests.RequestException, url: str, remedy: str) -> DownloadError:
    import requests

    host = urlsplit(url).netloc
    if failure.response is not None:
        status = failure.response.status_code
        meaning = MEANING.get(status, "the host is in trouble; try again later" if status >= 500 else "")
        said = "" if status in MEANING or status >= 500 else _excerpt(failure.response)
        text = f"{url} was answered with HTTP {status}" + (f": {meaning or said}" if meaning or said else "")
        return DownloadError(f"{text.rstrip('.')}.", missing=status in (404, 410))
    if _is_unresolved(failure):
        reason = f"the name {host} cannot be looked up"
    elif isinstance(failure, requests.exceptions.SSLError):
        reason = f"the certificate of {host} is not accepted"
    elif isinstance(failure, requests.Timeout) or "timed out" in str(failure).lower():
        reason = f"{host} does not answer in time"
    elif isinstance(failure, requests.exceptions.ConnectionError):
        reason = f"{host} accepts no connection"
    else:
        reason = "the answer breaks off"
    return DownloadError(f"{url} cannot be fetched, because {reason}: {remedy}.")


def _excerpt(response: requests.Response) -> str:
    import requests

    try:
        text = " ".join(response.text.split())
    except (requests.RequestException, RuntimeError):  # closed, or broken off
        return ""
    return "" if text.startswith("<") else text[:200]


def _is_unresolved(failure: BaseException) -> bool:
    return any(isinstance(cause, socket.gaierror) for cause in _causes(failure))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# ---- what has come ----


def _is_html(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(200).lstrip().lower().startswith(_HTML)


def _check_content(path: Path) -> None:
    """Raise ValueError for an empty file, a web page, or a gzip or zip file that is not whole."""
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty.")
    if _is_html(path):
        raise ValueError(f"{path} is a web page, not a file: the version in its address may not exist.")
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
        raise ValueError(f"{path} is damaged or incomplete ({error}).") from error


def _check_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
                raise ValueError(
                    f"{path} has a member that would lie outside of it, {name!r}, and is refused."
                )
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"{path} is damaged at its member {damaged!r}.")
