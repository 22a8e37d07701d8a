"""Mathematics as MathML, which browsers draw by themselves: no script, no other server, no waiting."""

from __future__ import annotations

import html

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)


def convert(node: nodes.math | nodes.math_block, *, block: bool) -> str:
    """Return the formula of a node as a `math` element; warn of what docutils cannot convert."""
    try:
        return latex2mathml.tex2mathml(prepared(node.astext().strip()), as_block=block)
    except (MathError, SyntaxError, IndexError, AttributeError) as error:  # whatever docutils trips over
        logger.warning("cannot convert the formula %r: %s", node.astext(), error, location=node)
        return f"<code>{html.escape(node.astext())}</code>"


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
