"""Steps that change texts: a column of texts (null where missing) in, the changed column out.

Built-in patterns are RE2's, run by Arrow: their time grows linearly with a text whatever it holds.
"""

import re
from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from configs import cleaning as steps

from ..optional import package

SPACE = r"[\s\pZ\x0b\x1c-\x1f\x85]"
"""White space as Python's str.isspace has it; RE2's \\s alone is ASCII."""
LINE_ENDS = r"\r\n?|[\x0b\x0c\x85]"
INVISIBLE = r"[\x00-\x08\x0e-\x1f\x7f-\x9f\x{ad}\x{200b}\x{feff}]"
"""Control characters, soft hyphen, zero-width space, byte-order mark. Joiners, variation selectors and direction marks
are not among them: emoji, Persian and Indic scripts are written with the first two, and mixed directions with the last.
"""
ALPHABET = r"\p{Latin}\p{Greek}\p{Cyrillic}0-9"
"""Letters that go on with a web address; others, such as Chinese ones, follow it without a space."""
WITHIN = ALPHABET + r"%_~#/&=+$@\-"
ENDING = r"?.,:;!'*"
"""Inside a web address, but not its last character."""
URL = (
    rf"(?i)\b(?:https?://|ftp://|www\.)(?:[{WITHIN}{ENDING}]|\([{WITHIN}{ENDING}]*\))*"
    rf"(?:[{WITHIN}]|\([{WITHIN}{ENDING}]*\))"
)
NAME = r"[@＠][\pL\pM\pN_]+"
MENTION = rf"(^|[^{ALPHABET}\pM_/@＠]){NAME}(?:{NAME})*"
"""What stands before distinguishes a name from a mail address and from a path."""


def substitute(column: pd.Series, pattern: str, by: str) -> pd.Series:
    r"""Replace what an RE2 pattern finds; \\1 in `by` is the first group."""
    done = pc.replace_substring_regex(pa.array(column, from_pandas=True), pattern, by)
    return pd.Series(pd.array(done, dtype="str"), index=column.index, name=column.name)


def literally(by: str) -> str:
    """A replacement that stands for itself."""
    return by.replace("\\", r"\\")


def change_where(column: pd.Series, mask: pd.Series, change: Callable[[str], str]) -> pd.Series:
    """Call a function on the texts where the mask holds: for what no column operation can do."""
    changed = pd.Series(list(map(change, column[mask])), index=column.index[mask], dtype="str")
    return column.mask(mask, changed.reindex(column.index)) if len(changed) else column


def normalise(column: pd.Series, step: steps.Unicode) -> pd.Series:
    """Unicode normalisation form."""
    return column.str.normalize(step.form)


def fix(column: pd.Series, step: steps.Ftfy) -> pd.Series:
    """Undo a decoding with the wrong encoding; what else ftfy can do are steps of their own."""
    ftfy = package("ftfy", step.kind)
    plain = dict.fromkeys(
        (
            "unescape_html",
            "remove_terminal_escapes",
            "fix_latin_ligatures",
            "fix_character_width",
            "uncurl_quotes",
            "fix_line_breaks",
            "remove_control_chars",
        ),
        False,
    )
    config = ftfy.TextFixerConfig(**plain, normalization=None, explain=False)
    foreign = column.notna() & ~column.fillna("").str.isascii()
    return change_where(column, foreign, lambda text: str(ftfy.fix_text(text, config)))


def drop_control(column: pd.Series, step: steps.Control) -> pd.Series:
    """Remove what is not seen and means nothing; line ends of every kind become line feeds first."""
    return substitute(substitute(column, LINE_ENDS, "\n"), INVISIBLE, "")


def replace_urls(column: pd.Series, step: steps.Urls) -> pd.Series:
    """Replace web addresses; punctuation at their end stays."""
    return substitute(column, URL, literally(step.by))


def replace_mentions(column: pd.Series, step: steps.Mentions) -> pd.Series:
    """Replace @names."""
    return substitute(column, MENTION, r"\1" + literally(step.by))


def replace(column: pd.Series, step: steps.Replace) -> pd.Series:
    """Replace what the recipe's pattern finds; by Python's engine, whose syntax the recipe is promised."""
    pattern = re.compile(step.pattern)
    return change_where(column, column.notna(), lambda text: pattern.sub(step.by, text))


def cut_whitespace(column: pd.Series, step: steps.Whitespace) -> pd.Series:
    """White space at both ends, and runs of it inside where asked."""
    if step.how == "squeeze":
        column = substitute(column, SPACE + "+", " ")
    return column.str.strip()


def lower(column: pd.Series, step: steps.Lowercase) -> pd.Series:
    """Lower case."""
    return column.str.lower()
