"""Fixtures shared by several tests."""

from __future__ import annotations

import gzip
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from host import INFO, LINKS, Host
from hypothesis import settings

from gene_gcn.storage import download

# The same examples in every run.
settings.register_profile("deterministic", derandomize=True)
settings.load_profile("deterministic")
# The tests' models are so small that threads would mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets next to the project; tests that need it are skipped if it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs real data in {folder}, which does not exist")
    return folder


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def secure_host(tmp_path, monkeypatch):
    """A host at https://localhost, whose certificate is trusted."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs the program openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    make += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    host = Host()
    host.server.socket = context.wrap_socket(host.server.socket, server_side=True)
    host.url = f"https://localhost:{host.server.server_address[1]}"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    yield host
    host.close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache; hosts are unreachable unless a test sets one, and retries do not wait long."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("GENE_GCN_CACHE", str(folder))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("BIOGRID_ACCESS_KEY", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for variable in download.HOSTS:
        monkeypatch.setenv(variable, "http://127.0.0.1:9/closed")
    policy = download.RetryPolicy(attempts=3, backoff=0.01, longest_wait=0.2, connect=1, read=0.3)
    monkeypatch.setattr(download, "RETRY_POLICY", policy)
    return folder


@pytest.fixture
def string_host(host, monkeypatch) -> Host:
    """A host with a small STRING 12.0 of three human proteins."""
    for kind, content in {"links": LINKS, "info": INFO}.items():
        path = f"/download/protein.{kind}.v12.0/9606.protein.{kind}.v12.0.txt.gz"
        host.files[path] = gzip.compress(content)
    monkeypatch.setenv("GENE_GCN_STRING_URL", f"{host.url}/download")
    monkeypatch.setenv("GENE_GCN_STRING_API", f"{host.url}/api")
    return host


@pytest.fixture
def python():
    """A function that starts a Python program, given as text, in a separate process."""
    started = []

    def start(program: str) -> subprocess.Popen:
        import gene_gcn

        root = str(Path(gene_gcn.__file__).parents[1])
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{program}"]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
