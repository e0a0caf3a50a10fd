"""Cleaning: rows in; what an ordered list of steps leaves, the dropped rows with their reasons, and counts out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from configs import cleaning as steps

from ..drops import Drops, describe_reasons, reason_where
from ..errors import DataError
from ..pairs import TEXT, sides
from ..rows import aim, content
from . import duplicates as repeats
from . import filters as words
from . import html as markup
from . import image_checks, label_errors
from . import normalization as texts
from . import perceptual_hashes as lookalikes
from .dialogue_steps import change_dialogues
from .report import EXAMPLES, Cleaned, Done

TEXTS = (
    steps.Unicode(kind="unicode"),
    steps.Whitespace(kind="whitespace"),
    steps.Missing(kind="missing"),
    steps.Contradictions(kind="contradictions"),
    steps.Duplicates(kind="duplicates"),
)
"""What is done to texts where the recipe is silent."""
TAGGED = TEXTS[2:]
"""What is done to texts in which places are tagged: none of them is changed."""
DIALOGUES = (
    steps.Missing(kind="missing"),
    steps.Duplicates(kind="duplicates"),
)
"""What is done to dialogues where the recipe is silent."""
IMAGES = (
    steps.Unreadable(kind="unreadable"),
    steps.Missing(kind="missing"),
    steps.Duplicates(kind="duplicates"),
)
"""What is done to images where the recipe is silent."""
USUAL = {"text": TEXTS, "messages": DIALOGUES, "image": IMAGES}
LOST = {"id": "str", "reason": "str", "other": "str", "text": "str"}


def clean_rows(rows: pd.DataFrame, section: steps.Clean, images: Path | None = None) -> Cleaned:
    """Take the steps in their order; `images` is the images.parquet of rows with images.

    Raises DataError where a step says `fail`, does not fit the rows, or needs a package that is absent.
    """
    chosen = section.steps
    if chosen is None:
        chosen = TAGGED if aim(rows) == "tags" else USUAL[content(rows)]
    _require_fit(rows, chosen)
    seen = pd.DataFrame()
    if images is not None and any(isinstance(step, steps.ImageStep) for step in chosen):
        seen = image_checks.inspect(images, rows["image"], chosen)
    dropped, done = [pd.DataFrame(columns=list(LOST)).astype(LOST)], []
    for step in chosen:
        began = time.monotonic()
        if isinstance(step, steps.DialogueStep):
            rows, account = _shorten(rows, step)
        elif type(step) in CHANGES:
            rows, account = _change(rows, step)
        else:
            rows, gone, account = _drop(rows, step, seen)
            dropped.append(gone)
        done.append(replace(account, seconds=time.monotonic() - began))
    return Cleaned(rows.reset_index(drop=True), pd.concat(dropped, ignore_index=True), tuple(done))


def require_rest(cleaned: Cleaned, section: steps.Clean) -> None:
    """Raise DataError where the steps dropped a larger share of the rows than the recipe allows."""
    share = len(cleaned.dropped) / max(cleaned.before, 1)
    if share > section.max_dropped:
        gone = cleaned.dropped
        worst = gone["reason"].value_counts().head(3).index
        some = gone[gone["reason"].isin(worst)]
        reasons = describe_reasons(some["reason"], some.set_index("id")["text"])
        raise DataError(
            f"cleaning would drop {share:.0%} of {cleaned.before:,} rows, more than `clean.max_dropped` "
            f"{section.max_dropped:g}: {reasons}; change the steps or raise it"
        )


def require_whole(cleaned: Cleaned) -> None:
    """Raise DataError where a row is left without content or label (or target): no stage behind has a use for it."""
    rows = cleaned.rows
    for name in filter(None, (*_columns(rows), aim(rows))):
        absent = _absent(rows[name])
        if absent.any():
            first = rows.loc[absent, "id"].iloc[0]
            raise DataError(
                f"cleaning leaves {int(absent.sum()):,} of {len(rows):,} rows without a {name}, such as {first}; put "
                "the step `missing` into clean.steps, behind those that change texts"
            )


def _require_fit(rows: pd.DataFrame, chosen: tuple[Any, ...]) -> None:
    try:
        steps.Clean(steps=tuple(chosen)).require_fit(content(rows), aim(rows))
    except ValueError as error:
        raise DataError(str(error)) from None


def _change(rows: pd.DataFrame, step: Any) -> tuple[pd.DataFrame, Done]:
    new = {side: CHANGES[type(step)](rows[side], step) for side in sides(rows)}
    changes = {side: column.fillna("") != rows[side].fillna("") for side, column in new.items()}
    changed = pd.DataFrame(changes).any(axis=1)
    shown: list[tuple[str, str, str]] = []
    for side, column in new.items():
        first = changes[side].to_numpy().nonzero()[0][: EXAMPLES - len(shown)]
        shown += zip(*(cells.iloc[first].tolist() for cells in (rows["id"], rows[side], column)), strict=True)
    return rows.assign(**new), Done(step.kind, changed=int(changed.sum()), changes=tuple(shown))


def _shorten(rows: pd.DataFrame, step: steps.DialogueStep) -> tuple[pd.DataFrame, Done]:
    """Dialogues with fewer turns; every row that lost some is listed with how many."""
    new, fewer = change_dialogues(rows["messages"], step)
    changed = fewer > 0
    first = changed.to_numpy().nonzero()[0][:EXAMPLES]
    columns = (column.iloc[first].fillna("").tolist() for column in (rows["id"], rows["messages"], new))
    listed = pd.DataFrame({"id": rows["id"][changed], "turns": fewer[changed]}).reset_index(drop=True)
    changes, note = tuple(zip(*columns, strict=True)), f"{int(fewer.sum()):,} turns fewer"
    return rows.assign(messages=new), Done(
        step.kind, changed=int(changed.sum()), changes=changes, listed=listed, note=note
    )


def _drop(rows: pd.DataFrame, step: Any, seen: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, Done]:
    dropped = LOOKS[type(step)](rows, step, seen) if type(step) in LOOKS else DROPS[type(step)](rows, step)
    stays = dropped.reasons.isna()
    others = pd.Series(index=rows.index, dtype="str") if dropped.others is None else dropped.others
    gone = rows[~stays].assign(reason=dropped.reasons[~stays], other=others[~stays])
    shown = gone.groupby("reason").head(EXAMPLES)
    seen_as = shown.get("file", shown[content(rows)]).fillna("")
    losses = tuple(zip(shown["reason"], shown["id"], seen_as, strict=True))
    done = Done(step.kind, dropped=len(gone), losses=losses, listed=dropped.listed, note=dropped.note)
    return rows[stays], gone.reindex(columns=list(LOST)).astype(LOST), done


def missing(rows: pd.DataFrame, step: steps.Missing) -> Drops:
    """Rows without content or label (or target)."""
    truth = aim(rows)
    gone = pd.Series(False, index=rows.index) if truth is None else _absent(rows[truth])
    reasons = reason_where(gone, f"missing {truth}")
    for name in reversed(_columns(rows)):
        reasons = reasons.mask(_absent(rows[name]), f"missing {name}")
    return Drops(reasons)


def _columns(rows: pd.DataFrame) -> tuple[str, ...]:
    """The columns that hold what a row is about: of a pair of texts both."""
    what = content(rows)
    return sides(rows) if what == TEXT else (what,)


def _absent(column: pd.Series) -> pd.Series:
    return column.isna() | (column.str.strip() == "")


CHANGES: Mapping[type, Callable[[pd.Series, Any], pd.Series]] = {
    steps.Unicode: texts.normalise,
    steps.Ftfy: texts.fix,
    steps.Html: markup.strip_html,
    steps.Control: texts.drop_control,
    steps.Urls: texts.replace_urls,
    steps.Mentions: texts.replace_mentions,
    steps.Replace: texts.replace,
    steps.Whitespace: texts.cut_whitespace,
    steps.Lowercase: texts.lower,
    steps.StopWords: words.drop_stop_words,
}
"""Steps that change texts: column of texts (null where missing) in, the same rows out."""
DROPS: Mapping[type, Callable[[pd.DataFrame, Any], Drops]] = {
    steps.Missing: missing,
    steps.Length: words.length,
    steps.Language: words.language,
    steps.Contradictions: repeats.contradictions,
    steps.Duplicates: repeats.duplicates,
    steps.NearDuplicates: repeats.near_duplicates,
    steps.LabelErrors: label_errors.label_errors,
}
"""Steps that drop rows: rows in; per row the reason (null where it stays) and the row that it repeats out."""
LOOKS: Mapping[type, Callable[[pd.DataFrame, Any, pd.DataFrame], Drops]] = {
    steps.Unreadable: image_checks.unreadable,
    steps.Mode: image_checks.mode,
    steps.Size: image_checks.size,
    steps.PerceptualDuplicates: lookalikes.perceptual_duplicates,
}
"""Steps that drop rows by their images; they are given what `image_checks.inspect` saw as well."""
