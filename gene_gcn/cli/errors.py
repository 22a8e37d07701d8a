"""How errors and warnings reach the user: in one line each, arguments spelled as options."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from gene_gcn.errors import Argument, Message

__all__ = ["message_for_user", "warnings_in_one_line"]

Spell = Callable[[Argument], str]


def message_for_user(error: Exception, spell: Spell) -> str | None:
    """Return what to say about an error in one line; None for a bug, whose traceback is needed."""
    if isinstance(error, Message):
        text = error.spelled(spell)
    elif hasattr(error, "format_message"):  # typer's errors have no public base class in all versions
        context = getattr(error, "ctx", None)
        text = f"{error.format_message()} Try '{context.command_path if context else 'gene-gcn'} --help'."
    elif isinstance(error, OSError):
        text = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
    elif _is_out_of_memory(error):
        text = (
            "There is not enough memory; free some, raise the limit, or use fewer cells or genes"
            f"{f' ({error})' if str(error) else ''}. Files that existed before are unchanged."
        )
    else:
        return None
    return _one_line(text)


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether Python, NumPy or torch, which raises a RuntimeError, could not allocate memory."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    reasons = ("allocate memory", "failed to map segment")  # the second where a library cannot be loaded
    return isinstance(error, (RuntimeError, ImportError)) and any(reason in str(error) for reason in reasons)


@contextmanager
def warnings_in_one_line(spell: Spell) -> Iterator[None]:
    """Print warnings without the line of code that they come from.

    Those of libraries are printed if they are for users (UserWarning, such as a GPU driver that is too old);
    the other categories (DeprecationWarning, RuntimeWarning…) are for programmers and are dropped.
    """

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, UserWarning):
            text = message.spelled(spell) if isinstance(message, Message) else str(message)
            print(f"gene-gcn: warning: {_one_line(text)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _one_line(text: str) -> str:
    return " ".join(text.split())
