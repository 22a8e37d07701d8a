"""A Hugging Face Hub of a few repositories, by its resolve protocol."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from host import Answer, Host

OLD, NEW = "a1" * 20, "b2" * 20  # commits


@dataclass
class Hub:
    """What the host serves as the Hub: large files by a redirect to another host, if there is one.

    A private repository answers only those who send `token`.
    """

    host: Host
    files_host: Host | None = None
    token: str | None = None

    def put(self, repository: str, commit: str, files: dict[str, bytes], branch: str = "main") -> None:
        """Serve a commit, which the branch becomes."""
        for name, data in files.items():
            for revision in (commit, branch):
                path = f"/{repository}/resolve/{quote(revision, safe='')}/{name}"
                self.host.forms[path] = self._answering(commit, name, data)

    def _answering(self, commit: str, name: str, data: bytes):
        def answer(_: dict[str, str]) -> Answer:
            if self.token and self.host.headers[-1].get("Authorization") != f"Bearer {self.token}":
                return Answer(401, b"Invalid username or password.")
            headers = {"X-Repo-Commit": commit}
            if not name.endswith(".safetensors"):
                sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                return Answer(body=data, headers=headers | {"ETag": f'"{sha1}"'})
            digest = hashlib.sha256(data).hexdigest()
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
            if self.files_host is None:
                return Answer(body=data, headers=headers | {"ETag": f'"{digest}"'})
            self.files_host.files[f"/lfs/{digest}"] = data
            return Answer(302, b"", headers | {"Location": f"{self.files_host.url}/lfs/{digest}"})

        return answer
