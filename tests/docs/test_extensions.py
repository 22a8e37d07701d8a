"""A page with a formula, names, mentions and commands, as the extensions of the documentation render it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from typer.main import get_command

from gene_gcn.cli import app as program

pytest.importorskip("numpydoc")

ROOT = Path(__file__).resolve().parents[2]
PAGE = r"""
A page
======

A formula, :math:`\frac{a}{b}`. Sources are doi:10.1038/ncomms14049 and arXiv:1609.02907; see docs/other.md.
``networks.string`` and `GeneNetwork` are in the reference, ``cells.h5ad`` is a file; ``plots``
alone may be a column.

.. math:: x_1 &= 1 \\ x_2 &= 2

.. autofunction:: gene_gcn.networks.string
.. autodata:: gene_gcn.cells.UNASSIGNED
.. autoclass:: gene_gcn.GeneNetwork
.. autoclass:: gene_gcn.nn.InteractionConv

.. commands::
"""
SETTINGS = {
    "default_role": "py:obj",
    "autodoc_typehints": "none",
    "html_math_renderer": "mathml",
    "numpydoc_show_class_members": False,
    "smartquotes": False,
    "exclude_patterns": ["_build"],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    from sphinx.application import Sphinx

    folder = tmp_path_factory.mktemp("site")
    (folder / "index.rst").write_text(f"{PAGE}\n.. toctree::\n\n   other\n", encoding="utf-8")
    (folder / "other.rst").write_text("Another page\n============\n", encoding="utf-8")
    names = ("commands", "docstrings", "links", "mathml")
    extensions = [
        "numpydoc",
        "sphinx.ext.autodoc",
        "sphinx.ext.autosummary",
        *(f"extensions.{n}" for n in names),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        site = Sphinx(
            folder,
            None,
            folder / "_build",
            folder / "_build/.doctrees",
            "html",
            confoverrides=SETTINGS | {"extensions": extensions},
            status=None,
            warning=None,  # names that are on no page here
        )
        site.build()
    return (folder / "_build/index.html").read_text(encoding="utf-8")


def test_formulas_are_mathml(page):
    assert "<mfrac>" in page and "<mtable" in page
    assert "mathjax" not in page.lower()


@pytest.mark.parametrize(
    "address",
    [
        "https://doi.org/10.1038/ncomms14049",
        "https://arxiv.org/abs/1609.02907",
        "other.html",
        "#gene_gcn.networks.string",
        "#gene_gcn.GeneNetwork",
    ],
)
def test_mentions_are_links(page, address):
    assert f'href="{address}"' in re.sub(r'<a class="headerlink" [^>]*>', "", page)


@pytest.mark.parametrize("code", [r"cells\.h5ad", "plots</span></code>"])
def test_code_that_is_no_name_is_no_link(page, code):
    (around,) = re.findall(f"(.{{80}}){code}", page, flags=re.DOTALL)
    assert "href" not in around.rpartition("</a>")[2]


def test_constants_are_described_by_their_comment(page):
    assert "<p>The type of cells without any expression" in page
    assert "str(object=" not in page


def test_sections_of_layers_are_parameters(page):
    assert "Args:" not in page and "in_channels" in page


def test_every_command_has_its_options(page):
    text = unescape(re.sub(r"<[^>]+>", "", page))
    for path, command in leaves(get_command(program), "gene-gcn"):
        assert f'id="{path.replace(" ", "-")}"' in page
        for parameter in command.params:
            name = parameter.metavar or max(parameter.opts, key=len)
            assert name.lower() in text.lower()


def leaves(command, path):
    """Return the commands without subcommands, by their full names."""
    if not hasattr(command, "commands"):
        return [(path, command)]
    return [leaf for name, inner in command.commands.items() for leaf in leaves(inner, f"{path} {name}")]
