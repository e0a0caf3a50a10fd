"""A second, independent check of pairs: both sides by the certificate of dialogues, and what they have in common."""

from collections.abc import Sequence

from ...learn.labels import IGNORE_INDEX
from ...text.chat.certificate import DialogueCertificate, certify_dialogues
from ...text.chat.encoding import DialogueEncoding, prompt
from ...text.collation import pad_rows
from ...text.tokenizer import TextTokenizer
from .reply_pairs import EncodedPairs

SHARED = "the sides do not share the prompt's tokens"
GIVEN = "the prompt's tokens are not those that inference gives"
DIFFERENT = "the sides do not differ in a supervised token"


def certify_pairs(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, pairs: EncodedPairs, ids: Sequence[str]
) -> DialogueCertificate:
    """Check both sequences of every pair that is kept, after collation; ids: of these pairs."""
    rows = [row for row in ids for _ in range(2)]
    result = certify_dialogues(encoding, tokenizer, pairs.encoded, rows, pairs.dialogues)
    result.dialogues = len(ids)
    result.violations |= {check: [] for check in (SHARED, GIVEN, DIFFERENT)}
    for number, row in enumerate(ids):
        for check in sorted(_broken(encoding, tokenizer, pairs, number)):
            result.violations[check].append(row)
    return result


def _broken(encoding: DialogueEncoding, tokenizer: TextTokenizer, pairs: EncodedPairs, number: int) -> set[str]:
    """The checks that one pair breaks."""
    batch = pad_rows(pairs.encoded.encoded, [2 * number, 2 * number + 1], encoding.pad_id)
    prompts, replies = [], []
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        marked = [place for place, label in enumerate(labels) if label != IGNORE_INDEX]
        prompts.append(ids[: marked[0]] if marked else ids)
        replies.append([labels[place] for place in marked])
    start, dialogue = int(pairs.encoded.starts[2 * number]), pairs.dialogues[2 * number]
    head = 1 if dialogue[0]["role"] == "system" else 0
    history = [*dialogue[:head], *dialogue[max(start, head) : -1]]
    broken = {
        SHARED: prompts[0] != prompts[1],
        GIVEN: prompts[0] != prompt(encoding, tokenizer, history),
        DIFFERENT: replies[0] == replies[1],
    }
    return {check for check, is_broken in broken.items() if is_broken}
