"""What a browser makes of a page: its elements and its text."""

from html.parser import HTMLParser

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
        if not self.elements or self.elements[-1][0] != "style":
            self.parts.append(data)
