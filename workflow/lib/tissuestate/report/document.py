"""A document that is kept as Markdown and read as a page."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from tissuestate.report.render import render


def render_document(template: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The Markdown of a template with its facts filled in, and the page that shows it.

    `facts` has what every page says, and `title`, the name of the page.
    """
    text = render(template, facts)
    shown = render(template, {**facts, "simulated": False})  # the page has its own banner
    page = render("document.html.j2", {**facts, "content": _to_html(shown)})
    return text, page


def _to_html(text: str) -> Markup:
    """The elements of a Markdown text, whose markup is text and whose pictures are left out."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    parser.add_render_rule("th_open", _render_heading)
    # Counts such as "37 of 37" stay on one line of a narrow column.
    return Markup(re.sub(r"(?<=\d) of (?=\d)", "&nbsp;of&nbsp;", parser.render(text)))


def _render_heading(
    renderer: RendererHTML, tokens: Sequence[Token], number: int, options: OptionsDict, _: EnvType
) -> str:
    """The heading of a column, named as one."""
    tokens[number].attrSet("scope", "col")
    return renderer.renderToken(tokens, number, options, {})
