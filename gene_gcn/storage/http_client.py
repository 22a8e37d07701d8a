"""One request over HTTP, limited in time, in size, and in where it may be redirected to.

requests limits the silence between two packets and the TLS handshake, but neither the whole time, the look-up
of a host's name, nor the size, and it follows redirects that are not addresses into exceptions of other
libraries.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError

CHUNK = 1 << 16
MOST_REDIRECTS = 10
CONDITIONS = {"If-None-Match", "If-Modified-Since"}

_ENCODINGS = {"", "identity", "gzip", "x-gzip", "deflate"}
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]+", re.IGNORECASE)
_EXCERPT = 2000  # bytes of an error page


class Refused(requests.RequestException):
    """An answer that is not wanted, and that asking again would not change.

    Parameters
    ----------
    predicate : str
        What the address does, to be written after it: "redirects to …, which is refused because …".
    remedy : str, optional
        What to do; None stands for that of the caller.
    """

    def __init__(self, predicate: str, remedy: str | None = None) -> None:
        super().__init__(predicate)
        self.remedy = remedy


class Pace:
    """Limits of the time that a request and its answer take.

    Parameters
    ----------
    deadline : float
        When to give up, on the clock of :func:`time.monotonic`.
    limit : float
        The time in seconds that ends then, for the message.
    window : float
        Seconds over which the speed is averaged.
    lowest_speed : float
        Bytes per second.
    """

    def __init__(self, deadline: float, limit: float, window: float, lowest_speed: float) -> None:
        self.deadline, self.limit = deadline, limit
        self.window, self.lowest_speed = window, lowest_speed
        self._start: float | None = None  # of the window
        self._received = 0

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def check(self) -> None:
        """Raise Refused after the deadline."""
        if self.remaining <= 0:
            raise Refused(f"took longer than {self.limit:,g} seconds")

    def receive(self, size: int) -> None:
        """Count bytes that have arrived; raise Refused if they are late or too few."""
        self.check()
        now = time.monotonic()
        if self._start is None:  # the host may take its time before its first byte
            self._start = now
        self._received += size
        if (passed := now - self._start) >= self.window:
            if self._received < self.lowest_speed * passed:
                raise Refused(f"sends less than {self.lowest_speed:,g} bytes per second")
            self._start, self._received = now, 0


@contextmanager
def open_answer(
    url: str,
    data: Mapping[str, Any] | None = None,
    *,
    pace: Pace,
    connect: float,
    read: float,
    secret: str | None = None,
    headers: Mapping[str, str] | None = None,
    private: Mapping[str, str] | None = None,
) -> Iterator[requests.Response]:
    """Send a request and follow its redirects; yield the answer, whose body has not been read yet.

    Parameters
    ----------
    url : str
        The address.
    data : mapping, optional
        Fields of a form, which are sent by POST.
    pace : Pace
        Limits of the time.
    connect, read : float
        Longest silence in seconds, while connecting to one of the host's addresses and while reading.
    secret : str, optional
        If given, redirects to other hosts are refused.
    headers : mapping, optional
        Further headers of the request. If they ask for what was modified only, the answer 304 is yielded,
        too.
    private : mapping, optional
        Headers for the host of `url` alone: where that redirects to another one, they are left out.

    Raises
    ------
    requests.RequestException
        If there is no answer, or one of another status than 200: an HTTPError, whose text is the beginning
        of the body.

    Notes
    -----
    The `history` of the answer holds those that redirected to it, as in requests.
    """
    start, address = _parts(url), url
    wanted = (200, 304) if CONDITIONS & set(headers or ()) else (200,)
    history: list[requests.Response] = []
    with _session(pace) as session:
        for _ in range(MOST_REDIRECTS + 1):
            pace.check()
            with session.request(
                "GET" if data is None else "POST",
                address,
                data=data,
                # Without a coding, so that the length is the length of the file.
                headers={
                    "Accept-Encoding": "identity",
                    **(headers or {}),
                    **_for_host(private, start, address),
                },
                timeout=(min(connect, pace.remaining), min(read, pace.remaining)),
                allow_redirects=False,
                stream=True,
            ) as answer:
                if not answer.is_redirect:
                    if answer.status_code not in wanted:
                        raise requests.HTTPError(_excerpt(answer), response=answer)
                    if (encoding := answer.headers.get("Content-Encoding", "").lower()) not in _ENCODINGS:
                        raise Refused(f"is sent in the encoding {encoding[:40]!a}, which cannot be read")
                    answer.history = history
                    yield answer
                    return
                history.append(answer)
                address = _redirected(answer, url, start, secret)
                if answer.status_code not in (307, 308):
                    data = None
    raise Refused(f"redirects more than {MOST_REDIRECTS} times")


def read_chunks(answer: requests.Response, largest: int, largest_unannounced: int) -> Iterator[bytes]:
    """Yield the body in parts; raise Refused as soon as it is known to be larger than allowed.

    Parameters
    ----------
    answer : requests.Response
        From :func:`open_answer`.
    largest, largest_unannounced : int
        Bytes, of a body whose length is announced and of one whose length is not.
    """
    announced = announced_length(answer)
    limit = min(largest, largest_unannounced) if announced is None else largest
    if announced is not None and announced > limit:
        raise Refused(f"is a file of {announced / 1e6:,.0f} MB, and {limit / 1e6:,.0f} MB are accepted")
    size = 0
    for chunk in answer.iter_content(CHUNK):
        size += len(chunk)
        if size > limit:
            without = " without announcing its length" if announced is None else ""
            raise Refused(f"sends more than {limit / 1e6:,.0f} MB{without}")
        yield chunk
    if announced is not None and size != announced and "Content-Encoding" not in answer.headers:
        raise requests.exceptions.ChunkedEncodingError("the answer does not have the announced length")


def announced_length(answer: requests.Response) -> int | None:
    """Return the Content-Length in bytes, or None if there is none that counts."""
    text = answer.headers.get("Content-Length", "")
    if "chunked" in answer.headers.get("Transfer-Encoding", "").lower():
        return None
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def printable(text: str) -> str:
    """Return the text on one line, without characters that control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


# ---- redirects ----


def _for_host(private: Mapping[str, str] | None, start: SplitResult, address: str) -> Mapping[str, str]:
    """Return headers that are for one host if the address is on that host, by the same scheme and port."""
    target = _parts(address)
    return private or {} if (target.scheme, target.netloc) == (start.scheme, start.netloc) else {}


def _redirected(answer: requests.Response, url: str, start: SplitResult, secret: str | None) -> str:
    """Return the address that an answer redirects to; refuse what is broken or unsafe."""
    location = answer.headers["Location"]
    try:  # http.client decodes headers as Latin-1
        address = urljoin(answer.url, location.encode("latin-1").decode("utf-8"))
        target = _parts(address)
    except (ValueError, requests.RequestException) as error:  # UnicodeError is a ValueError
        shown = ascii(location[:80])[1:-1]
        raise Refused(f"redirects to {shown}, which is not a web address") from error
    if (target.scheme, target.netloc) == (start.scheme, start.netloc):
        return address
    shown = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"[:120]
    if "@" in target.netloc:
        raise Refused(f"redirects to {shown} with a user name, which is refused")
    if target.scheme != "https" or secret is not None:
        raise Refused(
            f"redirects to {shown}, which is refused because nothing proves whose host that is",
            "if it is the right one, pass it as base_url= or set the environment variable",
        )
    return address


def _parts(address: str) -> SplitResult:
    """Split an address; raise InvalidURL if it is not a web address with a valid host."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").encode("idna").decode()
        valid = parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise requests.exceptions.InvalidURL(address) from error
    if not valid or _HOST.fullmatch(host) is None:
        raise requests.exceptions.InvalidURL(address)
    return parts


# ---- sessions whose connections keep the pace ----


def _session(pace: Pace) -> requests.Session:
    session = _Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pace))
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return no target: requests would look at it, and read the body, even if it is not to follow."""
        return None


class _Adapter(HTTPAdapter):
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _keep_pace(self.poolmanager, self._pace)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        _keep_pace(manager, self._pace)
        return manager


def _keep_pace(manager: Any, pace: Pace) -> None:
    """Limit the time in which connections of an urllib3 manager connect, and count all that they receive."""

    class Response(http.client.HTTPResponse):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.fp: io.BufferedReader = io.BufferedReader(_Counted(self.fp.detach(), pace))

    def paced(pool: Any) -> Any:
        class Connection(pool.ConnectionCls):
            response_class = Response

            def _new_conn(self) -> socket.socket:
                limit = min(max(self.timeout, pace.window), pace.remaining)
                return _connect_within(limit, super()._new_conn, self)

        return type("Pool", (pool,), {"ConnectionCls": Connection})

    pools = manager.pool_classes_by_scheme.items()
    manager.pool_classes_by_scheme = {scheme: paced(pool) for scheme, pool in pools}


def _connect_within(
    seconds: float, connect: Callable[[], socket.socket], connection: http.client.HTTPConnection
) -> socket.socket:
    """Look up a host's name and connect to one of its addresses; raise ConnectTimeoutError if that is late.

    The system limits a look-up by itself, if at all, and a thread that waits for it cannot be stopped.
    """
    future: Future[socket.socket] = Future()

    def work() -> None:
        try:
            future.set_result(connect())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return future.result(max(0, seconds))
    except TimeoutError as error:
        future.add_done_callback(_close_late)
        raise ConnectTimeoutError(connection, f"no connection within {seconds:,g} seconds") from error


def _close_late(future: Future[socket.socket]) -> None:
    if future.exception() is None:
        future.result().close()


class _Counted(io.RawIOBase):
    """The bytes of a socket, which are counted as they arrive."""

    def __init__(self, raw: Any, pace: Pace) -> None:
        self._raw, self._pace = raw, pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size = self._raw.readinto(buffer)
        if size:
            self._pace.receive(size)
        return size

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


def _excerpt(answer: requests.Response) -> str:
    """Return the beginning of an error page, unless it is HTML."""
    body = b""
    with suppress(requests.RequestException):
        body = next(answer.iter_content(_EXCERPT), b"")
    text = printable(body.decode("utf-8", errors="replace"))
    return "" if text.startswith("<") else text[:200]
