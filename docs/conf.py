"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from gene_gcn import __version__

sys.path.insert(0, str(Path(__file__).parent))
from extensions.links import names_of_types

project = "gene_gcn"
author = "The gene_gcn developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "extensions.commands",
    "extensions.docstrings",
    "extensions.links",
    "extensions.mathml",
]
exclude_patterns = ["_build", "extensions", "**.ipynb_checkpoints"]
templates_path = ["_templates"]
nitpicky = True  # each reference must lead somewhere; extensions/links.py says where

html_theme = "sphinx_book_theme"
html_title = "gene_gcn"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_theme_options = {
    "logo": {"image_light": "_static/logo.svg", "image_dark": "_static/logo.svg", "text": "gene_gcn"},
    "navbar_persistent": [],  # the sidebar has a search already
    "show_toc_level": 2,
    "use_download_button": False,
}
html_math_renderer = "mathml"

# ---- pages ----

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Tutorials are run when the site is built; a cell that fails stops the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# ---- reference ----

default_role = "py:obj"
autodoc_typehints = "none"  # the docstrings have types that can be read
autosummary_generate = True
numpydoc_show_class_members = False  # the template lists them
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = names_of_types()
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
smartquotes = False  # values such as "auto" are to be copied
