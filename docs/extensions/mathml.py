"""Mathematics as MathML, which browsers draw by themselves: no script, no other server, no waiting."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator


def convert(node: nodes.math | nodes.math_block, *, block: bool) -> str:
    """Return the formula of a node as a `math` element."""
    try:
        return latex2mathml.tex2mathml(prepared(node.astext()), as_block=block)
    except Exception as error:  # docutils raises its own class or, for some mistakes, others
        raise ExtensionError(f"{node.source}:{node.line}: cannot convert {node.astext()!r}: {error}") from error


def prepared(formula: str) -> str:
    """Write a formula so that docutils reads it: several lines with & are aligned, as Sphinx means them."""
    return rf"\begin{{aligned}}{formula}\end{{aligned}}" if is_bare_alignment(formula) else formula


def is_bare_alignment(formula: str) -> bool:
    return "\\\\" in formula and "\\begin" not in formula


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(convert(node, block=False))
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math-block">{convert(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
