"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

from gene_gcn import __version__

project = "gene_gcn"
author = "The gene_gcn developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "sphinx_book_theme"
html_title = "gene_gcn"
html_static_path = ["_static"]

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Tutorials are run when the site is built; a cell that fails stops the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
