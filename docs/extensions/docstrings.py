"""Docstrings as Sphinx reads them, and which members of a class the reference shows."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util.inspect import isstaticmethod, unwrap_all

PACKAGE = "gene_gcn"
PYG = Config(
    napoleon_use_ivar=True,
    napoleon_use_rtype=False,
    napoleon_custom_sections=[("Shapes", "notes_style")],
)
SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:", "Shapes:")


def from_pyg(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Convert PyG's sections (`Args:`, `Shapes:`), which layers have; numpydoc reads all others."""
    if any(line.rstrip() in SECTIONS for line in lines):
        lines[:] = GoogleDocstring(lines, PYG, app, what, name, obj).lines()


def from_comment(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Describe a constant by the comment behind it; otherwise its type would be described."""
    if what == "data" and name.startswith(f"{PACKAGE}."):
        comment = comment_of(name)
        lines[:] = [f"{comment[:1].upper()}{comment[1:]}.", ""] if comment else []


def comment_of(name: str) -> str:
    """Return the comment in the line that assigns a constant, in any file of its room; empty without one."""
    room, _, constant = name.rpartition(".")
    path = Path(inspect.getfile(importlib.import_module(room)))
    for file in sorted(path.parent.glob("*.py")) if path.stem == "__init__" else [path]:
        found = re.search(rf"^{constant} = .*?  # (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        if found is not None:
            return found[1]
    return ""


class OwnMembers:
    """For the template of classes: which members are this package's, not torch's or scikit-learn's."""

    def __call__(self, module: str, name: str) -> dict[str, list[str]]:
        cls = getattr(importlib.import_module(module), name)
        own: dict[str, list[str]] = {"methods": [], "properties": []}
        for base in own_bases(cls):
            for member, value in vars(base).items():
                kind = kind_of(member, value)
                if kind is not None and member not in own[kind] and is_documented(cls, member):
                    own[kind].append(member)
        return own


def own_bases(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base.__module__.startswith(PACKAGE)]


def kind_of(member: str, value: object) -> str | None:
    if member.startswith("_") or (member.startswith("set_") and member.endswith("_request")):
        return None
    if isinstance(value, property):
        return "properties"
    is_method = inspect.isfunction(unwrap_all(value)) or isinstance(value, classmethod)
    return "methods" if is_method or isstaticmethod(value) else None


def is_documented(cls: type, member: str) -> bool:
    """Return whether a class of this package says what a member does; those of torch say what torch needs."""
    return any(getattr(vars(base).get(member), "__doc__", None) for base in own_bases(cls))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", from_pyg, priority=400)  # before numpydoc
    app.connect("autodoc-process-docstring", from_comment)
    app.config.autosummary_context = {"own_members": OwnMembers()}
    return {"parallel_read_safe": True, "parallel_write_safe": True}
