"""What a run is expected to write next to what is free on the store's disk."""

from typing import TYPE_CHECKING

from configs.settings import settings
from tasks.store.free_space import existing, free_at

from .forecast import Forecast
from .foreseen import foresee
from .past_runs import is_measured
from .words import size, sizes

if TYPE_CHECKING:
    from configs.schema import Recipe

    from ..plan import Planned


def lack_of_space(foreseen: Forecast) -> str:
    """A sentence where the disk may become full, else nothing. What MLflow keeps of a model comes on top.

    The high number counts where like stages were measured alone: by default it is so wide that it would alarm always.
    """
    wanted, store = foreseen.total.disk, settings().store
    free = free_at(store)
    disks = [(stage.cost.disk, is_measured(stage.basis)) for stage in foreseen.stages]
    if sum(disk.high if measured else disk.expected for disk, measured in disks) <= free:
        return ""
    fits = "is not expected to fit" if wanted.expected > free else "may not fit"
    return (
        f"The run {fits} on its disk: it writes {sizes(wanted)}, and {size(free)} are free in {existing(store)}; "
        "`temper gc` shows what nothing needs."
    )


def lack_for(recipe: "Recipe", plan: "Planned | None") -> str:
    """The same of a run before it begins."""
    foreseen = foresee(recipe, plan)
    return "" if foreseen is None else lack_of_space(foreseen)
