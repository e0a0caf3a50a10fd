"""Sequence to sequence as the stages, the registry and the commands know it."""

from configs.encodings import Seq2SeqEncode

from ..spec import Kind

SPECS = {
    "seq2seq": Kind(
        Seq2SeqEncode.traits,
        "a sequence-to-sequence model",
        libraries=("tokenizers", "transformers"),
        requirements=("tokenizers",),
        plain="AutoModelForSeq2SeqLM",
        answers={"written": "string"},
        rescored_by="write_texts",
        starter="a small new model generates a target text",
        rescored=(("written", "written"), ("ended", "ended")),
    )
}
