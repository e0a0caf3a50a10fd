"""What backward classification makes of data that nobody has described: a table of texts with labels, if asked for."""

from dataclasses import dataclass

import yaml

from configs.starter import Facts

from ...autodetect.proposal import CERTAIN, Draft, Proposal, Undescribed
from ...autodetect.table import look

MODEL = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}


@dataclass(frozen=True)
class BackwardStarter:
    """What the recipe's text follows from."""

    data: Undescribed
    facts: Facts

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        return {"rows": f"{self.facts.rows:,}", "labels": ", ".join(self.facts.labels)}

    def text(self) -> str:
        """The recipe."""
        columns = {"text": self.facts.columns.text, "label": self.facts.columns.label}
        recipe = {
            "name": self.data.name,
            "download": {"kind": "file", "path": self.data.path, "columns": columns},
            "encode": {"kind": "backward", "tokenizer": {"kind": "train", "vocab_size": 400}},
            "train": {"model": {"kind": "new", "family": "bert", "config": MODEL}, "epochs": 1},
            "register": {"model": self.data.name.replace("_", "-")},
        }
        return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)


def detect(data: Undescribed) -> Proposal | None:
    """Certain where it is asked for by name."""
    if data.kind != "backward" or data.located.table is None:
        return None
    return Proposal(CERTAIN, lambda: _draft(data))


def _draft(data: Undescribed) -> Draft:
    assert data.located.table is not None
    facts = look(data.located.table, data.data, data.text, data.label)
    return Draft(BackwardStarter(data, facts), facts.columns)
