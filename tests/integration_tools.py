"""Programs that `make integrations` installs, in an environment beside that of the project."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
INTEGRATIONS = PROJECT / "integrations"


def tool(name: str) -> str:
    """Return the path of a program, such as snakemake."""
    return str(PROJECT / ".venv-integrations/bin" / name)


def environment() -> dict[str, str]:
    """Return variables with which those programs find this project's gene-gcn."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
