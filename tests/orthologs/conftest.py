from __future__ import annotations

import hcop_host
import pytest


@pytest.fixture
def hcop(host, monkeypatch):
    """A server with HCOP's files of mouse, rat and fly."""
    hcop_host.serve(host)
    monkeypatch.setenv("GENE_GCN_HCOP_URL", f"{host.url}/hcop")
    return host
