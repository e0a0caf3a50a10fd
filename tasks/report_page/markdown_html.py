"""The pages that stages leave as Markdown -> HTML; of Markdown only what they use, so that data has no way in."""

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ..data.escape import terminal
from .html_elements import Html

RULES = ["heading", "list", "table", "fence", "emphasis", "backticks", "escape", "entity"]
"""No raw HTML, no link and no picture: these are shown as the characters that they are."""
LOWEST = 6
"""HTML's last level of headings."""


def from_markdown(text: str) -> Html:
    """A stage's page without its title; its headings stand below those of the report's sections."""
    reader = MarkdownIt("zero", {"maxNesting": 20}).enable(RULES)
    tokens = _without_title(reader.parse(terminal(text)))
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{min(int(token.tag[1]) + 2, LOWEST)}"
    body = str(reader.renderer.render(tokens, reader.options, {}))
    return Html(body.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>"))


def _without_title(tokens: list[Token]) -> list[Token]:
    return tokens[3:] if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1" else tokens
