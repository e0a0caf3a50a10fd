"""How prompts with a better and a worse reply become model input: `encode` in a recipe, with kind preference."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .encodings import DialogueEncode, Padding, Traits
from .fields import STRICT, Share
from .models import TokenizerSource
from .tools import HotelTable, Tool, ToolFile


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PreferenceEncode:
    """Two dialogues through a chat template, the same up to the reply; supervised is the reply, its end included."""

    kind: Literal["preference"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "preference", "messages", "rejected", ("reward_accuracy", "reward_margin", "loss"), ("reference", "longer")
    )
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    template: str = "auto"
    """`own`: the tokenizer's chat template; `chatml`: the built-in one; `auto`: its own where it has one; else a file
    with a Jinja template, whose relative path starts at TEMPER_DATA."""
    template_name: str | None = None
    """Which of the tokenizer's own named templates; when absent `tool_use` where there are tools, else the default."""
    template_options: dict[str, bool | int | float | str] | None = None
    """Handed to the template in training, evaluation and chat alike, such as {enable_thinking: false}."""
    max_length: Annotated[int, Field(ge=8)] = 1024
    """Longest row in tokens; of a longer prompt the oldest turns go, from both sides the same, and never the reply."""
    max_dropped: Share = 0.5
    """Largest share of the rows that may be dropped here (too long, no pair of replies) before the run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""
    system: str | None = None
    """System turn of dialogues that have none."""
    tools: tuple[Tool, ...] | Annotated[ToolFile | HotelTable, Field(discriminator="kind")] | None = None
    """What the model may call; the template describes how. A list of tools, a file of definitions, or hotels."""

    @model_validator(mode="after")
    def _named(self) -> "PreferenceEncode":
        self.as_dialogue()  # whose checks hold here too
        return self

    def as_dialogue(self) -> DialogueEncode:
        """The section by which such a dialogue alone is encoded: its last turn is supervised, whatever it holds."""
        return DialogueEncode(
            kind="dialogue",
            tokenizer=self.tokenizer,
            template=self.template,
            template_name=self.template_name,
            template_options=self.template_options,
            max_length=self.max_length,
            padding=self.padding,
            system=self.system,
            tools=self.tools,
            turns="last",
        )
