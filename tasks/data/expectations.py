"""A recipe's expectations as a Great Expectations suite: rows in; verdicts, offending rows and a page out."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from configs.expectations import Validate

SHOWN = 10
"""Offending rows shown per expectation."""


@dataclass(frozen=True)
class Verdict:
    """One expectation: its name, what it asked, what was found, and the rows that break it (id, value)."""

    expectation: str
    asked: str
    found: str
    success: bool
    offending: tuple[tuple[str, str], ...] = ()


def label_set(rows: pd.DataFrame, section: Validate) -> list[str]:
    """The labels in class-id order: as the recipe says, else as found, sorted."""
    return list(section.labels) if section.labels else sorted(map(str, rows["label"].dropna().unique()))


def check_rows(rows: pd.DataFrame, section: Validate) -> tuple[list[Verdict], str]:
    """Check rows (id, text, label, split as str) against the recipe; returns verdicts and a data-docs page (HTML).

    A text of white space alone counts as missing.
    """
    import great_expectations as gx

    seen = rows.assign(text=rows["text"].where(rows["text"].str.strip() != ""))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": seen})
    suite = gx.ExpectationSuite(name="recipe", expectations=_expectations(rows, section))
    result = batch.validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["id"],
            "partial_unexpected_count": SHOWN,
        },
    )
    verdicts = _types(rows) + [_verdict(item, seen) for item in result.results]
    return verdicts, _page(result)


def _expectations(rows: pd.DataFrame, section: Validate) -> list[Any]:
    from great_expectations import expectations as gxe

    labels = label_set(rows, section)
    present = 1 - section.max_missing
    asked = [
        gxe.ExpectTableRowCountToBeBetween(min_value=section.min_rows),
        gxe.ExpectTableColumnsToMatchSet(column_set=["id", "text", "label", "split"]),
        gxe.ExpectColumnValuesToNotBeNull(column="text", mostly=present),
        gxe.ExpectColumnValuesToNotBeNull(column="label", mostly=present),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="label", min_value=2),
        gxe.ExpectColumnValuesToBeInSet(column="label", value_set=labels),
        gxe.ExpectColumnDistinctValuesToContainSet(column="label", value_set=labels),
        gxe.ExpectColumnValueLengthsToBeBetween(
            column="text", min_value=section.min_chars, max_value=section.max_chars
        ),
    ]
    if rows["text"].notna().any():
        unique = 1 - section.max_duplicates
        asked.append(gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(column="text", min_value=unique))
    return asked


def _types(rows: pd.DataFrame) -> list[Verdict]:
    """Column types; checked here because GX's own type expectation does not know pandas 3's `str`."""
    asked = {name: str(rows[name].dtype) for name in ("id", "text", "label", "split")}
    odd = {name: kind for name, kind in asked.items() if kind not in ("str", "string", "object")}
    return [Verdict("expect_column_values_to_be_of_type", "every column: str", str(odd or "str"), not odd)]


def _verdict(item: Any, rows: pd.DataFrame) -> Verdict:
    config, result = item.expectation_config, item.result or {}
    kwargs = {name: value for name, value in config.kwargs.items() if name != "batch_id"}
    if item.exception_info.get("raised_exception"):
        return Verdict(config.type, str(kwargs), str(item.exception_info.get("exception_message")), False)
    offending = [
        (str(row["id"]), str(row.get(config.kwargs.get("column"))))
        for row in (result.get("unexpected_index_list") or [])[:SHOWN]
    ]
    if config.type == "expect_column_proportion_of_unique_values_to_be_between" and not item.success:
        repeated = rows[rows["text"].notna() & rows["text"].duplicated()].head(SHOWN)
        offending = list(zip(repeated["id"], repeated["text"], strict=True))
    return Verdict(config.type, _short(kwargs), _found(result), bool(item.success), tuple(offending))


def _found(result: dict[str, Any]) -> str:
    if "unexpected_count" in result:
        share = result.get("unexpected_percent") or 0.0
        return f"{result['unexpected_count']:,} of {result['element_count']:,} rows break it ({share:.2f} %)"
    value = result.get("observed_value")
    return f"{value:.4f}" if isinstance(value, float) else _short(value)


def _short(value: object) -> str:
    text = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _page(result: Any) -> str:
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    page: str = DefaultJinjaPageView().render(ValidationResultsPageRenderer(run_info_at_end=True).render(result))
    return page
