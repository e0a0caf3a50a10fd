"""Split dialogues -> sequences of the recipe's chat template, masked and certified, and calls that read back."""

import pandas as pd

from configs.encodings import DialogueEncode

from ...artifact import Artifact
from ...data.dialogues.messages import load_messages
from ...text.certificate import write_certificates
from ...text.chat.call_proof import prove_calls
from ...text.chat.rows import describe, encode_part, make_encoding
from ...text.parts import write_part
from ..spec import EncodedRows, StageOutput


def encode_rows(
    out: StageOutput, section: DialogueEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part. Raises DataError, MaskError."""
    encoding, tokenizer = make_encoding(section, tables["train"], out.data)
    ids, dropped, certificates = {}, [], {}
    for name, table in tables.items():
        encoded = encode_part(encoding, tokenizer, table)
        encoded.certificate.require(name)
        write_part(encoded.part, out.data / f"{name}.parquet")
        ids[name], certificates[name] = encoded.part.ids, encoded.certificate
        dropped.append(encoded.dropped)
    write_certificates(certificates, out.data)
    train = tables["train"]
    page = describe(encoding, tokenizer, certificates)
    proof = prove_calls(encoding, dict(zip(train["id"], map(load_messages, train["messages"]), strict=True)))
    if unread := proof.describe():
        out.log(unread)
        page += f"\n\n{unread}."
    return EncodedRows(ids, pd.concat(dropped, ignore_index=True), page)
