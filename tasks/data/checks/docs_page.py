"""Validation results of Great Expectations -> its data-docs page, with values cut and escaped."""

import copy
from typing import Any

import numpy as np

from ..escape import hypertext, terminal
from .results import LONGEST


def docs_page(results: list[Any]) -> str:
    """GX's own data-docs page of the results (HTML), long values cut."""
    from great_expectations import __version__
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView
    from great_expectations.validator.validator import calc_validation_statistics

    counted = calc_validation_statistics(results)
    names = ("evaluated_expectations", "successful_expectations", "unsuccessful_expectations", "success_percent")
    whole = ExpectationSuiteValidationResult(
        success=counted.success,
        results=[_short(result) for result in results],
        suite_name="recipe",
        statistics={name: getattr(counted, name) for name in names},
        meta={"great_expectations_version": __version__},
    )
    page: str = DefaultJinjaPageView().render(ValidationResultsPageRenderer(run_info_at_end=True).render(whole))
    return terminal(page)


def _short(result: Any) -> Any:
    """A result that fits a page: no list of positions, values cut, numbers as Python's own; what GX does not escape
    (values, columns) is."""
    kept = {
        key: _cut(value)
        for key, value in result.result.items()
        if key not in ("unexpected_list", "unexpected_index_list", "partial_unexpected_index_list")
    }
    if "unexpected_percent" not in kept:  # of distinct values, which GX's page takes for rows
        kept.pop("unexpected_count", None)
    lean = copy.copy(result)
    lean.result, lean.expectation_config = kept, copy.deepcopy(result.expectation_config)
    for key, value in lean.expectation_config.kwargs.items():
        if key.startswith("column") and isinstance(value, str):  # the page's menu holds it as it is
            lean.expectation_config.kwargs[key] = hypertext(value)
    return lean


def _cut(value: Any) -> Any:
    match value:
        case np.generic():  # GX spells a number of NumPy's with its type, and then cannot read it
            return _cut(value.item())
        case str():
            return hypertext(value if len(value) <= LONGEST else value[:LONGEST] + "...")
        case dict():
            return {key: _cut(part) for key, part in value.items()}
        case list() | tuple():
            return [_cut(part) for part in value]
        case _:
            return value
