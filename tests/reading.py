"""What a reader's program makes of a document: elements and text of a page, rows of a table."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from tissuestate.report.render import render

MARKUP = '<b>&"x"'  # as a name: what a page must show and never obey


class Page(HTMLParser):
    """The elements of a page with the names of their attributes, and its text.

    `elements` is equal for two pages that differ in words alone; in `text` every white space is
    one space, and styles are left out.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.parts: list[str] = []
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        if not self.elements or self.elements[-1][0] not in ("style", "script"):
            self.parts.append(data)


def table_rows(markdown: str) -> list[list[str]]:
    """Rows of cells of all tables in a Markdown text, without the lines below headings."""
    rows = []
    for line in markdown.splitlines():
        if line.startswith("|") and not line.startswith("| ---"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            rows.append([cell.strip().replace("\\|", "|") for cell in cells])
    return rows


def render_page(template: str, facts: Mapping[str, Any]) -> str:
    """A page whose samples are real and whose classes have no other names."""
    return render(template, {"simulated": False, "names": {}, **facts})
