"""The tree of commands: which of them `argv` calls, and the option that all have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeAlias, cast

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
        for _, command in _with_those_below(self):
            command.params.append(_json_option())


def all_commands(app: typer.Typer) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield every command and group with the words that call it: first the program, with none."""
    return _with_those_below(_program(app))


def called_command(app: typer.Typer, argv: Sequence[str]) -> tuple[tuple[str, ...], Command]:
    """Return the words of the command that `argv` calls, and the command: a group if no more is known."""
    path: list[str] = []
    command = _program(app)
    for word in argv:
        if word.startswith("-"):  # groups have only flags
            continue
        if not isinstance(command, TyperGroup) or word not in command.commands:
            break
        path.append(word)
        command = cast("Command", command.commands[word])
    return tuple(path), command


def wants_json(argv: Sequence[str]) -> bool:
    """Return whether to print JSON, of arguments that need not be correct."""
    return JSON in argv


def _program(app: typer.Typer) -> Command:
    return cast("Command", get_command(app))


def _with_those_below(
    command: Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Command]]:
    yield path, command
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from _with_those_below(cast("Command", below), (*path, name))


def _json_option() -> TyperOption:
    """Return the option as typer makes it, whose classes differ between versions."""

    def template(
        json: Annotated[
            bool,
            typer.Option(
                JSON,
                expose_value=False,
                help="Print result, warnings and errors as one JSON object on stdout, all else on stderr. "
                "See gene-gcn schema.",
            ),
        ] = False,
    ) -> None:
        pass

    app = typer.Typer(add_completion=False)
    app.command()(template)
    (option,) = get_command(app).params
    assert isinstance(option, TyperOption)
    return option
