"""What the commands print."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sized
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = [
    "DownloadProgress",
    "be_silent",
    "count",
    "discard_output",
    "flush_output",
    "is_silent",
    "new_table",
    "prepare_streams",
    "say",
    "say_wrapped",
]


@cache
def _console() -> Console:
    from rich.console import Console

    class Tolerant(Console):
        def on_broken_pipe(self) -> None:
            """Go on without a reader: rich would exit, before a model is saved."""
            discard_output()

    # Soft wrap: paths are never broken, so that they can be copied.
    return Tolerant(highlight=False, markup=False, emoji=False, soft_wrap=True)


def be_silent() -> None:
    """Print neither output nor warnings from now on, as in all processes of a group but the first."""
    _console().quiet = True
    warnings.simplefilter("ignore")


def is_silent() -> bool:
    """Return whether another process of the group speaks."""
    return _console().quiet


def say(content: str | Table = "") -> None:
    """Print a line or a table, if somebody still reads."""
    try:
        _console().print(content)
    except BrokenPipeError:  # from versions of rich without on_broken_pipe
        discard_output()


def say_wrapped(content: RenderableType) -> None:
    """Print a text or a table within the width of the terminal, if somebody still reads."""
    try:
        _console().print(content, soft_wrap=False)
    except BrokenPipeError:
        discard_output()


def prepare_streams() -> None:
    r"""Let characters that the terminal or pipe cannot show be printed as ``\xe9``.

    So are the bytes of a file name that is not UTF-8. What is closed (``>&-``) is discarded.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - for all that follows
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Send what is still printed nowhere, because the reader (``| head -1``) has gone."""
    with suppress(OSError, ValueError, AttributeError):  # stdout need not be a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def flush_output() -> None:
    """Print what is left, if somebody still reads; at exit, Python would report that nobody does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()


def count(things: Sized | int, noun: str) -> str:
    """Return their number with the noun: "1 seed", "5 seeds"."""
    n = things if isinstance(things, int) else len(things)
    return f"{n} {noun}{'s' if n != 1 else ''}"


def new_table(title: str, *columns: str) -> Table:
    """Return an empty table whose columns, except the first, are aligned to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
    return table


class DownloadProgress:
    """A progress bar with the attribute and the methods of a `gene_gcn.storage.download.ProgressBar`."""

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
