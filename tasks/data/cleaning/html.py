"""Step html: a column of texts with tags and entities in, plain texts out.

Only names that HTML has make a tag, and only what is written like attributes may follow: `a < b`, `<3`, `<#>`,
`<name@example.org>` and `x<b and c>y` stay. Tags go before entities are resolved, and these are resolved once, so that
what a text escapes is what it shows: `&lt;b&gt;` becomes `<b>`, `&amp;lt;` becomes `&lt;`. The step is therefore the
one that may change a text again when it is taken twice.
"""

import html
import re
from html.entities import html5

import pandas as pd

from configs import cleaning as steps

from .normalization import change_where, substitute

BREAKING = (
    "address|article|aside|blockquote|body|br|caption|center|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure"
    "|footer|form|frameset|h[1-6]|head|header|hr|html|legend|li|main|menu|nav|noscript|ol|optgroup|option|p|pre|search"
    "|section|select|summary|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
INLINE = (
    "a|abbr|acronym|applet|area|audio|b|base|basefont|bdi|bdo|big|button|canvas|cite|code|col|colgroup|data|datalist"
    "|del|dfn|em|embed|font|frame|i|iframe|img|input|ins|kbd|label|link|map|mark|meta|meter|noframes|object|output"
    "|param|picture|progress|q|rp|rt|ruby|s|samp|script|slot|small|source|span|strike|strong|style|sub|sup|svg|template"
    "|textarea|time|track|tt|u|var|video|wbr"
)
SWITCH = (
    "allowfullscreen|async|autofocus|autoplay|checked|compact|controls|default|defer|disabled|hidden|ismap|loop|multiple"
    "|muted|noshade|novalidate|nowrap|open|readonly|required|reversed|selected"
)
"""Attributes without a value."""
ATTRIBUTE = rf"""[^\s<>"'/=]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+)|(?:{SWITCH})"""
TAG = rf"(?i)</?(?:%s)(?:\s+(?:{ATTRIBUTE}))*\s*/?>"
CODE = "|".join(rf"<{name}(?:\s[^<>]*)?>.*?</{name}\s*>" for name in ("script", "style"))
UNSEEN = rf"(?is)<!--.*?-->|<!doctype\s[^<>]*>|<\?xml\s[^<>]*>|{CODE}"
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def strip_html(column: pd.Series, step: steps.Html) -> pd.Series:
    """Remove tags, comments, scripts and styles; resolve entities that end in a semicolon."""
    tagged = column.str.contains("<", regex=False, na=False)
    if tagged.any():
        column = substitute(column, UNSEEN, "")
        column = substitute(column, TAG % BREAKING, "\n")
        column = substitute(column, TAG % INLINE, "")
    return change_where(column, column.str.contains("&", regex=False, na=False), _resolve)


def _resolve(text: str) -> str:
    return ENTITY.sub(lambda match: _character(match.group()), text)


def _character(entity: str) -> str:
    known = entity.startswith("&#") or entity[1:] in html5  # html.unescape would take the `not` out of &nothing;
    return html.unescape(entity) if known else entity
