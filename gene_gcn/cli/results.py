"""What `--json` prints: one object that says how a command ended; `schemas/` describes its form."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from gene_gcn import __version__
from gene_gcn.cli.console import discard_output, is_silent

__all__ = [
    "BUG",
    "INTERRUPTED",
    "USER_ERROR",
    "Outcome",
    "as_plain",
    "commands_with_schema",
    "read_schema",
    "stdout_for_json",
]

BUG, USER_ERROR, INTERRUPTED = 1, 2, 130  # exit statuses, as shells have them
SCHEMAS = Path(__file__).with_name("schemas")
ENVELOPE = "envelope"  # what the outputs of all commands share


@dataclass
class Outcome:
    """How a command ended.

    Attributes
    ----------
    command : sequence of str
        Such as ("models", "merge"); empty if `argv` has none.
    status : int
        Exit status.
    result : object, optional
        What the command returned, as plain values; None after its help.
    error : dict, optional
        Its type, message and, if known, the argument that it is about.
    warnings : list of dict
        Their category, message and, if known, argument.
    """

    command: Sequence[str]
    status: int = 0
    result: Any = None
    error: dict[str, str | None] | None = None
    warnings: list[dict[str, str | None]] = field(default_factory=list)
    _start: float = field(default_factory=time.perf_counter)

    def fail(self, status: int, error: dict[str, str | None]) -> None:
        self.status, self.error = status, error

    def to_dict(self) -> dict[str, Any]:
        """Return what is printed, of plain values."""
        is_help = self.error is None and self.result is None
        told = {"result": self.result} if self.error is None else {"error": self.error}
        return {
            "schema": read_schema(() if is_help else self.command)["$id"],
            "version": __version__,
            "status": self.status,
            "seconds": round(time.perf_counter() - self._start, 3),
            "warnings": self.warnings,
            **told,
        }


@contextmanager
def stdout_for_json(outcome: Outcome) -> Iterator[None]:
    """Print the outcome on stdout at the end, and meanwhile on stderr what would be printed there.

    Only the first of several processes that run a command together prints it.
    """
    stdout = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if not is_silent():
            _print(outcome, stdout)


def _print(outcome: Outcome, stdout: TextIO) -> None:
    try:
        print(json.dumps(outcome.to_dict(), allow_nan=False), file=stdout, flush=True)
    except BrokenPipeError:
        discard_output()
    except OSError as error:  # such as a full disk
        discard_output()
        outcome.status = outcome.status or USER_ERROR
        print(f"gene-gcn: error: The result cannot be printed: {error.strerror}", file=sys.stderr)


def as_plain(value: Any) -> Any:
    """Return a result as values that JSON has.

    Parameters
    ----------
    value : object
        Of texts, numbers, None, paths, mappings, sequences, NumPy's scalars and arrays, and tables of pandas,
        which become a list with an object for each row. What is not finite becomes None.

    Raises
    ------
    TypeError
        For any other value.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): as_plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(each) for each in value]
    if hasattr(value, "columns"):
        return as_plain(value.to_dict("records"))
    if hasattr(value, "tolist"):
        return as_plain(value.tolist())
    raise TypeError(f"{type(value).__name__} cannot be part of a result.")


# ---- schemas ----


def commands_with_schema() -> list[tuple[str, ...]]:
    """Return the commands whose results are described, such as ("models", "merge")."""
    return sorted(tuple(path.stem.split(".")) for path in SCHEMAS.glob("*.json") if path.stem != ENVELOPE)


def read_schema(command: Sequence[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of what a command prints; without a known command, that of all commands.

    Its ``$id`` ends in the version of the result, which grows when something is removed or gets another
    meaning, not when something is added.
    """
    schema = json.loads((SCHEMAS / f"{ENVELOPE}.json").read_text(encoding="utf-8"))
    own = SCHEMAS / f"{'.'.join(command)}.json"
    if command and own.is_file():
        result = json.loads(own.read_text(encoding="utf-8"))
        schema["$id"] = result.pop("$id")
        schema["title"] = f"gene-gcn {' '.join(command)} --json"
        schema["properties"]["result"] = result
    schema["properties"]["schema"]["const"] = schema["$id"]
    return schema
