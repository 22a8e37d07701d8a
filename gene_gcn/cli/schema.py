"""`gene-gcn schema`: the form of what `--json` prints."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from gene_gcn.cli.console import say
from gene_gcn.cli.results import commands_with_schema, read_schema
from gene_gcn.errors import ArgumentError


def schema(
    command: Annotated[
        list[str] | None, typer.Argument(help="Such as predict, or models merge. Default: what all share.")
    ] = None,
) -> dict[str, Any]:
    """Print the JSON Schema of what a command prints with --json."""
    path = tuple(command or ())
    known = commands_with_schema()
    if path and path not in known:
        choices = ", ".join(map(" ".join, known))
        text = f"{' '.join(path)!r} is not a command; choose from {choices}."
        raise ArgumentError("command", text)
    found = read_schema(path)
    say(json.dumps(found, indent=2))
    return {"schema": found}
