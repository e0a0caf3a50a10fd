"""HTML by elements: whatever is no Html yet is data, and is escaped on its way in."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..data.escape import hypertext

VOID = ("meta", "img", "rect", "line", "circle", "polyline")
"""Elements without content, of HTML and of SVG."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | int | float
"""What an element holds: Html as it is, a number, or a text that is escaped."""


def escaped(content: Content) -> Html:
    """HTML that shows a text or a number as it is; whole numbers with separators of thousands."""
    if isinstance(content, Html):
        return content
    return Html(hypertext(f"{content:,}" if isinstance(content, int) else str(content)))


def element(tag: str, *contents: Content, **attributes: Content) -> Html:
    """One element; `class_` and `stroke_width` stand for the attributes class and stroke-width."""
    words = {name.removesuffix("_").replace("_", "-"): value for name, value in attributes.items()}
    start = "".join(f' {name}="{hypertext(str(value))}"' for name, value in words.items())
    if tag in VOID:
        return Html(f"<{tag}{start}>" if tag in ("meta", "img") else f"<{tag}{start}/>")
    return Html(f"<{tag}{start}>{join(contents)}</{tag}>")


def join(contents: Iterable[Content]) -> Html:
    """Contents behind one another."""
    return Html("".join(map(escaped, contents)))


def table(header: Sequence[Content], rows: Iterable[Sequence[Content]], caption: str = "") -> Html:
    """A table that scrolls by itself where it is wider than the page; numbers stand to the right."""
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in header)))
    lines = [element("tr", *map(_cell, row)) for row in rows]
    named = element("caption", caption) if caption else Html()
    return element("div", element("table", named, head, element("tbody", *lines)), class_="scroll")


def _cell(content: Content) -> Html:
    number = isinstance(content, int | float)
    return element("td", content, class_="number") if number else element("td", content)


def section(name: str, title: str, *contents: Content) -> Html:
    """A part of the page that its contents can be reached by."""
    return element("section", element("h2", title), *contents, id=name)


def picture(path: Path) -> Html:
    """A PNG inside the page, under its name."""
    name = path.stem.replace("_", " ")
    source = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return element("figure", element("img", src=source, alt=name), element("figcaption", name))
