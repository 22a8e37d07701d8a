"""A folder on a web server of this computer, for scripts that measure downloads."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder inside the block, and yield its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serve_string(mirror: Path) -> Iterator[None]:
    """Let `gene_gcn` download STRING from a mirror of its host, into a cache that the block deletes."""
    with serve(mirror) as url, tempfile.TemporaryDirectory() as cache:
        os.environ |= {"GENE_GCN_STRING_URL": f"{url}/string/download", "GENE_GCN_CACHE": cache}
        yield


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass
