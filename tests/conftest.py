"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Threads that wait by spinning slow small models down many times over where other work shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets next to the project; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs real data in {folder}, which is absent")
    return folder
