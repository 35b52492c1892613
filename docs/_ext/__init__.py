"""Sphinx extension that makes the reference pages from the code.

``.. generated:: settings`` stands where a part of the reference belongs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from docutils.nodes import Element, Node
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from docs._ext.archive import archive_description, archive_tokens, fault_rules
from docs._ext.command_line import command_line
from docs._ext.docstrings import prepare
from docs._ext.http_api import http_api
from docs._ext.metrics import metrics
from docs._ext.monitors import write_monitors
from docs._ext.recipe import recipe
from docs._ext.settings import settings
from docs._ext.tables import tables

__all__ = ["GENERATED", "setup"]

GENERATED: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "archive-description": archive_description,
    "archive-tokens": archive_tokens,
    "command-line": command_line,
    "fault-rules": fault_rules,
    "http-api": http_api,
    "metrics": metrics,
    "recipe": recipe,
    "settings": settings,
    "tables": tables,
}
"""Makers of reStructuredText, line by line."""


class _Generated(SphinxDirective):
    """Put a part of the reference here."""

    required_arguments = 1

    def run(self) -> list[Node]:
        make = GENERATED.get(self.arguments[0])
        if make is None:
            raise self.error(f"nothing is generated as {self.arguments[0]}: {list(GENERATED)} are")
        self.env.note_reread()
        text = "\n".join(make())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _write_pages(app: Sphinx) -> None:
    reference = Path(app.srcdir) / "reference"
    write_monitors(reference / "monitors", reference / "methods")


def _resolve_short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element
) -> Element | None:
    """Find a Python object by its last name, as docstrings have it, where one alone has it."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    names = [name for name in domain.objects if name.rsplit(".", 1)[-1] == node["reftarget"]]
    if len(names) != 1:
        return None
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], names[0], node, text
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, and write the pages of the monitors before any page is read."""
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("generated", _Generated)
    app.connect("builder-inited", _write_pages)
    app.connect("missing-reference", _resolve_short_name)
    app.connect("autodoc-process-docstring", prepare, priority=400)  # before napoleon's
    return {"parallel_read_safe": True}
