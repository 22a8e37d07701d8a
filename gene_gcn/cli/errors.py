"""How errors and warnings reach the user: in one line each, or as JSON; arguments spelled as options."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from gene_gcn.cli.memory import is_memory_limited
from gene_gcn.errors import Argument, ArgumentError, Message, is_out_of_memory

__all__ = ["argument_of", "message_for_user", "warnings_in_one_line"]

Spell = Callable[[Argument], str]


def message_for_user(error: Exception, spell: Spell) -> str | None:
    """Return what to say about an error in one line; None for a bug, whose traceback is needed."""
    if isinstance(error, Message):
        text = error.spelled(spell)
    elif hasattr(error, "format_message"):  # typer's errors have no public base class in all versions
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "gene-gcn"
        told = error.format_message().rstrip(".")
        text = f"{told}{'' if told.endswith('?') else '.'} Try '{command} --help'."
    elif is_out_of_memory(error) or (isinstance(error, SystemError) and is_memory_limited()):
        reason = _reason_of_shortage(error)
        text = (
            "There is not enough memory; free some, raise the limit, or use fewer cells or genes"
            f"{f' ({reason})' if reason else ''}. Files that existed before are unchanged."
        )
    elif isinstance(error, OSError):
        text = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
    else:
        return None
    return _one_line(text)


def argument_of(error: object, spell: Spell) -> str | None:
    """Return the option or argument that an error or a warning is about, if it says so."""
    if isinstance(error, ArgumentError):
        return _spell_name(error.argument, spell)
    if isinstance(error, Message):
        named = [part.name for part in error.parts if isinstance(part, Argument)]
        return _spell_name(named[0], spell) if named else None
    parameter = getattr(error, "param", None)  # typer's errors
    if parameter is not None:
        return parameter.opts[0] if parameter.param_type_name == "option" else parameter.name
    return getattr(error, "option_name", None)


def _spell_name(name: str, spell: Spell) -> str:
    """Return an option such as ``--label``, or the name of what is no option."""
    return spell(Argument(name)).removesuffix("=")


@contextmanager
def warnings_in_one_line(spell: Spell) -> Iterator[list[dict[str, str | None]]]:
    """Print warnings without the line of code that they come from; collect what was printed.

    Those of libraries are printed if they are for users (UserWarning, such as a GPU driver that is too old);
    the other categories (DeprecationWarning, RuntimeWarning…) are for programmers and are dropped.
    """
    printed: list[dict[str, str | None]] = []

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, UserWarning):
            text = _one_line(message.spelled(spell) if isinstance(message, Message) else str(message))
            argument = argument_of(message, spell)
            printed.append({"category": category.__name__, "message": text, "argument": argument})
            print(f"gene-gcn: warning: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield printed


def _reason_of_shortage(error: Exception) -> str:
    """Return what an error says about memory, without the lines of torch's source that torch mentions."""
    asked = re.search(r"tried to allocate (\d+) bytes", str(error))
    return f"Unable to allocate {int(asked[1]) / 2**20:.1f} MiB" if asked else str(error).rstrip(".")


def _one_line(text: str) -> str:
    return " ".join(text.split())
