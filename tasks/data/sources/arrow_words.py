"""Columns in Arrow's types -> words by its own kernels, spelt as Python spells each value by itself."""

from typing import Any

import pandas as pd

PLAIN = 1e-4, 1e9
"""Between these sizes Arrow writes the digits of a double that Python writes, save for the `.0` of a whole one."""


def words_of(column: pd.Series) -> pd.Series | None:
    """The words of whole numbers, truth values and doubles; None for a column of another type."""
    import pyarrow as pa

    if not isinstance(column.dtype, pd.ArrowDtype):
        return None
    values, kind = pa.array(column.array), column.dtype.pyarrow_dtype
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        words = values.cast(pa.large_string())
    elif pa.types.is_float64(kind):
        words = _doubles(values)
    else:
        return None
    return pd.Series(words, index=column.index, dtype="str", name=column.name)


def _doubles(values: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    words = whole.cast(pa.large_string())
    dot, nothing = (pa.scalar(text, pa.large_string()) for text in (".0", ""))
    words = pc.if_else(pc.match_substring(words, "."), words, pc.binary_join_element_wise(words, dot, nothing))
    size = pc.abs(whole)
    odd = pc.invert(pc.and_(pc.greater_equal(size, PLAIN[0]), pc.less(size, PLAIN[1])))
    rest = [repr(value) if value == value else None for value in whole.filter(odd).to_pylist()]
    return pc.replace_with_mask(words, odd.fill_null(False), pa.array(rest, pa.large_string()))
