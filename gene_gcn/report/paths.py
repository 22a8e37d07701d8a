"""The files of a report; without libraries, so that paths are checked before anything is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from gene_gcn.errors import ArgumentError

__all__ = ["check_report_path", "report_files"]

ENDINGS = (".html", ".htm")


def report_files(path: str | os.PathLike[str]) -> list[Path]:
    """Return the files that `write_report` writes: the page, and those for MultiQC."""
    page = Path(path)
    return [page, *(page.with_name(f"{page.stem}_{what}_mqc.json") for what in ("types", "stats"))]


def check_report_path(path: str | os.PathLike[str]) -> None:
    """Raise the ArgumentError that `write_report` would raise for this path."""
    if not Path(path).name.lower().endswith(ENDINGS):
        text = f"A report cannot be written to {str(path)!r}: its name must end in {' or '.join(ENDINGS)}."
        raise ArgumentError("path", text)
