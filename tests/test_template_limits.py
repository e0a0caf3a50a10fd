"""Chat templates that never end or fill the memory are refused in a line, in any thread; others render as before."""

import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.data.errors import DataError
from tasks.text.chat import template_limits
from tasks.text.chat.chat_template import CHATML, Template

TURNS = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
SPINS = (
    "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}"
)
ENDLESS = {
    "range": "{% for i in range(10**9) %}x{% endfor %}",
    "recursion": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "a huge text": "{{ 'x' * 10**9 * 10**3 }}",
    "doubling": "{% set ns = namespace(t='x') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
    "nested loops": SPINS,
    "a power": "{{ 9 ** (9 ** 9) }}",
    "a long text": "{% for i in range(90000) %}{{ 'x' * 900 }}{% endfor %}",
}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_limits, "TRIAL_SECONDS", 2.0)
    monkeypatch.setattr(template_limits, "SECONDS", 1.0)
    monkeypatch.setattr(template_limits, "LOOK_EVERY", 0.05)


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_template_that_takes_too_much_is_refused_in_a_line(kind: str) -> None:
    began = time.monotonic()
    with pytest.raises(DataError, match="the chat template is refused: ") as said:
        Template(ENDLESS[kind], {}).render(TURNS)
    assert "\n" not in str(said.value) and time.monotonic() - began < 60


@pytest.mark.parametrize("spins", [SPINS, "{% set x = [1] %}" + SPINS.replace("9999", "99999")])
def test_one_that_loops_for_certain_dialogues_alone_is_ended_in_its_thread(spins: str) -> None:
    """The trial does not know the word; the thread that is stopped goes on with its next work unharmed."""
    template = Template("{% if 'again' in messages[0].content %}" + spins + "{% endif %}{{ messages[0].content }}", {})
    said: list[str] = []

    def work() -> None:
        for content in ("Hello", "again", "Hello"):
            try:
                said.append(template.render([{"role": "user", "content": content}]))
            except DataError as error:
                said.append(str(error))
        said.append(str(sum(range(10_000))))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    refused = "the chat template is refused: it did not end within 1 s; take the model's own template, or chatml"
    assert said == ["Hello", refused, "Hello", "49995000"]


def test_an_interruption_that_something_swallows_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_limits, "SECONDS", 0.2)
    monkeypatch.setattr(template_limits, "AGAIN", 0.2)
    swallowed = list[str]()

    def busy() -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass

    def stubborn() -> None:
        with template_limits.limited(CHATML):
            try:
                busy()
            except template_limits.TemplateLimit as error:
                swallowed.append(str(error))
            busy()

    with pytest.raises(template_limits.TemplateLimit):
        stubborn()
    assert len(swallowed) == 1


@pytest.mark.filterwarnings("ignore:Exception ignored in")  # the interruption may meet what another library collects
def test_data_that_recurse_are_refused_too() -> None:
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(DataError, match=r"the chat template (is refused|refuses)"):
        Template("{{ messages[0].content | tojson }}", {}).render([{"role": "user", "content": deep}])


def test_good_templates_render_and_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    assert template_limits.tried(CHATML) == template_limits.tried(spans) == ""
    assert Template(spans, {}).spans(TURNS) == [(0, 5), (5, 7)]
    monkeypatch.setattr(template_limits.subprocess, "run", None)  # a second trial would call it
    began = time.perf_counter()
    for _ in range(200):
        assert "Hello" in Template(CHATML, {}).render(TURNS)
    assert time.perf_counter() - began < 5


def test_a_machine_that_is_busy_refuses_no_template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A trial waits for the processor as long as others hold it; what counts is the time that it computes."""
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nsleep 3\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setattr(template_limits.sys, "executable", str(slow))
    assert template_limits.tried(CHATML + "{# on a busy machine #}") == ""
    assert "did not end within 2 s of the processor" in template_limits.tried(SPINS + "{# on a busy machine #}")
