"""A page of HTML as a browser takes it: its elements, its attributes and the text that it shows; none of them acts."""

import re
from html.parser import HTMLParser

from tasks.data.escape import HIDDEN

KNOWN = {"html", "head", "body", "header", "main", "nav", "section", "meta", "title", "style", "p", "ul", "ol", "li",
         "table", "caption", "thead", "tbody", "tr", "th", "td", "div", "span", "a", "b", "strong", "em", "code", "pre",
         "small", "figure", "figcaption", "img", "svg", "line", "circle", "polyline", "text", "details", "summary",
         "time",
         *(f"h{level}" for level in range(1, 7))}  # fmt: skip


class Reader(HTMLParser):
    """Elements and attributes of a page, and the text that it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.shown += data


def read(page: str) -> Reader:
    """The page, in which nothing acts: known elements alone, links into itself or to MLflow, pictures inside it."""
    reader = Reader()
    reader.feed(page)
    assert reader.tags <= KNOWN, reader.tags - KNOWN
    for name, value in reader.attributes:
        assert not name.startswith("on") and name not in ("srcset", "action", "formaction", "data"), (name, value)
        assert name != "src" or value.startswith("data:image/png;base64,"), value[:80]
        assert name != "href" or value.startswith(("#", "http://127.0.0.1")), value[:80]
        assert name != "style" or value.startswith("text-align:"), value
    assert not HIDDEN.search(re.sub("[\n\t]", "", page)) and "url(" not in page and "@import" not in page
    return reader
