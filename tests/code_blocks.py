"""The blocks of code of the documentation, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BUILT = ("_build", "generated", "extensions")
FENCE = re.compile(r"^( *)```(\{?[a-z-]+\}?)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)((?:    .+\n)+)")
COMMAND = ("    gene-gcn ", "    python scripts/")
PYTHON = ("python", "py")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language ("python", "sh", "text", "{code-cell}", …), code, and line in the page."""

    language: str
    code: str
    line: int


def pages() -> list[str]:
    """Paths of all pages that somebody wrote, relative to the project."""
    paths = (path.relative_to(ROOT) for path in DOCS.rglob("*.md"))
    written = (path for path in paths if not set(BUILT) & set(path.parts))
    return ["README.md", *sorted(map(str, written))]


def blocks_of(page: str) -> list[Block]:
    """Fenced blocks in order; then indented ones, if they are commands."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fenced = [(match.start(), match[2], match[3]) for match in FENCE.finditer(text)]
    outside = FENCE.sub(lambda match: re.sub("[^\n]", " ", match[0]), text)
    indented = [(m.start(), "sh", m[1]) for m in INDENTED.finditer(outside) if m[1].startswith(COMMAND)]
    return [
        Block(language, dedent(code), text.count("\n", 0, start) + 1)
        for start, language, code in fenced + indented
    ]


def commands_in(code: str) -> list[list[str]]:
    """Words of each command, without comments, redirected output and srun; a backslash joins lines."""
    commands = []
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        words = words[: words.index(">")] if ">" in words else words
        commands.append(words[1:] if words[:1] == ["srun"] else words)
    return [words for words in commands if words]
