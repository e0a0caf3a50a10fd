"""Great Expectations: expectations by name and arguments in; validation results with row positions, and a page, out."""

import difflib
import threading
from typing import Any

import pandas as pd

from configs.expectations import Expectation, Severity

from ..errors import DataError
from .results import SHOWN

GX_SEVERITY: dict[Severity, str] = {"fail": "critical", "quarantine": "warning", "warn": "info"}
OWN = {
    "id",
    "meta",
    "notes",
    "result_format",
    "description",
    "catch_exceptions",
    "rendered_content",
    "severity",
    "windows",
    "batch_id",
    "library_metadata",
}
"""Fields of every expectation that are no arguments of it."""
FORMAT = {"result_format": "COMPLETE", "partial_unexpected_count": SHOWN, "return_unexpected_index_query": False}
"""Positions of all breaking rows, without the id column: GX looks that up row by row."""
TRIED = 100
"""Rows on which an expectation of the recipe is tried before all rows are checked."""
_ONE_AT_A_TIME = threading.Lock()
"""GX keeps its current context in one place for the whole process."""


def make_expectation(asked: Expectation, place: str, columns: list[str]) -> Any:
    """The GX expectation that a recipe names. Raises DataError naming place, wrong name, argument or column."""
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    try:
        kind = get_expectation_impl(asked.expect)
    except ExpectationNotFoundError:
        raise DataError(
            f"{place}: Great Expectations knows no {asked.expect}{_nearest(asked.expect, _known())}"
        ) from None
    valid = [name for name in kind.__fields__ if name not in OWN]
    for name in asked.arguments:
        if name not in valid:
            hint = "; it stands next to `arguments`" if name in ("severity", "name") else _nearest(name, valid)
            raise DataError(f"{place}: {asked.expect} has no argument {name!r}{hint}; it takes {', '.join(valid)}")
    if "$PARAMETER" in str(asked.arguments):
        raise DataError(f"{place}: {asked.expect}: suite parameters ($PARAMETER) are not read; write the value itself")
    try:
        expectation = kind(**asked.arguments, severity=GX_SEVERITY[asked.severity])
    except (ValidationError, TypeError, ValueError) as error:
        raise DataError(f"{place}: {asked.expect}: {_complaint(error)}") from None
    _check_condition(expectation, place)
    _check_columns(expectation, place, columns)
    if asked.severity == "quarantine" and not speaks_of_rows(expectation):
        raise DataError(
            f"{place}: {asked.expect} concerns the whole table or column, so no row can leave for it; "
            "use severity fail or warn"
        )
    return expectation


def _known() -> list[str]:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    return list(list_registered_expectation_implementations())


def _nearest(word: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(word, valid, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _complaint(error: Exception) -> str:
    """One line: the missing arguments, else the first wrong one."""
    faults = error.errors() if hasattr(error, "errors") else []
    missing = [
        str(fault["loc"][0]) for fault in faults if fault["type"] == "value_error.missing" and len(fault["loc"]) == 1
    ]
    if missing:
        return f"the argument{'s' * (len(missing) > 1)} {', '.join(missing)} must be given"
    if not faults:
        return str(error).split("\n")[0]
    where, message = str(faults[0]["loc"][0]), "; or ".join(dict.fromkeys(str(fault["msg"]) for fault in faults[:3]))
    return message if where == "__root__" else f"the argument {where}: {message}"


def speaks_of_rows(expectation: Any) -> bool:
    """Whether single rows break it, so that GX names them."""
    from great_expectations.expectations import expectation as kinds

    of_rows = (kinds.ColumnMapExpectation, kinds.ColumnPairMapExpectation, kinds.MulticolumnMapExpectation)
    return isinstance(expectation, of_rows) and "type" not in expectation.expectation_type.split("_")


def columns_of(expectation: Any) -> list[str]:
    """The columns that an expectation is about."""
    asked = expectation.domain_keys
    named = [getattr(expectation, key) for key in ("column", "column_A", "column_B") if key in asked]
    return named + list(expectation.column_list if "column_list" in asked else [])


def _conditions(expectation: Any) -> list[Any]:
    """An expectation's row condition with all that it is made of."""
    conditions, left = [], [getattr(expectation, "row_condition", None)]
    while left:
        condition = left.pop()
        conditions += [] if condition is None else [condition]
        left += getattr(condition, "conditions", [])
    return conditions


def _check_condition(expectation: Any, place: str) -> None:
    """Raise DataError for a condition in pandas' query language: that is code, which a recipe must not carry."""
    from great_expectations.expectations.row_conditions import PassThroughCondition

    if any(isinstance(part, (str, PassThroughCondition)) for part in _conditions(expectation)):
        raise DataError(
            f"{place}: row_condition must be of GX's own form, such as {{type: comparison, column: {{name: label}}, "
            "operator: '==', parameter: pos}, not a query of pandas"
        )


def _check_columns(expectation: Any, place: str, columns: list[str]) -> None:
    inner = [part.column.name for part in _conditions(expectation) if hasattr(part, "column")]
    for name in [*columns_of(expectation), *inner]:
        if name not in columns:
            hint = _nearest(name, columns)
            raise DataError(
                f"{place}: the rows have no column {name!r}{hint}; they have {', '.join(columns)}. "
                "Name a further column of the source in `download.columns.keep`"
            )


def as_moments(expectation: Any, rows: pd.DataFrame) -> Any:
    """The expectation with its bounds as moments where its column holds moments: GX reads a day as no moment."""
    column = getattr(expectation, "column", None)
    if column not in rows or not pd.api.types.is_datetime64_any_dtype(rows[column]):
        return expectation
    bounds = {key: getattr(expectation, key, None) for key in ("min_value", "max_value")}
    update = {key: pd.Timestamp(value).to_pydatetime() for key, value in bounds.items() if value is not None}
    return expectation.copy(update=update)


def try_out(expectation: Any, place: str, rows: pd.DataFrame) -> None:
    """Check a few rows that have values. Raises DataError where GX cannot check it with pandas at all."""
    named = [name for name in columns_of(expectation) if name in rows]
    some = rows[rows[named].notna().all(axis=1)].head(TRIED) if named else rows.head(TRIED)
    if len(some):
        try:
            reason = failure(judge(some, [expectation])[0])
        except Exception as error:  # GX catches what its metrics raise, not what precedes them
            reason = str(error).strip().split("\n")[0] or type(error).__name__
        if reason:
            sql = "No provider found" in reason or "multiple named tables" in reason
            fix = "; it needs a database or Spark, and Temper checks with pandas" if sql else ""
            if "same type" in reason:
                held = ", ".join(f"{name} holds {rows[name].dtype}" for name in named)
                fix = f" ({held}; a column of moments is `download.columns.time`)"
            raise DataError(f"{place}: {expectation.expectation_type} cannot be checked: {reason}{fix}")


def failure(result: Any) -> str:
    """Why an expectation could not be checked; empty where it could."""
    exceptions = result.exception_info or {}
    each = [exceptions] if "raised_exception" in exceptions else list(exceptions.values())
    messages = [str(report["exception_message"]) for report in each if report["raised_exception"]]
    return messages[0].strip().split("\n")[0][:300] if messages else ""


def judge(rows: pd.DataFrame, expectations: list[Any]) -> list[Any]:
    """GX's validation results, in the order of the expectations; `unexpected_index_list` holds row positions from 0.

    The engine gets the rows at once: a GX data source would hash every column first, three quarters of the time.
    """
    if not expectations:
        return []
    import great_expectations as gx
    from great_expectations.core.batch import Batch
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.execution_engine.pandas_batch_data import PandasBatchData
    from great_expectations.validator.validator import Validator

    numbered = [expectation.copy(update={"meta": {"number": n}}) for n, expectation in enumerate(expectations)]
    with _ONE_AT_A_TIME:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        suite = gx.ExpectationSuite(name="recipe", expectations=numbered)
        engine = PandasExecutionEngine()
        batch = Batch(data=PandasBatchData(engine, rows.reset_index(drop=True)))
        validator = Validator(execution_engine=engine, expectation_suite=suite, data_context=context, batches=[batch])
        results = validator.graph_validate(
            configurations=suite.expectation_configurations, runtime_configuration={"result_format": dict(FORMAT)}
        )
    return sorted(results, key=lambda result: int(result.expectation_config.meta["number"]))
