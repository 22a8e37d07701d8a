"""What the commands print."""

from __future__ import annotations

import sys
from collections.abc import Sized
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["DownloadProgress", "count", "new_table", "say"]


@cache
def _console() -> Console:
    from rich.console import Console

    # Soft wrap: paths are never broken, so that they can be copied.
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(content: str | Table = "") -> None:
    """Print a line or a table."""
    _console().print(content)


def count(things: Sized, noun: str) -> str:
    """Return their number with the noun: "1 seed", "5 seeds"."""
    return f"{len(things)} {noun}{'s' if len(things) != 1 else ''}"


def new_table(title: str, *columns: str) -> Table:
    """Return an empty table whose columns, except the first, are aligned to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
    return table


class DownloadProgress:
    """A progress bar with the attribute and the methods that pooch expects of one."""

    total = 0

    def __init__(self) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        self._bar = Progress(
            "downloading",
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            transient=True,
            disable=not sys.stdout.isatty(),
        )
        self._task = self._bar.add_task("")

    def update(self, n: int) -> None:
        self._bar.start()
        self._bar.update(self._task, advance=n, total=self.total)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        self._bar.stop()
