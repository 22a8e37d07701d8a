"""The directive `commands`: every command of `gene-gcn` with its options, read from the program itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from gene_gcn.cli import app as program

PROGRAM = "gene-gcn"
LIST = re.compile(r"<list\[(\w+)\]>")
CODE = re.compile(r"(?<![\w-])(--?[a-z][\w-]*|gene-gcn [a-z]+)")


class Commands(SphinxDirective):
    """Write a section for each command."""

    def run(self) -> list[nodes.Node]:
        command = get_command(program)
        with command.make_context(PROGRAM, ["--help"], resilient_parsing=True) as context:
            return [section for name in command.commands for section in self.sections(name, context)]

    def sections(self, name: str, parent: Any) -> Iterator[nodes.section]:
        command = parent.command.commands[name]
        with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
            if hasattr(command, "commands"):
                for inner in command.commands:
                    yield from self.sections(inner, context)
            else:
                yield self.section(context)

    def section(self, context: Any) -> nodes.section:
        command, path = context.command, context.command_path
        section = nodes.section(ids=[nodes.make_id(path)], names=[path])
        section += nodes.title("", "", nodes.literal(path, path))
        self.state.document.note_explicit_target(section)
        section += [paragraph(text) for text in (command.help or "").split("\n\n")]
        usage = command.get_usage(context).removeprefix("Usage: ")
        section += nodes.literal_block(usage, usage, language="text")
        records = [parameter.get_help_record(context) for parameter in command.params]
        section += definitions([record for record in records if record is not None])
        return section


def definitions(records: list[tuple[str, str]]) -> nodes.definition_list:
    """List parameters with what they do."""
    items = []
    for names, text in records:
        names = LIST.sub(r"<\1> …", " ".join(names.split()))
        term = nodes.term("", "", nodes.literal(names, names))
        items.append(nodes.definition_list_item("", term, nodes.definition("", paragraph(text))))
    return nodes.definition_list("", *items, classes=["options"])


def paragraph(text: str) -> nodes.paragraph:
    """Return a paragraph in which options and commands are set as code."""
    parts = CODE.split(" ".join(text.split()))
    return nodes.paragraph(
        "", "", *(nodes.literal(part, part) if i % 2 else nodes.Text(part) for i, part in enumerate(parts))
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
