"""The tree of commands: which of them `argv` calls, and the option that all have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

__all__ = ["Program", "all_commands", "called_command", "wants_json"]

JSON = "--json"
Command: TypeAlias = TyperCommand | TyperGroup


class Program(TyperGroup):
    """The whole command line, which gives `--json` to every command."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        for _, command in all_commands(self):
            command.params.append(_json_option())


def all_commands(command: Command, path: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Return a command and those below it, each with the words that call it."""
    yield tuple(path), command
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from all_commands(below, (*path, name))


def called_command(app: typer.Typer, argv: Sequence[str]) -> tuple[tuple[str, ...], Command]:
    """Return the words of the command that `argv` calls, and the command: a group if no more is known."""
    path: list[str] = []
    command: Command = get_command(app)  # type: ignore[assignment]
    for word in argv:
        if word.startswith("-"):  # groups have only flags
            continue
        if not isinstance(command, TyperGroup) or word not in command.commands:
            break
        path.append(word)
        command = command.commands[word]
    return tuple(path), command


def wants_json(argv: Sequence[str]) -> bool:
    """Return whether to print JSON, of arguments that need not be correct."""
    return JSON in argv


def _json_option() -> TyperOption:
    """Return the option as typer makes it, whose classes differ between versions."""

    def template(
        json: Annotated[
            bool,
            typer.Option(
                JSON,
                expose_value=False,
                help="Print result, warnings and errors as one JSON object on stdout, all else on stderr; see "
                "gene-gcn schema.",
            ),
        ] = False,
    ) -> None:
        pass

    app = typer.Typer(add_completion=False)
    app.command()(template)
    (option,) = get_command(app).params
    assert isinstance(option, TyperOption)
    return option
