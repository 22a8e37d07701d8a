"""Where references lead: names of other libraries, pages that docstrings mention, DOIs.

Offline as online: addresses of other libraries are made from their names, not read from their inventories.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from numpydoc.xref import DEFAULT_LINKS
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.nodes import make_refnode

PACKAGE = "gene_gcn"

# How docstrings call types of other libraries, their full name and where their documentation is.
SKLEARN = "https://scikit-learn.org/stable/modules/generated/{}.html"
PANDAS = "https://pandas.pydata.org/docs/reference/api/{}.html"
NUMPY = "https://numpy.org/doc/stable/reference/generated/{}.html"
SCIPY = "https://docs.scipy.org/doc/scipy/reference/generated/{}.html"
PYTHON = "https://docs.python.org/3/library/"
OTHERS = {
    "AnnData": "https://anndata.readthedocs.io/en/stable/generated/anndata.AnnData.html",
    "Axes": "https://matplotlib.org/stable/api/_as_gen/matplotlib.axes.Axes.html",
    "Figure": "https://matplotlib.org/stable/api/_as_gen/matplotlib.figure.Figure.html",
    "DataFrame": PANDAS.format("pandas.DataFrame"),
    "Series": PANDAS.format("pandas.Series"),
    "ndarray": NUMPY.format("numpy.ndarray"),
    "Generator": "https://numpy.org/doc/stable/reference/random/generator.html",
    "RandomState": "https://numpy.org/doc/stable/reference/random/legacy.html",
    "csr_matrix": SCIPY.format("scipy.sparse.csr_matrix"),
    "csr_array": SCIPY.format("scipy.sparse.csr_array"),
    "Graph": "https://networkx.org/documentation/stable/reference/classes/graph.html",
    "Path": PYTHON + "pathlib.html#pathlib.Path",
    "Tensor": "https://docs.pytorch.org/docs/stable/tensors.html",
}

ROOMS = (
    "cells",
    "errors",
    "explain",
    "networks",
    "nn",
    "ontology",
    "orthologs",
    "plots",
    "report",
    "uncertainty",
)
NAME = re.compile(r"(?P<name>[A-Za-z_]\w*(\.\w+)*)(\(\))?")
MENTION = re.compile(
    r"""docs/(?P<page>[\w/]+)\.md
    | doi:(?P<doi>10\.\d{4,}/[^\s,;)\]]*[^\s,;.)\]])
    | arXiv:(?P<arxiv>\d{4}\.\d{4,5})""",
    re.VERBOSE,
)


def resolve(app: Sphinx, env: Any, node: pending_xref, contnode: nodes.Element) -> nodes.Node | None:
    """Resolve what Sphinx could not: other libraries, short names; other words in backticks are code."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    is_own = target.startswith(f"{PACKAGE}.")
    address = OTHERS.get(target.rpartition(".")[2])
    if address is not None and not is_own:
        return nodes.reference("", "", contnode, refuri=address, internal=False)
    is_word = node["reftype"] == "obj"
    if not is_word or is_own or any(part[:1].isupper() for part in target.split(".")):
        objects = {
            name: entry for name, entry in env.domains.python_domain.objects.items() if not entry.aliased
        }
        name = documented_as(target, objects)
        if name is not None:
            entry = objects[name]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)
    return contnode if is_word and (not is_own or exists(target)) else None


def documented_as(target: str, names: Iterable[str]) -> str | None:
    """Return the one documented name that ends like a target, from its class on; None if there is none."""
    parts = target.split(".")
    first = next((i for i, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    end = "." + ".".join(parts[first:])
    found = [name for name in names if name.endswith(end)]
    return found[0] if len(found) == 1 else None


def exists(name: str) -> bool:
    """Return whether a dotted name of this package leads to something."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


class Mentions(SphinxTransform):
    """Make links of pages of the documentation, DOIs and arXiv numbers in running text."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if MENTION.search(text) and not is_fixed(text):
                text.parent.replace(text, list(self.linked(text)))

    def linked(self, text: nodes.Text) -> list[nodes.Node]:
        parts: list[nodes.Node] = []
        end = 0
        for match in MENTION.finditer(text):
            parts += [nodes.Text(text[end : match.start()]), self.link(match)]
            end = match.end()
        return [*parts, nodes.Text(text[end:])]

    def link(self, match: re.Match[str]) -> nodes.Node:
        if match["page"] is None:
            address = (
                f"https://doi.org/{match['doi']}"
                if match["doi"]
                else f"https://arxiv.org/abs/{match['arxiv']}"
            )
            return nodes.reference("", match[0], refuri=address, internal=False)
        return pending_xref(
            "",
            nodes.inline("", ""),
            refdoc=self.env.docname,
            refdomain="std",
            reftype="doc",
            reftarget=f"/{match['page']}",
            refexplicit=False,
            refwarn=True,
        )


class Names(SphinxTransform):
    """Make links of names of this package that stand as code in running text, such as `networks.string`."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        for literal in list(self.document.findall(nodes.literal)):
            target = public_name(literal.astext())
            if target is None or is_fixed(literal) or isinstance(literal.parent, nodes.title):
                continue
            link = pending_xref(
                "", refdoc=self.env.docname, refdomain="py", reftype="obj", reftarget=target, refwarn=False
            )
            literal.parent.replace(literal, link)
            link += literal


class Titles(SphinxTransform):
    """Show links such as [model.md](model.md), which read well in a file, by the title of the page."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        for link in self.document.findall(pending_xref):
            if link.get("reftype") == "myst" and re.fullmatch(r"[\w./]+\.md", link.astext()):
                link["refexplicit"] = False


def public_name(text: str) -> str | None:
    """Return the full name of what a piece of code names, if it may be a name of this package."""
    name = NAME.fullmatch(text)
    if name is None:
        return None
    first, dot, _ = name["name"].partition(".")
    # `cells` alone may be a column of a table; cells.h5ad, a file, does not exist in the package.
    if dot and first in ROOMS and exists(f"{PACKAGE}.{name['name']}"):
        return f"{PACKAGE}.{name['name']}"
    return name["name"] if first == PACKAGE or first[:1].isupper() else None


def is_fixed(node: nodes.Node) -> bool:
    """Return whether a node is inside code or a link already."""
    node = node.parent
    while node is not None:
        if isinstance(node, nodes.literal | nodes.literal_block | nodes.reference | pending_xref | nodes.raw):
            return True
        node = node.parent
    return False


def names_of_types() -> dict[str, str]:
    """Return what numpydoc makes of the words of types: names become links, others stay words."""
    words = {word: word for word in DEFAULT_LINKS}  # numpydoc would link int, sequence…
    return words | {name: f":obj:`{name}`" for name in OTHERS} | dict(own_names())


def own_names() -> list[tuple[str, str]]:
    names = []
    for module in map(importlib.import_module, [PACKAGE, *(f"{PACKAGE}.{room}" for room in ROOMS)]):
        for name in module.__all__:
            if isinstance(getattr(module, name), type):
                full = f"{module.__name__}.{name}"
                names += [(name, f":obj:`~{full}`"), (full, f":obj:`~{full}`")]
    return names


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("missing-reference", resolve)
    app.add_transform(Mentions)
    app.add_transform(Names)
    app.add_transform(Titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
