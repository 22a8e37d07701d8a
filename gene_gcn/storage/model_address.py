"""Where a model is: a folder, a zip archive, an address on the web or on the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.download import base_url

__all__ = ["Address", "HubAddress", "WebAddress", "is_commit", "is_sha256", "parse_address"]

HUB = "hf://"
MIRRORS = ("GENE_GCN_HF_URL", "HF_ENDPOINT")  # environment variables; the first that is set counts
TOKEN = "HF_TOKEN"  # the environment variable
MAIN = "main"  # the branch of a repository that is meant if none is named

_NAME = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)  # what the Hub accepts
_REVISION = re.compile(r"(?!.*\.\.)[\w.\-/+]{1,200}", re.ASCII)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class HubAddress:
    """A repository of the Hugging Face Hub, or a folder in it.

    Attributes
    ----------
    repository : str
        Owner and name.
    revision : str
        A branch, a tag or a commit.
    subfolder : str
        "" for the repository itself.
    """

    repository: str
    revision: str = MAIN
    subfolder: str = ""

    @property
    def source(self) -> str:
        """The address without a revision."""
        return "/".join(part for part in (f"{HUB}{self.repository}", self.subfolder) if part)

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return is_commit(self.revision)

    def url(self, file: str, revision: str | None = None) -> str:
        """Return the address of a file by the Hub's resolve protocol, at the endpoint in use."""
        variable = next((name for name in MIRRORS if os.environ.get(name)), MIRRORS[0])
        place = "/".join(part for part in (self.subfolder, file) if part)
        chosen = quote(revision or self.revision, safe="")
        return f"{base_url(variable)}/{self.repository}/resolve/{chosen}/{place}"

    def token(self) -> str | None:
        """Return the user's token for the Hub, unless it would be sent without encryption."""
        parts = urlsplit(self.url(""))
        is_private = parts.scheme == "https" or parts.hostname in _LOOPBACK
        return (os.environ.get(TOKEN, "").strip() or None) if is_private else None

    def __str__(self) -> str:
        revision = "" if self.revision == MAIN else f"@{self.revision}"
        return "/".join(p for p in (f"{HUB}{self.repository}{revision}", self.subfolder) if p)


@dataclass(frozen=True)
class WebAddress:
    """A folder or a zip archive on the web.

    Attributes
    ----------
    source : str
        The address without a fragment and without a slash at its end.
    sha256 : str or None
        Of the archive, or of the folder's manifest.json: what ``#sha256=`` pins.
    """

    source: str
    sha256: str | None = None

    @property
    def is_zip(self) -> bool:
        return urlsplit(self.source).path.lower().endswith(".zip")

    def url(self, file: str) -> str:
        """Return the address of a file of the folder."""
        parts = urlsplit(self.source)
        return urlunsplit(parts._replace(path=f"{parts.path}/{file}"))

    def __str__(self) -> str:
        return self.source if self.sha256 is None else f"{self.source}#sha256={self.sha256}"


def is_commit(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{40}", text) is not None


def is_sha256(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


Address: TypeAlias = "HubAddress | WebAddress"


def parse_address(path: str | os.PathLike[str]) -> Address | Path:
    """Return the address that a text is, or the path.

    Raises
    ------
    ArgumentError
        It begins like an address but is not one that can be used.
    """
    if isinstance(path, str) and path.startswith(HUB):
        return _hub_address(path)
    if isinstance(path, str) and path.lower().startswith(("https://", "http://")):
        return _web_address(path)
    return Path(path).expanduser()


def _hub_address(text: str) -> HubAddress:
    found = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@(refs/[^/]+/[^/]+|[^/]+))?(?:/(.+?))?/?", text)
    repository, revision, subfolder = found.groups() if found else ("", None, None)
    revision, subfolder = revision or MAIN, subfolder or ""
    names = [*repository.split("/"), *(subfolder.split("/") if subfolder else [])]
    if not all(map(_NAME.fullmatch, names)) or not _REVISION.fullmatch(revision):
        problem = (
            " is not an address on the Hugging Face Hub, such as hf://owner/name, hf://owner/name@v1.0 or "
        )
        raise ArgumentError("path", f"{text!r:.200}{problem}hf://owner/name@v1.0/folder.")
    return HubAddress(repository, revision, subfolder)


def _web_address(text: str) -> WebAddress:
    try:
        parts = urlsplit(text)
        is_web = bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_web = False
    if not is_web:
        problem = " is not a web address, or has a user name in it, which everybody would see."
        raise ArgumentError("path", f"{text.rpartition('@')[2]!r:.200}{problem}")
    name, _, value = parts.fragment.partition("=")
    if parts.fragment and not (name == "sha256" and is_sha256(value.lower())):
        problem = " ends in what is not #sha256= and 64 hexadecimal digits."
        raise ArgumentError("path", f"{text!r:.200}{problem}")
    if parts.scheme == "http" and not value and parts.hostname not in _LOOPBACK:
        problem = (
            " is plain http, where nothing proves whose model that is; use https, or add #sha256= and its "
        )
        raise ArgumentError("path", f"{text!r:.200}{problem}SHA-256.")
    source = urlunsplit(parts._replace(path=parts.path.rstrip("/"), fragment=""))
    return WebAddress(source, value.lower() or None)
