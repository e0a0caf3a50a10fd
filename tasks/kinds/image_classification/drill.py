"""What `temper drill` plants in recipes that classify images."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..drilling import Change, Place
from ..drilling import next_class as useless

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["useless"]
ENDS = False
TEMPLATE = False


def perfect(table: "pd.DataFrame") -> "pd.DataFrame":
    """The class of each image."""
    return table.assign(predicted=table["label"])


def encoding(change: Change, truth: str | None) -> Place:
    """The class ids of a part's images, by which they are trained."""
    import pandas as pd

    from ...vision import parts

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def write_table(ids: Any, class_ids: Any, places: Any, path: Any) -> None:
            changed = change.truth(pd.Series(class_ids), path.stem).to_numpy() if change.truth else class_ids
            original(ids, changed, places, path)

        return write_table

    return Place(parts, "write_table", make)
