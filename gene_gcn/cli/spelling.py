"""Arguments of Python as options of the command line: `layer='counts'` is `--layer 'counts'`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import chain
from shlex import join

import typer
from typer.core import TyperOption

from gene_gcn.cli.commands import all_commands, called_command
from gene_gcn.errors import Argument

__all__ = ["Spelling", "find_options", "typed_command"]

EMPTY = "''"
# Options whose name is not that of the argument.
_OPTION_NAMES = {"y": "label", "info": "network_info", "random_state": "seed", "pattern": "remove"}
# Options that have a word for None; for others it is the empty text.
_NONE = {"attention": "none", "network": "none"}


def find_options(app: typer.Typer, argv: Sequence[str]) -> list[TyperOption]:
    """Return the options of the command that `argv` runs, followed by those of the other commands.

    The latter are for remedies such as training with other options before predicting.
    """
    _, called = called_command(app, argv)
    others = (command for _, command in all_commands(app))
    parameters = chain.from_iterable(each.params for each in (called, *others))
    return [parameter for parameter in parameters if isinstance(parameter, TyperOption)]


class Spelling:
    """Spells arguments as options; those that have no option stay as in Python.

    Parameters
    ----------
    options : iterable of TyperOption
        From `find_options`, so that each spelling is one that the command line accepts. Of several options of
        one name the first is used.
    """

    def __init__(self, options: Iterable[TyperOption]):
        self._options: dict[str | None, TyperOption] = {}
        for option in options:
            self._options.setdefault(option.name, option)

    def __call__(self, argument: Argument) -> str:
        option = self._options.get(_OPTION_NAMES.get(argument.name, argument.name))
        if option is None:
            return str(argument)
        name = option.opts[0]
        if not argument.has_value:
            return name
        if option.is_flag:
            negative = option.secondary_opts[0] if option.secondary_opts else str(argument)
            return name if argument.value else negative
        if argument.value is None:
            return f"{name} {_NONE.get(argument.name, EMPTY)}"
        return f"{name} {_spell_value(argument.value)}"


def typed_command(context: typer.Context) -> str:
    """Return the command that is running, as it could be typed again: with the options that were given."""
    words = context.command_path.split()
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)  # an enumeration of click, which newer typers hold inside
        if source is None or source.name != "COMMANDLINE" or name not in context.params:  # --json
            continue
        value = context.params[name]
        if not isinstance(parameter, TyperOption):
            words += map(str, value if isinstance(value, (list, tuple)) else [value])
        elif parameter.is_flag:
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        else:
            words += [max(parameter.opts, key=len), str(value)]
    return join(words)


def _spell_value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value)) or EMPTY
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return f"{value!r:.80}"
