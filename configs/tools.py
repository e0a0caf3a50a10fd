"""What a dialogue model may call: `encode.tools` in a recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, refuse_unread

ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Filter:
    """How an argument of a call narrows a table."""

    column: str | None = None
    """Column that the argument is compared with; when absent the one of the argument's name."""
    match: Literal["equals", "contains", "range", "all_of"] = "equals"
    """`equals`: the same value, in any case; `contains`: the argument is a part of the text, in any case; `range`: the
    number lies in a range as people write it ("100-200", "4.5 and above"); `all_of`: each text of the argument's list
    is a part of a text in the column's list."""
    at_least: bool = False
    """Whether a number without a word is a lower bound (match: range); else it is refused in words."""

    @model_validator(mode="after")
    def _read(self) -> "Filter":
        if self.match != "range":
            refuse_unread(self, ("at_least",), f"with match: {self.match}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TableAnswer:
    """A call returns the records of a table that fit all its arguments; the table travels with the model."""

    kind: Literal["table"]
    """This kind of answer."""
    path: str
    """A table in JSON lines or CSV; a relative path starts at TEMPER_DATA."""
    filters: dict[str, Filter] = Field(default_factory=dict)
    """Argument to how it narrows the table; an argument that is not named must equal the column of its name."""
    returns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Columns of a returned record; when absent all."""
    order: tuple[str, ...] = ()
    """Columns that records are sorted by, with a minus in front from the largest on; equal ones keep their order."""
    limit: Positive = 3
    """Most records that a call returns."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PythonAnswer:
    """A function is called with the arguments, in `temper chat --allow-tool NAME` alone."""

    kind: Literal["python"]
    """This kind of answer."""
    entry: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
    """The function, as `package.module:function`, of a package that is installed where the chat runs."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tool:
    """A tool that the model may call."""

    name: ToolName
    """What the model calls it."""
    description: str = ""
    """What it does, for the model to read."""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON schema of the arguments, of type object."""
    answered_by: Annotated[TableAnswer | PythonAnswer, Field(discriminator="kind")] | None = None
    """What answers a call in a chat; when absent nothing does, and the tool is for training alone."""

    @model_validator(mode="after")
    def _coherent(self) -> "Tool":
        require_schema(self.parameters, f"parameters of {self.name}")
        if isinstance(self.answered_by, TableAnswer):
            for argument in self.answered_by.filters:
                if argument not in (known := self.parameters.get("properties", {})):
                    raise ValueError(
                        f"answered_by.filters has {argument!r}, which is no argument of {self.name}; "
                        f"its parameters are {', '.join(known) or 'none'}"
                    )
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ToolFile:
    """Definitions of tools for training alone: nothing answers their calls."""

    kind: Literal["file"]
    """This kind of tools."""
    path: str
    """JSON with a list of definitions in OpenAI's form; a relative path starts at TEMPER_DATA."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HotelTable:
    """The tool `search_hotels` on a table of hotels, which travels with the model."""

    kind: Literal["hotels"]
    """This kind of tool."""
    path: str | None = None
    """CrossWOZ's hotel_db.json or a table in JSON lines; a relative path starts at TEMPER_DATA. When absent, the
    table that comes with Temper."""


def require_schema(schema: Any, what: str) -> None:
    """Raise ValueError for what is no JSON schema of an object, naming the place in it."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path))
        raise ValueError(f"{what} are no JSON schema{f': {place}' if place else ''}: {error.message}") from None
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ValueError(f"{what} must be a JSON schema of `type: object`, since arguments have names")


def require_other_names(names: list[str]) -> None:
    """Raise ValueError for tools of one name, in any case: each has a file of its name."""
    folded = [name.casefold() for name in names]
    if twice := [name for name in names if folded.count(name.casefold()) > 1]:
        raise ValueError(f"tools: two are called {twice[0]!r}; a model distinguishes tools by name, rename one")
