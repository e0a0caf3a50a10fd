"""What encode states as classes is what the rows state, and texts that hold a token are named without repeating it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.encodings import ClassifierEncode, LabelWordEncode
from configs.expectations import Severity, Validate
from configs.models import TrainedTokenizer
from configs.secrets import MARKS
from tasks.data.checks.secret_checks import check_secrets
from tasks.data.errors import DataError
from tasks.kinds.image_classification.encode import require_labels
from tasks.kinds.text_classification.encode import FRAMES, certify_part, encode_part, make_encoding
from tasks.text.certificate import OTHER_CLASS
from tasks.text.vocabulary import tokenizer_for
from tasks.vision.parts import write_table

ROWS = pd.DataFrame(
    {
        "id": list("abcdef"),
        "text": [f"the {word} of it" for word in ("best", "worst", "better", "worse", "good", "bad")],
        "label": ["pos", "neg"] * 3,
    }
)
TOKENIZER = TrainedTokenizer(kind="train", vocab_size=300)


@pytest.mark.parametrize(
    "section",
    [
        ClassifierEncode(kind="classifier", tokenizer=TOKENIZER),
        LabelWordEncode(kind="label_word", tokenizer=TOKENIZER),
    ],
    ids=["classifier", "label_word"],
)
def test_class_ids_that_are_not_the_rows_break_the_certificate(section: ClassifierEncode | LabelWordEncode) -> None:
    tokenizer = tokenizer_for(section, ROWS["text"].tolist(), FRAMES[section.kind])
    encoding = make_encoding(section, tokenizer, ["neg", "pos"])
    part, _ = encode_part(encoding, tokenizer, ROWS)
    assert not any(certify_part(encoding, tokenizer, part, ROWS).violations.values())
    shifted = replace(part, class_ids=np.roll(part.class_ids, 1))
    assert certify_part(encoding, tokenizer, shifted, ROWS).violations[OTHER_CLASS] == list("abcdef")
    one = replace(part, class_ids=np.where(np.arange(6) == 2, 7, part.class_ids))
    assert certify_part(encoding, tokenizer, one, ROWS).violations[OTHER_CLASS] == ["c"]


def test_images_whose_class_ids_are_not_their_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    write_table(list("abcdf"), np.array([1, 0, 1, 0, 0]), [], path)  # row e could not be read
    require_labels(path, ROWS, ["neg", "pos"])
    write_table(list("abcdf"), np.array([0, 1, 0, 1, 0]), [], path)
    with pytest.raises(DataError, match="test: 4 images have a class id that is not their label's, such as a"):
        require_labels(path, ROWS, ["neg", "pos"])


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("column", ["text", "messages", "target"])
def test_a_secret_in_any_column_is_named_and_not_repeated(mark: str, column: str) -> None:
    known = {"xoxa": "xoxa-", "xoxb": "xoxb-", "xoxp": "xoxp-"}.get(mark, mark)
    rows = ROWS.assign(**{column: [f"word {n}" for n in range(6)]})
    rows.loc[3, column] = f"see {known}Ab3dEf7hIj1kLm"
    (verdict,) = check_secrets(rows, Validate())
    assert (verdict.success, verdict.severity, verdict.rows.tolist()) == (False, "warn", ["d"])
    assert "Ab3dEf7" not in f"{verdict.offending} {verdict.observed} {verdict.asked}"


@pytest.mark.parametrize("severity", ["fail", "quarantine", "warn"])
def test_words_that_only_begin_like_secrets_are_none(severity: Severity) -> None:
    rows = ROWS.assign(text=["task-oriented_dialogue", "eyJ is short", "hf_", "a risk-management_paper", "", "sk-8"])
    (verdict,) = check_secrets(rows, Validate(severity={"secrets": severity}))
    assert verdict.success and verdict.severity == severity and not len(verdict.rows)
    assert not check_secrets(ROWS[["id"]].assign(image="0"), Validate())
