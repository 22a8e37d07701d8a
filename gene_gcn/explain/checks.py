"""Checks of arguments that explanations share."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gene_gcn.errors import Argument, ArgumentError

__all__ = ["check_top", "position_of"]


def position_of(label: Any, types: Sequence[Any], argument: str) -> int:
    """Return the position of a type, or refuse one that is not there (ArgumentError)."""
    if label in types:
        return list(types).index(label)
    names = [str(known) for known in types]
    close = difflib.get_close_matches(str(label), names, n=3) or names[:5]
    problem = f" is not among the {len(names):,} types; pass one such as {', '.join(close)}."
    raise ArgumentError(argument, Argument(argument, label), problem)


def check_top(top: int, argument: str = "top") -> None:
    """Refuse what is not a number of rows, or of what `argument` is about (ArgumentError)."""
    if isinstance(top, bool) or not isinstance(top, (int, np.integer)) or top < 1:
        raise ArgumentError(argument, Argument(argument, top), " must be a whole number of at least 1.")
