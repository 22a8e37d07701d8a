"""Run the command line with --json, and check what it prints against the schemas that the package ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from command_line import run

from gene_gcn.cli import app
from gene_gcn.cli.commands import called_command
from gene_gcn.cli.results import read_schema


def strict(schema: Any) -> Any:
    """Return a schema that refuses keys it does not describe, so that no key of an output is forgotten."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema and "required" in schema else {}
    return {name: strict(value) for name, value in schema.items()} | {
        name: value for name, value in closed.items() if name not in schema
    }


def check(output: dict[str, Any], command: tuple[str, ...]) -> dict[str, Any]:
    """Raise if an output does not fit the schema of its command; return it."""
    schema = strict(read_schema(command))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(output, schema, cls=jsonschema.Draft202012Validator)
    return output


def run_json(capsys, *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """Run the command line with --json; return what it prints, checked.

    Help has the schema that all commands share.
    """
    capsys.readouterr()
    assert run(*arguments, "--json") == status
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and out.endswith("\n")
    output = json.loads(out, parse_constant=_refuse)
    assert output["status"] == status
    path, _ = called_command(app, list(map(str, arguments)))
    return check(output, () if "--help" in arguments else path)


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON.")
