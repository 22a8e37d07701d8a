"""The step `make audit`: findings fail, an unreachable database does not."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import requests


@pytest.fixture
def audit() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "scripts" / "audit.py"
    spec = importlib.util.spec_from_file_location("audit", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_unreachable_database_is_said(audit, monkeypatch, capsys):
    monkeypatch.setattr(audit, "DATABASE", "http://127.0.0.1:9/closed")
    assert audit.main() == 0
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    ("stderr", "returned", "status"),
    [
        ("No known vulnerabilities found", 0, 0),
        ("Found 2 known vulnerabilities in 1 package", 1, 1),
        ("ConnectionError: the vulnerability service does not answer", 1, 0),
    ],
)
def test_only_findings_fail(audit, monkeypatch, capsys, stderr, returned, status):
    def run(command, **options):
        asked = "--version" in command
        return subprocess.CompletedProcess(command, 0 if asked else returned, "", stderr)

    monkeypatch.setattr(requests, "post", lambda *args, **options: None)
    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == status
    assert ("not checked" in capsys.readouterr().out) == ("service" in stderr)
