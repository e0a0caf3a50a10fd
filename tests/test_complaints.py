"""What validate says of broken rows holds the whole fix."""

from tasks.data.checks.dialogue_checks import COLUMNS, facts
from tasks.data.checks.results import LONGEST, Verdict
from tasks.data.checks.verdict_page import complaint
from tasks.data.dialogues.turns import Message

BROKEN = (
    [("user", "Hello?"), ("user", "Quickly."), ("assistant", "Yes.")],
    [("assistant", "Welcome."), ("user", "Hello?"), ("assistant", "Yes.")],
    [("user", "Hello?"), ("assistant", " ")],
    [("user", "Hello?"), ("assistant", "Yes."), ("user", "Thanks.")],
)


def test_the_fix_of_a_dialogue_is_shown_whole() -> None:
    dialogues = [[Message(role=role, content=text) for role, text in turns] for turns in BROKEN]
    values = [value for name in COLUMNS for value in facts(dialogues, None)[name] if value]
    assert len(values) >= len(BROKEN)
    for value in values:
        assert len(value) <= LONGEST
        verdict = Verdict("in_set", "roles", "1 of 4 rows", False, offending=(("r-0", value),))
        assert value in complaint(verdict)
