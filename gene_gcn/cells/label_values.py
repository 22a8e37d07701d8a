"""Values of labels: which are missing, which look alike, which are equal though written differently."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gene_gcn.errors import ArgumentError

__all__ = [
    "UNASSIGNED",
    "check_label_values",
    "find_near_twins",
    "is_missing",
    "labels_as_text",
    "to_same_kind",
    "written_as_missing",
]

UNASSIGNED = "unassigned"  # the type of cells without any expression, as annotators write it

# What becomes of a missing label that was converted to text. "unknown" and "unassigned" are types.
MISSING_TEXT = frozenset(["nan", "NaN", "NAN", "None", "NA", "<NA>", "N/A", "n/a", "NaT", "null", "NULL"])


def is_missing(labels: np.ndarray) -> np.ndarray:
    """Return which labels are None, NaN, NA, empty text, or text that stands for these, such as "nan".

    Parameters
    ----------
    labels : ndarray, shape (B,)

    Returns
    -------
    ndarray of bool, shape (B,)
    """
    missing = pd.isna(labels)
    if labels.dtype.kind in "OUT":
        missing = missing | written_as_missing(labels)
        missing |= np.array([isinstance(label, str) and not label.strip() for label in labels], dtype=bool)
    return missing


def written_as_missing(labels: np.ndarray) -> np.ndarray:
    """Return which labels are text that stands for a missing value, such as "nan", "None" or "<NA>"."""
    if labels.dtype.kind not in "OUT":
        return np.zeros(len(labels), dtype=bool)
    return np.array([isinstance(label, str) and label.strip() in MISSING_TEXT for label in labels], bool)


def check_label_values(labels: np.ndarray) -> np.ndarray:
    """Return labels, none of them missing, with numbers among objects as an array of numbers.

    Raises
    ------
    ArgumentError
        Labels mix numbers and text, are neither, or are text or numbers that files cannot hold.
    """
    kinds: dict[str, list[object]] = {}
    try:
        values = pd.unique(labels)
    except TypeError:  # such as lists, which cannot be counted
        values = labels[:1]
    for value in values:
        kinds.setdefault(_kind_of(value), []).append(value)
    for kind, examples in kinds.items():
        if kind not in ("text", "number", "truth value"):
            problem = f"y has labels of type {kind} (such as {examples[0]!s:.40}), which cannot be saved"
            raise ArgumentError("y", f"{problem}; convert them to text with .astype(str).")
    if len(kinds) > 1:
        found = " and ".join(_describe(kind, examples) for kind, examples in kinds.items())
        raise ArgumentError("y", f"y mixes {found} as labels; convert all of them to text with .astype(str).")
    if "text" in kinds:
        _check_text([str(value) for value in values])
        return labels
    return _check_numbers(labels) if len(labels) else labels


def find_near_twins(labels: Sequence[object]) -> list[list[str]]:
    """Return groups of labels that differ only in case, in spaces, or in their Unicode form.

    The latter is how letters are composed, and invisible characters such as zero-width spaces.

    Parameters
    ----------
    labels : sequence of object
        Those that are not text are left out.

    Returns
    -------
    list of list of str
    """
    groups: dict[str, dict[str, None]] = {}
    for label in labels:
        if isinstance(label, str):
            visible = "".join(letter for letter in label if unicodedata.category(letter) != "Cf")
            folded = " ".join(unicodedata.normalize("NFKC", visible).casefold().split())
            groups.setdefault(folded, {})[str(label)] = None
    return [list(group) for group in groups.values() if len(group) > 1]


def to_same_kind(*labels: np.ndarray) -> list[np.ndarray]:
    """Return labels of one kind that can be compared by value: 0.0 equals 0, "0" and "0.0".

    Labels that are all numbers stay as they are. Text becomes numbers if all of it can be read as such, and
    if it is compared with numbers or has no label in common with the other text. Otherwise all become text.

    Parameters
    ----------
    *labels : ndarray, shape (any,)

    Returns
    -------
    list of ndarray
    """
    are_numbers = [array.dtype.kind in "biuf" for array in labels]
    if all(are_numbers):
        return list(labels)
    texts = [labels_as_text(array) for array in labels]
    if any(are_numbers) or not set.intersection(*(set(text.tolist()) for text in texts)):
        parsed = [_parse(array) for array in labels]
        found = [array for array in parsed if array is not None]
        if len(found) == len(parsed):
            return found
    return texts if any(are_numbers) else list(labels)


def labels_as_text(labels: np.ndarray) -> np.ndarray:
    """Return labels as an array of text, in which whole numbers have no decimals."""
    return np.array([_text(label) for label in labels], dtype=object)


def _kind_of(value: object) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, (bool, np.bool_)):
        return "truth value"
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, np.timedelta64):
        return "number"
    return type(value).__name__


def _describe(kind: str, examples: list[object]) -> str:
    first = ", ".join(repr(_plain(value)) for value in examples[:3])
    return f"{len(examples):,} {kind}{'s' if len(examples) > 1 else ''} ({first})"


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _text(label: object) -> str:
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    return str(label)


def _parse(labels: np.ndarray) -> np.ndarray | None:
    """Return labels as numbers if all of them can be read as finite ones."""
    try:
        parsed = labels.astype(np.float64)
    except (TypeError, ValueError):
        return None
    return parsed if np.isfinite(parsed).all() else None


def _check_numbers(labels: np.ndarray) -> np.ndarray:
    """Return numbers as an array of a dtype that files can hold."""
    array = np.array([_plain(label) for label in labels]) if labels.dtype.kind == "O" else labels
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float64)
    if array.dtype.kind == "O":  # of whole numbers, some of which are too large
        unusable = [label for label in labels if abs(label) >= 2**63]
    else:
        unusable = array[~np.isfinite(array)].tolist()
    if unusable:
        problem = f"y has the label {unusable[0]!s:.40}, which is not a number of 64 bits"
        raise ArgumentError("y", f"{problem}; convert the labels to text with .astype(str).")
    return array


def _check_text(values: Sequence[str]) -> None:
    for value in values:
        if "\0" in value or any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            problem = f"y has the label {value!a:.60}, which files of cells and models cannot hold"
            raise ArgumentError(
                "y", f"{problem}: it has a character that UTF-8 text does not have; rename this type."
            )
