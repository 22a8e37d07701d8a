"""A web server that misbehaves on demand."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

LINKS = b"""\
protein1 protein2 combined_score
9606.ENSP01 9606.ENSP02 900
9606.ENSP02 9606.ENSP01 900
9606.ENSP01 9606.ENSP03 450
9606.ENSP03 9606.ENSP01 450
"""
INFO = b"""\
#string_protein_id\tpreferred_name\tprotein_size\tannotation
9606.ENSP01\tTP53\t393\tCellular tumor antigen p53
9606.ENSP02\tMDM2\t491\tE3 ubiquitin-protein ligase
9606.ENSP03\tACTB\t375\tActin
"""


@dataclass
class Answer:
    """One answer of the host; None means the correct value."""

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None  # Content-Length
    sent: int | None = None  # bytes of the body, after which the connection ends
    silence: float = 0.0  # seconds before the rest of the body


class Host:
    """A web server on this computer that serves `files` and `folders` by path."""

    Answer = Answer

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.folders: dict[str, Path] = {}
        self.forms: dict[str, Callable[[dict[str, str]], bytes | Answer]] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.next: dict[str, list[Answer]] = defaultdict(list)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.closing = threading.Event()
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answers(self, path: str, *answers: Answer) -> None:
        """Give these answers to the next requests for a path; later ones are served correctly."""
        self.next[path] += answers

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.seen]

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def find(self, path: str) -> bytes | None:
        if path in self.files:
            return self.files[path]
        for prefix, folder in self.folders.items():
            file = folder / path.removeprefix(prefix).lstrip("/")
            if path.startswith(prefix) and file.is_file():
                return file.read_bytes()
        return None

    def answer_to(self, path: str, form: dict[str, str]) -> Answer:
        if self.next[path]:
            return self.next[path].pop(0)
        if path in self.forms:
            made = self.forms[path](form)
            return made if isinstance(made, Answer) else Answer(body=made)
        found = self.find(path)
        return Answer(404, b"<html>not found</html>") if found is None else Answer(body=found)

    def _handler(host) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length", 0))
                fields = parse_qs(self.rfile.read(length).decode() or parts.query, keep_blank_values=True)
                form = {name: values[0] for name, values in fields.items()}
                host.seen.append((self.command, parts.path, form))
                host.headers.append(dict(self.headers))
                host.times.append(time.monotonic())
                self.give(parts.path, host.answer_to(parts.path, form))

            do_POST = do_HEAD = do_GET

            def give(self, path: str, answer: Answer) -> None:
                body = (host.find(path) or b"") if answer.body is None else answer.body
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                length = len(body) if answer.announced is None else answer.announced
                self.send_header("Content-Length", str(length))
                self.end_headers()
                try:
                    self.wfile.write(b"" if self.command == "HEAD" else body[: answer.sent])
                    self.wfile.flush()
                    if answer.silence:
                        host.closing.wait(answer.silence)
                        self.wfile.write(b"" if answer.sent is None else body[answer.sent :])
                except OSError:  # the client has disconnected
                    pass
                self.close_connection = True

            def log_message(self, *args) -> None:
                pass

        return Handler
