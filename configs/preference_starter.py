"""Facts about pairs of replies -> the text of a commented starter recipe that trains on them."""

from dataclasses import dataclass

from .dialogue_starter import REPO, DialogueStarter
from .recipe_comments import (
    Lines,
    flow,
    register_lines,
    text_pace_lines,
    trained_tokenizer,
)
from .starter import VOCABULARY
from .starter_source import source_lines


@dataclass(frozen=True)
class PreferenceStarter(DialogueStarter):
    """What the text follows from; see `Starter`. The facts are of the dialogues that end in the chosen replies."""

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        columns = self.facts.columns
        asked = f"{' and '.join(columns.prompts)}, replied to in " if columns.prompts else ""
        replies = f"{asked}{columns.chosen} (the better) and {columns.rejected} (the worse)"
        return {name: replies if name == "dialogue" else value for name, value in super().seen().items()}

    def aim(self, file: str) -> str:
        """What is learnt, as a sentence."""
        return f"A small GPT-2 learns, from the {self.facts.rows:,} pairs of replies of {file}, which to prefer (DPO)."

    def _download(self) -> Lines:
        columns = self.facts.columns
        yield from source_lines(self.source, self.path)
        yield "  columns:", "`tools` and `system` next to dialogues are read too; `ignore` leaves keys out"
        if columns.prompts:
            yield f"    prompt: {flow(list(columns.prompts))}", "what the user says"
        yield (
            f"    chosen: {flow(str(columns.chosen))}",
            "the better reply" if columns.prompts else "ends in the better",
        )
        yield f"    rejected: {flow(str(columns.rejected))}", "the worse one, to the same prompt"

    def _clean(self) -> Lines:
        yield "clean:\n  steps:", "in this order; pairs without two different replies to one prompt `encode` drops"
        yield "  - missing", ""
        yield "  - duplicates", ""

    def _encode(self) -> Lines:
        yield "encode:\n  kind: preference", ""
        yield from trained_tokenizer(REPO, VOCABULARY)
        yield "  template: chatml", "or `own`, where the tokenizer has one"
        yield f"  max_length: {self.max_length}", "in tokens; of longer prompts the oldest turns go"

    def _train(self) -> Lines:
        rows = self.facts.parts["train"]
        yield "train:", ""
        yield "  model:", f"or {{kind: hub, repo: {REPO}}}, or {{kind: registered, name: YOUR-DIALOGUE-MODEL}}"
        yield "    kind: new\n    family: gpt2", ""
        yield f"    config: {{n_layer: 2, n_head: 4, n_embd: 128, n_positions: {self.max_length}}}", ""
        yield "  beta: 0.1", "how strongly it is held to the weights that it starts from"
        yield "  learning_rate: 5e-4", "5e-6 for a pretrained model"
        yield f"  schedule: linear\n  clip: 1.0\n  epochs: {3 if rows < 2000 else 1}", ""
        yield from text_pace_lines(8, rows)
        yield "  metric: loss", ""

    def _register(self) -> Lines:
        return register_lines(self.name, "reward_accuracy")
