"""Great Expectations' expectations in words: a name and its arguments in; what is expected of the rows, out."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from .results import shown

WORDS = {
    "expect_column_distinct_values_to_be_in_set": "every different {column} is one of {value_set}",
    "expect_column_distinct_values_to_contain_set": "the rows have each {column} of {value_set}",
    "expect_column_distinct_values_to_equal_set": "the different values of {column} are {value_set}",
    "expect_column_kl_divergence_to_be_less_than": "the divergence of {column} from "
    "{partition_object} is at most {threshold}",
    "expect_column_max_to_be_between": "the largest {column} is {bounds}",
    "expect_column_mean_to_be_between": "the mean of {column} is {bounds}",
    "expect_column_median_to_be_between": "the median of {column} is {bounds}",
    "expect_column_min_to_be_between": "the smallest {column} is {bounds}",
    "expect_column_most_common_value_to_be_in_set": "the commonest {column} is one of {value_set}",
    "expect_column_pair_values_a_to_be_greater_than_b": "{column_A} is greater than {column_B} in each row",
    "expect_column_pair_values_to_be_equal": "{column_A} and {column_B} are equal in each row",
    "expect_column_pair_values_to_be_in_set": "{column_A} and {column_B} are one of the pairs {value_pairs_set}",
    "expect_column_proportion_of_non_null_values_to_be_between": "the share of rows with a {column} is {bounds}",
    "expect_column_proportion_of_unique_values_to_be_between": "the share of different values in {column} is {bounds}",
    "expect_column_quantile_values_to_be_between": "the quantiles of {column} lie in {quantile_ranges}",
    "expect_column_stdev_to_be_between": "the standard deviation of {column} is {bounds}",
    "expect_column_sum_to_be_between": "the sum of {column} is {bounds}",
    "expect_column_to_exist": "the rows have a column {column}",
    "expect_column_type_to_be": "the column {column} has the type {type_}",
    "expect_column_unique_value_count_to_be_between": "the number of different values in {column} is {bounds}",
    "expect_column_value_lengths_to_be_between": "each {column} has {bounds} characters",
    "expect_column_value_lengths_to_equal": "each {column} has {value} characters",
    "expect_column_value_z_scores_to_be_less_than": "the z-score of each {column} is less than {threshold}",
    "expect_column_values_to_be_between": "each {column} is {bounds}",
    "expect_column_values_to_be_dateutil_parseable": "each {column} can be read as a date",
    "expect_column_values_to_be_decreasing": "{column} decreases from row to row",
    "expect_column_values_to_be_in_set": "each {column} is one of {value_set}",
    "expect_column_values_to_be_in_type_list": "each {column} is of one of the types {type_list}",
    "expect_column_values_to_be_increasing": "{column} increases from row to row",
    "expect_column_values_to_be_json_parseable": "each {column} can be read as JSON",
    "expect_column_values_to_be_null": "no row has a {column}",
    "expect_column_values_to_be_of_type": "each {column} is of the type {type_}",
    "expect_column_values_to_be_unique": "no {column} occurs twice",
    "expect_column_values_to_match_json_schema": "each {column} is JSON that fits the schema {json_schema}",
    "expect_column_values_to_match_like_pattern": "each {column} matches the SQL pattern {like_pattern}",
    "expect_column_values_to_match_like_pattern_list": "each {column} matches the SQL patterns {like_pattern_list}",
    "expect_column_values_to_match_regex": "each {column} matches the regular expression {regex}",
    "expect_column_values_to_match_regex_list": "each {column} matches the regular expressions {regex_list}",
    "expect_column_values_to_match_strftime_format": "each {column} is a date of the form {strftime_format}",
    "expect_column_values_to_not_be_in_set": "no {column} is one of {value_set}",
    "expect_column_values_to_not_be_null": "no {column} is missing",
    "expect_column_values_to_not_be_outliers": "no {column} is an outlier",
    "expect_column_values_to_not_match_like_pattern": "no {column} matches the SQL pattern {like_pattern}",
    "expect_column_values_to_not_match_like_pattern_list": "no {column} matches one of the SQL patterns "
    "{like_pattern_list}",
    "expect_column_values_to_not_match_regex": "no {column} matches the regular expression {regex}",
    "expect_column_values_to_not_match_regex_list": "no {column} matches one of the regular expressions {regex_list}",
    "expect_compound_columns_to_be_unique": "no two rows have the same {column_list}",
    "expect_multicolumn_sum_to_equal": "the sum of {column_list} in each row is {sum_total}",
    "expect_multicolumn_values_to_be_equal": "{column_list} are equal in each row",
    "expect_query_results_to_match_comparison": "the query {base_query} gives what {comparison_query} gives in "
    "{comparison_data_source_name}",
    "expect_select_column_values_to_be_unique_within_record": "{column_list} differ within each row",
    "expect_table_column_count_to_be_between": "the number of columns is {bounds}",
    "expect_table_column_count_to_equal": "the number of columns is {value}",
    "expect_table_columns_to_match_ordered_list": "the columns are, in this order, {column_list}",
    "expect_table_columns_to_match_set": "the columns are {column_set}",
    "expect_table_row_count_to_be_between": "the number of rows is {bounds}",
    "expect_table_row_count_to_equal": "the number of rows is {value}",
    "expect_table_row_count_to_equal_other_table": "there are as many rows as in the table {other_table_name}",
}
"""What each expectation that a recipe can name asks, in words."""
FURTHER = {
    "or_equal": {True: "or equal"},
    "strictly": {True: "never equal"},
    "double_sided": {True: "on both sides", False: "on the upper side"},
    "ties_okay": {True: "which may share its place", False: "alone in its place"},
    "exact_match": {True: "and no others", False: "and may be more"},
}
"""Words for what an argument adds, by its value; other arguments add their name and value."""
RANGE = ("min_value", "max_value", "strict_min", "strict_max")


def in_words(kind: str, arguments: Mapping[str, Any]) -> str:
    """What an expectation asks, with all its arguments; its name and arguments where it has no words."""
    if kind not in WORDS:
        return shown(f"{kind}({', '.join(f'{name}={value}' for name, value in arguments.items())})")
    words, values = WORDS[kind], {name: _value(value) for name, value in arguments.items()}
    text = words.format_map(defaultdict(lambda: "what is not given", values | {"bounds": bounds(arguments)}))
    spoken = {name for name in arguments if f"{{{name}}}" in words} | {"mostly", "row_condition", "condition_parser"}
    spoken |= set(RANGE) if "{bounds}" in words else set()
    more = [_further(name, value) for name, value in arguments.items() if name not in spoken]
    if arguments.get("mostly", 1) != 1:
        more.append(f"in {arguments['mostly']:.2%} of the rows or more")
    if condition := arguments.get("row_condition"):
        more.append(f"where {_condition(condition)}")
    return shown(", ".join([text, *more]))


def bounds(arguments: Mapping[str, Any]) -> str:
    """The range of min_value, max_value, strict_min and strict_max."""
    low, high = arguments.get("min_value"), arguments.get("max_value")
    above, below = arguments.get("strict_min"), arguments.get("strict_max")
    if None not in (low, high) and not (above or below):
        return f"from {_value(low)} to {_value(high)}"
    parts = [] if low is None else [f"{'more than' if above else 'at least'} {_value(low)}"]
    parts += [] if high is None else [f"{'less than' if below else 'at most'} {_value(high)}"]
    return " and ".join(parts) or "any"


def _further(name: str, value: Any) -> str:
    named = name.replace("_", " ").strip()
    phrase = FURTHER.get(name, {}).get(value) if isinstance(value, bool) else None
    return phrase or f"{named} {_value(value)}"


def _value(value: Any) -> str:
    """Whole numbers with thousands separated, all else as it is."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _condition(condition: Any) -> str:
    """A row condition of GX's own form, as its configuration spells it."""
    match condition:
        case {"type": "comparison", "column": {"name": name}, "operator": operator, "parameter": parameter}:
            return f"{name} {operator} {parameter}"
        case {"type": "nullity", "column": {"name": name}, "is_null": empty}:
            return f"{name} is {'' if empty else 'not '}missing"
        case {"type": "and" | "or" as kind, "conditions": [*several]}:
            return f" {kind} ".join(map(_condition, several))
        case _:
            return str(condition)
