"""The reference lists every public name, and what it lists says what goes in and what comes out."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

validate = pytest.importorskip(
    "numpydoc.validate", reason="numpydoc is not installed: pip install -e '.[test]'"
)

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
ROOMS = (
    "gene_gcn",
    "gene_gcn.cells",
    "gene_gcn.errors",
    "gene_gcn.explain",
    "gene_gcn.networks",
    "gene_gcn.nn",
    "gene_gcn.ontology",
    "gene_gcn.orthologs",
    "gene_gcn.plots",
    "gene_gcn.report",
    "gene_gcn.uncertainty",
)
ELSEWHERE = {"gene_gcn.networks.GeneNetwork": "gene_gcn.GeneNetwork"}  # public twice, documented once

# Of numpydoc's checks, those without which a reader does not know how to call something.
CHECKS = {
    "GL08": "it has no docstring",
    "PR01": "parameters are not documented",
    "PR02": "parameters are documented that it does not have",
    "PR03": "parameters are in another order than in the signature",
    "RT01": "what it returns is not said",
    "YD01": "what it yields is not said",
    "SS03": "the summary is not a sentence",
}


def public_names() -> Iterator[str]:
    for room in map(importlib.import_module, ROOMS):
        for name in room.__all__:
            if not inspect.ismodule(getattr(room, name)):
                yield ELSEWHERE.get(f"{room.__name__}.{name}", f"{room.__name__}.{name}")


def listed_names(page: Path) -> list[str]:
    """Return the names in the autosummary tables of a page."""
    tables = re.findall(
        r"\.\. autosummary::\n(?:   :.*\n)*\n((?:   [\w.]+\n)+)", page.read_text(encoding="utf-8")
    )
    return [f"gene_gcn.{name}" for table in tables for name in table.split()]


def documented() -> Iterator[str]:
    """Return names of callables that users call, with the methods and properties of classes."""
    for page in sorted(REFERENCE.glob("*.md")):
        if page.stem not in ("developers", "layer"):
            for name in listed_names(page):
                yield name
                yield from own_methods(name)


def own_methods(name: str) -> Iterator[str]:
    found = resolve(name)
    if inspect.isclass(found) and not issubclass(found, BaseException):
        for member in dir(found):
            value = inspect.getattr_static(found, member)
            function = getattr(value, "__func__", getattr(value, "fget", value))
            is_own = str(getattr(function, "__module__", None)).startswith("gene_gcn")
            if not member.startswith("_") and inspect.isfunction(function) and is_own:
                yield f"{name}.{member}"


def layers() -> list[str]:
    return listed_names(REFERENCE / "layer.md")


def callable_or_property(name: str) -> bool:
    return name != "gene_gcn.cells.UNASSIGNED"


def resolve(name: str) -> Any:
    parent, _, last = name.rpartition(".")
    room = parent if parent in ROOMS else parent.rpartition(".")[0]
    owner = importlib.import_module(room)
    return getattr(owner if room == parent else getattr(owner, parent.rpartition(".")[2]), last)


def is_record(found: object) -> bool:
    return is_dataclass(found) or hasattr(found, "_fields")


def test_every_public_name_is_in_the_reference_once():
    listed = Counter(name for page in REFERENCE.glob("*.md") for name in listed_names(page))
    assert set(listed) == set(public_names())
    assert [name for name, times in listed.items() if times > 1] == []


def test_every_page_is_in_the_table_of_contents():
    contents = (REFERENCE / "index.md").read_text(encoding="utf-8")
    pages = {page.stem for page in REFERENCE.glob("*.md")} - {"index"}
    assert pages == {line for line in contents.split() if line in pages}


@pytest.mark.parametrize("name", sorted(documented()))
def test_docstrings_say_what_goes_in_and_what_comes_out(name):
    if not callable_or_property(name):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpydoc's, of sections that it does not know
        checked = validate.validate(name)
    found = {code: text for code, text in checked["errors"] if code in CHECKS}
    if inspect.getdoc(resolve(name)):
        found.pop("GL08", None)  # inherited, as Sphinx does
    if checked["docstring"].strip().startswith("Return "):
        found.pop("RT01", None)  # the summary says it
    if is_record(resolve(name)) and "Attributes\n----" in inspect.getdoc(resolve(name)):
        found.pop("PR01", None)  # its fields are its parameters
    assert found == {}, found


@pytest.mark.parametrize("name", layers())
def test_docstrings_of_layers_name_their_arguments(name):
    """In PyG's form: `Args:` and `Shapes:` of the class and of `forward`."""
    layer = resolve(name)
    docstring = inspect.getdoc(layer)
    assert missing_arguments(layer, docstring) == []
    if hasattr(layer, "forward"):
        assert missing_arguments(layer.forward, f"{docstring}\n{inspect.getdoc(layer.forward)}") == []


def missing_arguments(function: Any, docstring: str) -> list[str]:
    """Return the parameters that no line begins with, as in `Args:` and `Shapes:`."""
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    lines = [line.strip(" -*") for line in docstring.splitlines()]
    return [name for name in names if not any(re.match(rf"{name}\b", line) for line in lines)]
