"""Sphinx configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

project = "COSMO"
author = "The COSMO developers"
copyright = "The COSMO developers"  # noqa: A001 - Sphinx calls it so
extensions = [
    "docs._ext",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "reference/methods"]
default_role = "literal"

linkcheck_ignore = [r"http://127\.0\.0\.1:8080.*"]  # of the demonstration; tests open them

html_theme = "furo"
html_title = "COSMO"
html_static_path = ["_static"]
html_css_files = ["cosmo.css"]
html_show_sphinx = False
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
myst_heading_anchors = 3
# Headings of CONTRIBUTING.md start below the title of its page.
suppress_warnings = ["myst.header"]

# Nothing is fetched while pages are made, so types of other packages have no page to link to;
# nor have parts of the simulator that nobody needs from outside, nor pieces of long annotations.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(annotated_types|astropy|collections|datetime|enum|httpx|np|numpy|pandas|pathlib|pydantic"
        r"|types)\..*",
    ),
    ("py:class", r"simulator\.(files|forward|orbit)\..*"),
    ("py:class", r"shared\.recipes\..*"),
    ("py:class", r"DataFrame|Path|QTable"),
    ("py:class", r"(dict|tuple)\[.*"),
]
