"""Access to the web: the only code of the package that goes online."""

from __future__ import annotations

import errno
import gzip
import lzma
import os
import shutil
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage import cache
from gene_gcn.storage.text_files import is_zip, sha256_of

if TYPE_CHECKING:
    from gene_gcn.storage.http_client import Pace

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
        Longest silence while connecting and while reading.
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


RETRY_POLICY = RetryPolicy()
TRANSIENT = {429, 500, 502, 503, 504}
MEANING = {
    401: "access is denied",
    403: "access is denied",
    404: "there is no such file",
    410: "there is no such file",
    429: "too many requests; try again later",
}

_DAMAGED_DIRECTORY = (zipfile.BadZipFile, struct.error, ValueError, OverflowError, NotImplementedError)
_DAMAGED_MEMBER = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
_HTML = (b"<!doctype html", b"<html", b"<head")


class ProgressBar(Protocol):
    """What a download needs of a progress bar."""

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
    largest_unannounced: int | None = None,
    **metadata: Any,
) -> Path:
    """Return a file of the cache, downloading it first if it is absent.

    A download is accepted if it has the announced length, is neither empty nor a web page, its gzip or zip
    structure is intact, and `check` accepts it. Transient failures (no connection, 429, 5xx) are retried, see
    :class:`RetryPolicy`, which also limits the time, the size, and what a compressed file may unpack to.
    Redirects to plain http are refused, except on the same host if `url` itself is plain http, as that of a
    mirror can be.

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
    largest_unannounced : int, optional
        Bytes to accept of a file whose length the host does not announce; by default those of the policy.
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
        unannounced = RETRY_POLICY.largest_unannounced if largest_unannounced is None else largest_unannounced
        _with_retries(lambda pace: _download(url, path, progress, unannounced, pace), url, remedy)
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
    from gene_gcn.storage import http_client

    def request(pace: Pace) -> str:
        connect, read = RETRY_POLICY.connect, RETRY_POLICY.read
        with http_client.open_answer(
            url, data, pace=pace, connect=connect, read=read, secret=secret
        ) as answer:
            largest = RETRY_POLICY.largest_text
            body = b"".join(http_client.read_chunks(answer, largest, largest))
        return body.decode("utf-8", errors="replace")

    remedy = "go online and try again, or read a file with path="
    return _with_retries(request, url, remedy, secret)


# ---- one attempt ----


def _download(url: str, path: Path, progress: bool | ProgressBar, unannounced: int, pace: Pace) -> None:
    from gene_gcn.storage import http_client

    with http_client.open_answer(
        url, pace=pace, connect=RETRY_POLICY.connect, read=RETRY_POLICY.read
    ) as answer:
        length = http_client.announced_length(answer)
        chunks = http_client.read_chunks(answer, RETRY_POLICY.largest, unannounced)
        with closing(_progress_bar(progress, length or 0)) as bar, path.open("wb") as file:
            if length is not None and RETRY_POLICY.largest >= length > shutil.disk_usage(path.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # before an hour is lost
            for chunk in chunks:
                file.write(chunk)
                bar.update(len(chunk))


def _progress_bar(progress: bool | ProgressBar, total: int) -> ProgressBar:
    if progress is False:
        return _NoProgressBar()
    if progress is True:
        from tqdm import tqdm

        return tqdm(total=total, unit="B", unit_scale=True)
    progress.reset()
    progress.total = total
    return progress


class _NoProgressBar:
    total = 0

    def update(self, n: int, /) -> None:
        pass

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


# ---- several attempts ----


def _with_retries(
    request: Callable[[Pace], _Result], url: str, remedy: str, secret: str | None = None
) -> _Result:
    """Send a request, again after transient failures; raise a DownloadError if it fails for good."""
    import requests
    import urllib3

    from gene_gcn.storage.http_client import Pace, Refused

    deadline = time.monotonic() + RETRY_POLICY.total
    attempt = 1
    failure: Exception
    while True:
        pace = Pace(deadline, RETRY_POLICY.total, RETRY_POLICY.read, RETRY_POLICY.lowest_speed)
        try:
            return request(pace)
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            # urllib3 wraps what is raised while it reads from a connection.
            failure = next((cause for cause in _causes(error) if isinstance(cause, Refused)), error)
        pause = _pause(failure, attempt)
        if attempt == RETRY_POLICY.attempts or not _is_transient(failure) or pause > pace.remaining:
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


def _pause(failure: Exception, attempt: int) -> float:
    """Return the seconds to wait: those of ``Retry-After`` (a number or a date), or twice the last pause."""
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    seconds = RETRY_POLICY.backoff * 2 ** (attempt - 1)
    response = getattr(failure, "response", None)
    if response is not None and (retry_after := response.headers.get("Retry-After")):
        with suppress(InvalidHeader, ValueError, OverflowError):  # dates that do not exist, huge numbers
            seconds = Retry().parse_retry_after(retry_after)
    return min(seconds, RETRY_POLICY.longest_wait)


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
        return f"the certificate of {host} is not trusted"
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


# ---- content of a download ----


def _is_html(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(200).lstrip().lower().startswith(_HTML)


def _check_content(path: Path) -> None:
    """Raise ArgumentError for an empty file, a web page, or a damaged or bomb-like gzip or zip file."""
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
                _Unpacked(path).read(file)
        elif is_zip(path):
            _check_zip(path)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise ArgumentError("path", f"{path} is damaged or incomplete ({error}).") from error


class _Unpacked:
    """Counts what a compressed file unpacks to, and refuses a bomb before all of it is unpacked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        packed = path.stat().st_size
        ratio = max(RETRY_POLICY.largest_ratio * packed, RETRY_POLICY.always_unpacked)
        self._limit = min(ratio, RETRY_POLICY.largest_unpacked)

    def read(self, file: IO[bytes] | gzip.GzipFile) -> None:
        """Read a file or a member of an archive to its end."""
        while part := file.read(1 << 20):
            self._size += len(part)
            if self._size > self._limit:
                packed = self._path.stat().st_size / 1e6
                raise ArgumentError(
                    "path",
                    f"{self._path} is refused because its {packed:,.1f} MB unpack to more than "
                    f"{self._limit / 1e6:,.0f} MB, as no table does.",
                )


def _check_zip(path: Path) -> None:
    unpacked = _Unpacked(path)
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED_DIRECTORY as error:
        raise ArgumentError("path", f"{path} is damaged or incomplete ({error}).") from error
    with archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
                text = f"{path} is refused: its member {name!r} would be written outside of its folder."
                raise ArgumentError("path", text)
        for member in archive.infolist():
            try:
                with archive.open(member) as file:
                    unpacked.read(file)
            except _DAMAGED_MEMBER as error:
                text = f"{path} is damaged: its member {member.filename!r} is corrupt"
                raise ArgumentError("path", f"{text} ({error}).") from error
            except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
                text = f"{path} is refused: its member {member.filename!r} cannot be unpacked"
                raise ArgumentError("path", f"{text} ({error}).") from error
