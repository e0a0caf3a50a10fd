"""Steps about words: stop words, length, language."""

import re
import unicodedata
from functools import cache, lru_cache

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from configs import cleaning as steps
from configs.text_steps import UNSPACED

from ..drops import Drops, reason_where
from ..errors import DataError
from ..optional import package
from ..pairs import sides
from .languages import NO_LANGUAGE, tell_languages
from .normalization import SPACE, change_where

PIECES = 2**17
"""Different words, and what stands between them, that are remembered at once."""


@cache
def _word() -> re.Pattern[str]:
    r"""A word and the spaces behind it. Python's \w lacks the marks with which Indic scripts write their vowels.

    Marks beyond the basic plane, of scripts out of use, are left out: they make the pattern many times slower.
    """
    marks = "".join(c for c in map(chr, range(2**16)) if unicodedata.category(c)[0] == "M")
    part = rf"[\w{marks}\u200c\u200d]+"
    return re.compile(rf"({part}(?:['’]{part})*[^\S\n]*)")


def drop_stop_words(column: pd.Series, step: steps.StopWords) -> pd.Series:
    """Remove whole words. Raises DataError where there is no list for the language."""
    listed = {word.casefold().replace("’", "'") for word in (*step.words, *_stop_list(step))}
    word = _word()

    @lru_cache(PIECES)
    def keep(piece: str) -> str:
        return "" if piece.rstrip().casefold().replace("’", "'") in listed else piece

    return change_where(column, column.notna(), lambda text: "".join(map(keep, word.split(text))))


def _stop_list(step: steps.StopWords) -> set[str]:
    if step.language is None:
        return set()
    lists = package("stopwordsiso", step.kind)
    if not lists.has_lang(step.language):
        known = ", ".join(sorted(lists.langs() - set(UNSPACED)))
        raise DataError(f"no stop words are known for {step.language!r}; there are lists for {known}")
    words: set[str] = lists.stopwords(step.language)
    return words


def length(rows: pd.DataFrame, step: steps.Length) -> Drops:
    """Texts outside the bounds, and pairs of which a text is; missing ones are not judged."""
    short, long = (pd.Series(False, index=rows.index) for _ in range(2))
    for text in (rows[side] for side in sides(rows)):
        counts = text.str.len() if step.unit == "chars" else _count(text, SPACE.replace("[", "[^", 1) + "+")
        short |= counts < step.min
        long |= False if step.max is None else counts > step.max
    return Drops(reason_where(short, "too short").mask(long, "too long"))


def _count(column: pd.Series, pattern: str) -> pd.Series:
    """How often an RE2 pattern occurs per text; missing where the text is."""
    counts = pc.count_substring_regex(pa.array(column, from_pandas=True), pattern)
    return pd.Series(counts.to_numpy(zero_copy_only=False), index=column.index, dtype="float64")


def language(rows: pd.DataFrame, step: steps.Language) -> Drops:
    """Texts of other languages, or pairs with one. Raises DataError for a code that py3langid does not know."""
    langid = package("py3langid.langid", step.kind)
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    unknown = sorted(set(step.keep) - set(identifier.labels))
    if unknown:
        raise DataError(f"py3langid knows no {', '.join(unknown)}; it knows {', '.join(sorted(identifier.labels))}")
    reasons = pd.Series(index=rows.index, dtype="str")
    for side in sides(rows):
        asked = rows.loc[_count(rows[side], r"\pL") >= max(step.min_chars, 1), side]
        languages = tell_languages(asked, identifier)
        other = languages[~languages.isin([*step.keep, NO_LANGUAGE])]
        reasons = reasons.fillna(("language: " + other).reindex(rows.index))
    return Drops(reasons)
