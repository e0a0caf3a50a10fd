"""Split dialogues -> encoded parts: sequences of the recipe's chat template, masked and certified."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from configs.encodings import TEMPLATES, DialogueEncode
from configs.models import HubTokenizer, LocalTokenizer, TrainedTokenizer
from configs.settings import settings

from ...data.dialogues.messages import Message, load_messages
from ...data.errors import DataError
from ...data.escape import code
from ...data.ledger import dropped_rows
from ...data.sources import hub
from ...data.sources.pretrained import pretrained_folder
from ..gguf_files import gguf_template
from ..parts import Part
from ..tokenizer import TextTokenizer
from ..vocabulary import make_tokenizer
from .certificate import DialogueCertificate, certify_dialogues
from .chat_template import CHATML, CHATML_TOKENS, Template
from .encoding import DialogueEncoding, encode_dialogues
from .make_encoding import make_dialogue_encoding
from .recipe_tools import write_tools
from .template_files import read_template, template_file
from .template_input import compose


@dataclass(frozen=True)
class EncodedPart:
    """One part: its sequences by row id, the dropped rows with reasons, and the certificate."""

    part: Part
    dropped: pd.DataFrame
    certificate: DialogueCertificate


def make_encoding(section: DialogueEncode, train: pd.DataFrame, folder: Path) -> tuple[DialogueEncoding, TextTokenizer]:
    """The tokenizer, learnt from training dialogues where the recipe states it, and the encoding; both are saved in
    `folder`, with what answers the tools. Raises DataError."""
    dialogues = [load_messages(dialogue) for dialogue in train["messages"]]
    brought = any(turns and turns[0].get("tools") for turns in dialogues)
    tools = write_tools(section.tools, folder)
    template = _template(section, tools=bool(tools) or brought).in_form()
    added = CHATML_TOKENS if template.source == CHATML else ()
    learnt = isinstance(section.tokenizer, TrainedTokenizer)
    texts = [_plain(template, dialogue, tools) for dialogue in dialogues] if learnt else []
    tokenizer = make_tokenizer(section.tokenizer, texts, added)
    encoding = make_dialogue_encoding(
        template,
        tokenizer,
        tools,
        system=section.system,
        train_on=section.train_on,
        turns=section.turns,
        max_length=section.max_length,
        padding=section.padding,
        packing=section.packing,
        new_tokens=tokenizer.added,
        template_options=dict(section.template_options or {}),
    )
    tokenizer.save(folder)
    encoding.save(folder)
    return encoding, tokenizer


def _plain(template: Template, messages: list[Message], tools: list[Message]) -> str:
    """What the template writes of a dialogue, the tools included, without the special tokens of the built-in one."""
    composed = compose(messages, range(len(messages)), system=None, system_in_user=False)
    known = tools if composed.tools is None else composed.tools
    return re.sub("|".join(map(re.escape, CHATML_TOKENS)), "\n", template.render(composed.messages, known))


def _template(section: DialogueEncode, *, tools: bool) -> Template:
    """The template that a recipe names. Raises DataError where the tokenizer has none of its own."""
    if section.template not in TEMPLATES:
        return template_file(settings().source(section.template))
    own = None if section.template == "chatml" else _own_template(section, tools)
    if own is None and section.template == "own":
        raise DataError("encode.template: own, but the tokenizer has no chat template; use chatml or a file")
    return own or Template(CHATML, {})


def _own_template(section: DialogueEncode, tools: bool) -> Template | None:
    match section.tokenizer:
        case (LocalTokenizer() | HubTokenizer()) as source:
            folder = pretrained_folder(source, hub.TOKENIZER_FILES)
            if source.gguf is not None:
                return gguf_template(folder / source.gguf)
            return read_template(folder, tools=tools, name=section.template_name)
    return None


def encode_part(encoding: DialogueEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame) -> EncodedPart:
    """Encode dialogues (id, messages); those that give no sequence are dropped. Raises DataError naming the row."""
    dialogues = [load_messages(messages) for messages in rows["messages"]]
    ids = rows["id"].tolist()
    encoded = encode_dialogues(encoding, tokenizer, dialogues, ids)
    certificate = certify_dialogues(encoding, tokenizer, encoded, ids, dialogues)
    gone = [dropped_rows(rows.iloc[[number]], reason) for number, reason in sorted(encoded.dropped.items())]
    sequences = [ids[number] for number in encoded.origin]
    part = Part(sequences, np.zeros(len(sequences), np.int64), encoded.encoded)
    return EncodedPart(part, pd.concat([dropped_rows(rows.head(0), ""), *gone], ignore_index=True), certificate)


def describe(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, certificates: Mapping[str, DialogueCertificate]
) -> str:
    """What was encoded, as Markdown."""
    ends = json.dumps(tokenizer.decode([[token] for token in encoding.end_ids]), ensure_ascii=False)
    lines = [
        "# encode (dialogue): the mask certificate holds",
        f"Vocabulary {tokenizer.size:,}, at most {encoding.max_length} tokens a sequence"
        + (", packed" if encoding.packing else "")
        + f"; a turn ends with one of {code(ends)}.",
        "",
        "| part | dialogues | sequences | tokens | supervised | turns trained | of these calls | with thoughts "
        "| turns cut off | trained turns lost |",
        "|---|" + "---:|" * 9,
    ]
    names = ("dialogues", "rows", "tokens", "supervised", "turns", "calls", "thoughts", "turns_removed", "lost")
    lines += [
        f"| {part} | {' | '.join(f'{getattr(c, name):,}' for name in names)} |" for part, c in certificates.items()
    ]
    counted = ("own_ids", "split", "unsystemed")
    own_ids, split, unsystemed = (sum(getattr(c, name) for c in certificates.values()) for name in counted)
    if own_ids:
        lines += [
            "",
            f"{own_ids:,} trained calls hold an id (call00000 …) that Temper gave them: the template has the "
            "model generate ids, and the data has none, or none that it takes.",
        ]
    if split:
        lines += [
            "",
            f"At the beginning of {split:,} turns a token of the whole text is cut, so that a turn begins "
            "behind the very tokens that inference gives.",
        ]
    if unsystemed:
        lines += [
            "",
            f"In {unsystemed:,} sequences the template leaves out the system turn, in training as in "
            "inference: it writes it before a user turn that is the last one alone.",
        ]
    return "\n".join(lines)
