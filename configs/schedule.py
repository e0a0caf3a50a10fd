"""When a recipe runs by itself: a cron line or an interval, a time zone, a random delay."""

from difflib import get_close_matches
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .cron import next_times, shortest_gap
from .fields import STRICT

LONGEST = 10 * 366 * 24 * 3600
"""Seconds of the longest interval: ten years."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Timetable:
    """Read by `temper schedule` and `temper up`; no stage reads it."""

    cron: str | None = None
    """Five fields: minute, hour, day of month, month, day of week."""
    interval: Annotated[int, Field(ge=1, le=LONGEST)] | None = None
    """Seconds between the beginnings of two runs."""
    timezone: str = "UTC"
    """Whose clock the cron line reads, such as Europe/Zurich."""
    jitter: Annotated[int, Field(ge=0)] = 0
    """Each run begins up to so many seconds later, at random, so that not all begin at once; less than lie between two
    runs."""
    overrides: tuple[str, ...] = ()
    """Changes to the recipe in scheduled runs, as section.key=value."""

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None:
            if len(value.split()) != 5:
                raise ValueError(f"{value!r} is no cron line of five fields, such as '0 3 * * 1' for Mondays at three")
            next_times(value)
        return value

    @field_validator("interval", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        if isinstance(value, str | float):
            raise ValueError(f"{value!r} is no whole number of seconds; write 3600 for every hour, 86400 for every day")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no time zone; {_nearest_zone(value)}")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> "Timetable":
        if (self.cron is None) == (self.interval is None):
            raise ValueError("give one of the two, cron ('0 3 * * 1' for Mondays at three) or interval (seconds)")
        if self.jitter and self.jitter >= (gap := self.interval or shortest_gap(str(self.cron))):
            raise ValueError(
                f"jitter {self.jitter} must be less than the {gap:g} seconds between two runs, or they "
                "would overtake one another"
            )
        return self


def _nearest_zone(name: str) -> str:
    """The zone that is meant, whatever its case and however much of it is given."""
    zones = {zone.casefold(): zone for zone in sorted(available_timezones())}
    cities = {key.rpartition("/")[2]: key for key in zones}
    asked = name.casefold().replace(" ", "_")
    for known in (zones, cities):
        if near := get_close_matches(asked, known, 1, 0.8):
            return f"did you mean {zones[cities.get(near[0], near[0]) if known is cities else near[0]]}?"
    return "write UTC or one such as Europe/Zurich"
