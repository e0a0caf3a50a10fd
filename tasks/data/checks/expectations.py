"""A recipe's expectations checked on the rows: rows in; verdicts with the rows that break them, and a page, out."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from configs.expectations import Rule, Severity, Validate

from ..dialogues.messages import load_messages
from ..errors import DataError
from ..label_sets import LABELS, present_labels
from ..pairs import TEXT_PAIR, distinct, sides
from ..rows import aim, content
from . import great_expectations as suites
from .dialogue_checks import COLUMNS, WORDS, dialogue_expectations, facts
from .docs_page import docs_page
from .results import SHOWN, Verdict, observed_in, rows_under, shown
from .typed import asks_for_words, typed_rows
from .wording import in_words

__all__ = ["Verdict", "check_rows", "label_set", "rows_under"]


SEVERAL = "download.columns.label: one label is nothing to choose from; name the column with the classes"

BOTH = "both texts"
"""Column by which repeated pairs of texts are counted."""


@dataclass(frozen=True)
class Asked:
    """One GX expectation, what its breaking means, what it is called, where the recipe asks for it, and whether it sees
    kept columns as written rather than as numbers, truth values or moments."""

    expectation: Any
    severity: Severity
    name: str
    place: str
    rule: Rule | None = None
    as_words: bool = True


def label_set(rows: pd.DataFrame, section: Validate) -> list[str]:
    """The labels in class-id order: as the recipe says (with `labels: warn` further ones behind), else sorted."""
    present = sorted(rows["label"].dropna().unique()) if "label" in rows else []
    if LABELS in rows:
        present = present_labels(rows[LABELS])
    if not section.labels:
        return present
    widened = section.severity_of("labels") == "warn"
    return [*section.labels, *(label for label in present if widened and label not in section.labels)]


def check_rows(rows: pd.DataFrame, section: Validate) -> tuple[list[Verdict], str]:
    """Check rows (see rows.py CORE; kept columns behind) against the recipe: verdicts, and a data-docs page (HTML).

    A text of white space alone counts as missing. What is in quarantine is asked of all rows, everything else of the
    rows that stay. Raises DataError for an expectation that cannot be made or checked, before any row is checked.
    """
    from .label_set_checks import check_label_sets
    from .secret_checks import check_secrets
    from .split_checks import check_balance, check_splits, check_variants

    seen = rows
    if content(rows) == "text":
        seen = rows.assign(**{side: rows[side].where(rows[side].str.strip() != "") for side in sides(rows)})
        if TEXT_PAIR in rows:
            seen = _with_pairs(seen)
    elif content(rows) == "messages":
        seen = _with_turns(rows, section)
    further = _further(seen, section)
    asked = dict(enumerate([*_short_rules(seen, section), *further]))
    first = {number: check for number, check in asked.items() if check.severity == "quarantine"}
    typed = typed_rows(seen) if further else seen
    done = _ask(seen, typed, first)
    own = [*(check_label_sets(seen, section) if LABELS in rows else []), *check_secrets(seen, section)]
    gone = rows_under([*(verdict for verdict, _ in done.values()), *own], "quarantine")["id"].unique()
    left = ~seen["id"].isin(gone)
    stay = seen[left]
    done |= _ask(stay, typed[left], {number: check for number, check in asked.items() if number not in first})
    verdicts = [*_types(rows), *(done[number][0] for number in asked)]
    if not {"label", LABELS, "tags"}.isdisjoint(rows):
        verdicts += check_variants(stay, section)
    verdicts += own
    verdicts += [*check_balance(stay, section), *check_splits(stay, section)]
    if first or any(verdict.severity == "quarantine" for verdict in own):
        verdicts.append(_leaving(len(gone), len(rows), section))
    return verdicts, docs_page([done[number][1] for number in asked])


def _with_turns(rows: pd.DataFrame, section: Validate) -> pd.DataFrame:
    """Rows with what their dialogues are (see dialogue_checks.facts) as columns; those of rows without one are null."""
    if taken := [name for name in COLUMNS if name in rows]:
        raise DataError(f"the kept column {taken[0]!r} is called as a column that dialogues are checked by; rename it")
    there = rows["messages"].notna()
    turn_facts = facts(map(load_messages, rows.loc[there, "messages"]), section.tools)
    return rows.join(turn_facts.set_index(rows.index[there]))


def _with_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with both texts of a pair in one column, by which repeated pairs are counted."""
    if BOTH in rows:
        raise DataError(f"the kept column {BOTH!r} is called as a column that pairs are checked by; rename it")
    return rows.assign(**{BOTH: distinct(rows, "text")})


def _ask(written: pd.DataFrame, typed: pd.DataFrame, asked: dict[int, Asked]) -> dict[int, tuple[Verdict, Any]]:
    """Verdict and GX's result by number; an expectation that compares with texts sees kept columns as written."""
    done: dict[int, tuple[Verdict, Any]] = {}
    for rows, as_words in ((written, True), (typed, False)):
        these = {number: check for number, check in asked.items() if check.as_words is as_words}
        results = suites.judge(rows, [check.expectation for check in these.values()])
        done |= {
            number: (_verdict(check, result, written), result)
            for (number, check), result in zip(these.items(), results, strict=True)
        }
    return done


def _further(rows: pd.DataFrame, section: Validate) -> list[Asked]:
    """The recipe's own expectations, each tried out on a few rows."""
    further = []
    typed = typed_rows(rows) if section.expectations else rows
    for number, asked in enumerate(section.expectations):
        place, as_words = f"validate.expectations.{number}", asks_for_words(asked.arguments)
        seen = rows if as_words else typed
        expectation = suites.as_moments(suites.make_expectation(asked, place, list(map(str, rows.columns))), seen)
        suites.try_out(expectation, place, seen)
        further.append(Asked(expectation, asked.severity, asked.name or "", f"{place}.severity", as_words=as_words))
    return further


def _short_rules(rows: pd.DataFrame, section: Validate) -> list[Asked]:
    """The short notation as GX expectations."""
    from great_expectations import expectations as gxe

    what, truth, present = content(rows), aim(rows), 1 - section.max_missing
    texts = sides(rows) if what == "text" else (what,)
    labels, columns = list(section.labels or label_set(rows, section)), ["id", *texts, *filter(None, [truth]), "split"]
    asked: list[tuple[Rule | None, str, Any]] = [
        (None, "min_rows", gxe.ExpectTableRowCountToBeBetween(min_value=section.min_rows)),
        (None, "", gxe.ExpectTableColumnsToMatchSet(column_set=columns, exact_match=False)),
        *(
            ("missing", "max_missing", gxe.ExpectColumnValuesToNotBeNull(column=name, mostly=present))
            for name in (*texts, truth)
            if name is not None
        ),
    ]
    if "label" in rows:
        asked += [
            (None, SEVERAL, gxe.ExpectColumnUniqueValueCountToBeBetween(column="label", min_value=2)),
            ("labels", "labels", gxe.ExpectColumnValuesToBeInSet(column="label", value_set=labels)),
        ]
    if section.labels and "label" in rows:  # labels that are merely found may leave with their rows
        whole: Rule | None = "labels" if section.severity_of("labels") == "warn" else None
        asked.append((whole, "labels", gxe.ExpectColumnDistinctValuesToContainSet(column="label", value_set=labels)))
    if what == "text":
        low, high = section.min_chars, section.max_chars
        for side in texts:
            lengths = gxe.ExpectColumnValueLengthsToBeBetween(column=side, min_value=low, max_value=high)
            asked.append(("chars", "min_chars and max_chars", lengths))
            asked.append(("nuls", "", gxe.ExpectColumnValuesToNotMatchRegex(column=side, regex=r"\x00")))
    if what == "messages":
        asked += [("turns", "tools", expectation) for expectation in dialogue_expectations()]
    if rows[what].notna().any():
        unique = 1 - section.max_duplicates
        shares = gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
            column=BOTH if BOTH in rows else what, min_value=unique
        )
        asked.append(("duplicates", "max_duplicates", shares))
    return [_short_rule(section, *check) for check in asked]


def _short_rule(section: Validate, rule: Rule | None, key: str, expectation: Any) -> Asked:
    severity = section.severity_of(rule) if rule else "fail"
    places = [key if key == SEVERAL else f"validate.{key}"] if key else []
    places += [f"validate.severity.{rule}"] if rule else []
    marked = expectation.copy(update={"severity": suites.GX_SEVERITY[severity]})
    return Asked(marked, severity, "", " or ".join(places), rule)


def _types(rows: pd.DataFrame) -> list[Verdict]:
    """Column types; checked here because GX's own type expectation does not know pandas 3's `str`."""
    asked = {name: str(rows[name].dtype) for name in ("id", content(rows), "label", "split") if name in rows}
    odd = {name: kind for name, kind in asked.items() if kind not in ("str", "string", "object")}
    words = "id, content, label and split are texts"
    return [Verdict("expect_column_values_to_be_of_type", words, str(odd or "str"), not odd, name=words)]


def _leaving(gone: int, count: int, section: Validate) -> Verdict:
    share = gone / max(count, 1)
    observed = f"{gone:,} of {count:,} rows leave ({share:.2%})"
    return Verdict(
        "max_quarantined",
        f"at most {section.max_quarantined:.2%} of the rows leave under quarantine",
        observed,
        share <= section.max_quarantined,
        name="max_quarantined",
        place="validate.max_quarantined",
    )


def _verdict(asked: Asked, result: Any, rows: pd.DataFrame) -> Verdict:
    config, outcome = result.expectation_config, result.result or {}
    kwargs = {name: value for name, value in config.kwargs.items() if name not in ("batch_id", "severity")}
    words = _special(asked) or in_words(config.type, kwargs)
    verdict = Verdict(
        config.type,
        words,
        observed_in(outcome),
        bool(result.success),
        severity=asked.severity,
        name=asked.name or words,
        place=asked.place,
    )
    reason = suites.failure(result)
    if reason:
        return replace(verdict, observed=f"could not be checked: {reason}", success=False, broken=True)
    columns = suites.columns_of(asked.expectation)
    if asked.rule == "duplicates" and not result.success:
        breaking = rows[rows[columns[0]].notna() & rows[columns[0]].duplicated()]
    else:
        breaking = rows.iloc[outcome.get("unexpected_index_list") or []]
    if verdict.severity == "quarantine" and "unexpected_index_list" not in outcome and outcome:
        return replace(verdict, observed="no rows are named, so none can leave", success=False, broken=True)
    return replace(verdict, rows=breaking["id"], offending=_first(breaking, columns))


def _special(asked: Asked) -> str:
    """Words of short rules that say more than the expectation which each becomes."""
    if asked.rule == "turns":
        return WORDS[asked.expectation.column]
    return "no text has a NUL character" if asked.rule == "nuls" else ""


def _first(breaking: pd.DataFrame, columns: list[str]) -> tuple[tuple[str, str], ...]:
    head = breaking.head(SHOWN)
    values = zip(*(head[name] for name in columns), strict=True) if columns else ((),) * len(head)
    return tuple((str(row), ", ".join(map(shown, value))) for row, value in zip(head["id"], values, strict=True))
