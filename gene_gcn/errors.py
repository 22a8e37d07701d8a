"""Errors and warnings that carry what they are about.

Their messages are made of text and of :class:`Argument`, so that each caller can spell arguments its own way:
Python shows ``layer='counts'``, the command line ``--layer counts``.
"""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = [
    "RAISED_BY_ALL",
    "Argument",
    "ArgumentError",
    "ConvergenceWarning",
    "DivergenceError",
    "DuplicateGenesWarning",
    "EmptyCellsWarning",
    "ExplanationWarning",
    "GeneGCNWarning",
    "GeneNamesWarning",
    "LabelWarning",
    "LostProcessError",
    "Message",
    "MissingGenesWarning",
    "NetworkWarning",
    "ScaleWarning",
    "ShiftWarning",
    "StorageWarning",
    "first_few",
    "is_out_of_memory",
    "warn",
]

RAISED_BY_ALL = "All processes that work together raise this error."  # a note on such errors

_PACKAGE = __name__.partition(".")[0]


class _Value(Enum):
    NOT_GIVEN = "not given"  # a member stays itself when it is copied or pickled


@dataclass(frozen=True)
class Argument:
    """An argument as part of a message.

    Attributes
    ----------
    name : str
    value : object
        By default none is shown: ``layer=``.
    """

    name: str
    value: Any = _Value.NOT_GIVEN

    @property
    def has_value(self) -> bool:
        return self.value is not _Value.NOT_GIVEN

    def __str__(self) -> str:
        return f"{self.name}={self.value!r:.80}" if self.has_value else f"{self.name}="


class Message:
    """What errors and warnings share: a message in parts."""

    args: tuple[Any, ...]

    @property
    def parts(self) -> tuple[str | Argument, ...]:
        return self.args

    def spelled(self, spell: Callable[[Argument], str]) -> str:
        """Return the message with each argument as `spell` writes it."""
        return "".join(spell(part) if isinstance(part, Argument) else part for part in self.parts)

    def __str__(self) -> str:
        return self.spelled(str)


class ArgumentError(Message, ValueError):
    """An argument that cannot be used, for what it is or for what it holds.

    Parameters
    ----------
    argument : str
        Its name.
    *message : str or Argument
        Parts of the message.

    Attributes
    ----------
    argument : str
    """

    def __init__(self, argument: str, *message: str | Argument):
        super().__init__(argument, *message)
        self.argument = argument

    @property
    def parts(self) -> tuple[str | Argument, ...]:
        return self.args[1:]


class DivergenceError(Message, FloatingPointError):
    """Training whose loss is no longer finite."""


class LostProcessError(Message, RuntimeError):
    """Another of the processes that work together has ended before its work was done."""


class GeneGCNWarning(Message, UserWarning):
    """Any warning of this package; it is made from the parts of its message, as errors are."""


class ConvergenceWarning(GeneGCNWarning):
    """A fit stopped before it reached its minimum."""


class MissingGenesWarning(GeneGCNWarning):
    """Cells lack genes of the model."""


class DuplicateGenesWarning(GeneGCNWarning):
    """Several columns have the same gene name."""


class EmptyCellsWarning(GeneGCNWarning):
    """Cells express none of the model's genes."""


class ExplanationWarning(GeneGCNWarning):
    """Contributions do not sum to the logits closely enough."""


class GeneNamesWarning(GeneGCNWarning):
    """Names of genes were chosen by the program, or columns that are not genes were left out."""


class LabelWarning(GeneGCNWarning):
    """Labels are likely not what was meant: text for missing ones, two spellings of one type."""


class ScaleWarning(GeneGCNWarning):
    """The scale of expression values was guessed, or was not converted."""


class ShiftWarning(GeneGCNWarning):
    """The cells of a query are not drawn like those of the training set."""


class NetworkWarning(GeneGCNWarning):
    """Part of a gene network, or all of it, could not be used."""


class StorageWarning(GeneGCNWarning):
    """Something could not be kept on disk for the next time."""


def first_few(names: Sequence[object], n: int = 3) -> str:
    """Return the first names as text for a message: ``A, B, C, …``."""
    return ", ".join([*map(str, names[:n]), *(["…"] if len(names) > n else [])])


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that caused it, says that memory could not be allocated.

    Python and NumPy raise MemoryError, torch and threads RuntimeError, the system OSError, pandas' reader of
    tables ValueError; libraries that cannot be loaded raise ImportError.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    reasons = ("allocate memory", "out of memory", "failed to map segment", "start new thread")
    kinds = (RuntimeError, ImportError, ValueError)
    if isinstance(error, kinds) and any(text in str(error) for text in reasons):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def warn(warning: GeneGCNWarning) -> None:
    """Issue a warning at the first frame outside the package: the user's line."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
