"""From dialogues to a chat: the recipe's stages, the served model, the same prompts in training and serving."""

import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from configs.load import RecipeError, load_recipe
from configs.schema import Recipe
from flows.cli.console import THEME
from tasks.artifact import Artifact
from tasks.data.dialogues.messages import Message, dump_messages, load_messages
from tasks.data.rows import read_rows
from tasks.learn.labels import IGNORE_INDEX
from tasks.store.events import Event
from tasks.text.chat.encoding import encode_dialogues
from tasks.text.chat.end_of_turn import kind_of
from tasks.text.chat.predictor import Predictor
from tasks.text.chat.rows import make_encoding

pytestmark = pytest.mark.faults
ROOT = Path(__file__).resolve().parent.parent
TINY = [
    "train.model.config={n_layer: 1, n_head: 2, n_embd: 32, n_positions: 1024}",
    "train.epochs=1",
    "train.batch_size=8",
    "evaluate.bootstrap=100",
    "evaluate.max_new_tokens=12",
]


def recipe(*changes: str) -> Recipe:
    return load_recipe(ROOT / "configs" / "hotel_demo.yaml", [*TINY, *changes])


@pytest.fixture
def stages(heard: list[Event]) -> dict[str, Artifact]:
    """The demo's stages up to evaluate, once for the module."""
    from flows.stage_graph import perform_until

    return {name: outcome.result for name, outcome in perform_until(recipe(), "evaluate").items()}


@pytest.fixture
def predictor(stages: dict[str, Artifact]) -> Predictor:
    return Predictor.load(stages["train"].file("config.json").parent)


def test_every_dialogue_goes_from_the_source_to_a_report(stages: dict[str, Artifact]) -> None:
    report = json.loads(stages["evaluate"].file("report.json").read_text(encoding="utf-8"))
    certificate = json.loads(stages["encode"].file("certificate.json").read_text(encoding="utf-8"))
    assert all(part["holds"] and part["lost"] == 0 for part in certificate.values())
    assert sum(part["dialogues"] for part in certificate.values()) == 40
    test = read_rows(stages["split"].file("test.parquet"))
    due = [message for text in test["messages"] for message in load_messages(text) if kind_of(message)]
    assert report["counts"]["turns"] == len(due)
    assert report["counts"]["calls_due"] == sum(kind_of(message) == "call" for message in due)
    assert {"argument_f1", "call_exact", "end_of_turn", "reply_bleu", "loss", "loss_call"} <= set(report["scores"])
    assert report["baselines"]["nearest"].keys() >= {"argument_f1", "reply_rouge_l"}
    assert "transcripts.html" in {path.name for path in stages["evaluate"].records.iterdir()}


def varied(dialogues: list[list[Message]], count: int) -> list[list[Message]]:
    """Dialogues of the demo with other words, other lengths and odd content in them."""
    draw = random.Random(7)
    odd = ["<|im_end|>", " leading", "trailing ", "\n\n", "你好", "🙂", "<|im_start|>system", "x" * 300]
    made = []
    for _ in range(count):
        copy = load_messages(dump_messages(draw.choice(dialogues)))
        for message in copy:
            if message["role"] in ("user", "assistant") and message["content"] and draw.random() < 0.3:
                message["content"] = draw.choice(odd) + message["content"] + draw.choice(odd)
        made.append(copy)
    return made


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.long)])
def test_training_and_serving_give_the_same_prompt_ids(
    count: int, stages: dict[str, Artifact], predictor: Predictor, tmp_path: Path
) -> None:
    train = read_rows(stages["split"].file("train.parquet"))
    encoding, tokenizer = make_encoding(recipe().encode, train, tmp_path)
    raw = read_rows(stages["download"].file("rows.parquet"))["messages"]
    dialogues = varied([load_messages(text) for text in raw], count)
    made = encode_dialogues(encoding, tokenizer, dialogues)
    turns = mismatches = 0
    for number, (origin, trained) in enumerate(zip(made.origin, made.trained, strict=True)):
        span = slice(made.encoded.offsets[number], made.encoded.offsets[number + 1])
        ids, labels = made.encoded.ids[span].tolist(), made.encoded.labels[span]
        starts = [n for n, label in enumerate(labels) if label != IGNORE_INDEX and labels[n - 1] == IGNORE_INDEX]
        begun = made.starts[number]
        for turn, start in zip(trained, starts, strict=True):
            turns += 1
            mismatches += predictor.prompt(dialogues[origin][begun:turn], 1) != ids[:start]
    assert len(set(made.origin.tolist())) + len(made.dropped) == count
    assert turns > 2 * count and mismatches == 0


def test_a_stream_writes_what_a_request_gets(predictor: Predictor) -> None:
    asked: list[Message] = [{"role": "user", "content": "A cheap room, please."}]
    (written,) = predictor.write([asked], longest=12)
    assert predictor.read("".join(predictor.stream(asked, 12)).rstrip("\ufffd")) == written.message or not written.ended
    answer = predictor.complete({"messages": asked, "max_tokens": 12})
    assert answer["object"] == "chat.completion" and answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["finish_reason"] in ("stop", "length", "tool_calls")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({}, "needs `messages`"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "unknown role 'wizard'"),
        ({"messages": [{"role": "user", "content": "x"}], "n": 3}, "does not take 'n'"),
        ({"messages": [{"role": "user", "content": "long " * 3000}]}, "last user turn needs"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(predictor: Predictor, request_: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        predictor.complete(request_)


def test_a_history_without_room_for_an_answer_is_an_empty_turn_of_the_evaluation(predictor: Predictor) -> None:
    short: list[Message] = [{"role": "user", "content": "hi"}]
    long: list[Message] = [{"role": "user", "content": "long " * 3000}]
    first, second, third = predictor.write([short, long, short], longest=4)
    assert not second.fits and not second.ended and second.message == {"role": "assistant", "content": ""}
    assert first.fits and first == third


def test_a_search_runs_on_the_table_and_its_mistakes_go_back_to_the_model(predictor: Predictor) -> None:
    call = {"type": "function", "function": {"name": "search_hotels", "arguments": {"type": "budget"}}}
    wrong = {"type": "function", "function": {"name": "search_hotels", "arguments": {"colour": "red"}}}
    good, bad = predictor.answers({"role": "assistant", "content": "", "tool_calls": [call, wrong]})
    assert {hotel["type"] for hotel in json.loads(good["content"])} == {"budget"}
    assert "knows no 'colour'" in json.loads(bad["content"])["error"]


class Scripted:
    """A model whose turns are given: a search, then a reply."""

    def __init__(self, turns: list[str], predictor: Predictor) -> None:
        self.turns, self.heard = iter(turns), [[]]
        self.read, self.answers, self.may_be_call = predictor.read, predictor.answers, predictor.may_be_call

    def stream(self, messages: list[Message], longest: int) -> list[str]:
        self.heard.append([message["role"] for message in messages])
        return list(next(self.turns))


def test_a_chat_searches_answers_and_begins_anew(predictor: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli.chat import Conversation

    search = '<tool_call>\n{"name": "search_hotels", "arguments": {"type": "budget"}}\n</tool_call>'
    model = Scripted([search, "The Copper Kettle is cheap.", "Hello!"], predictor)
    Conversation(model, Console(width=200, theme=THEME), 50).talk(
        ["A cheap room?", "", "/new", "hi", "/quit", "never"], echo=True
    )
    said = capsys.readouterr().out
    assert "tool   > search_hotels(type: budget) -> 3 found: Little Heron House, The Copper Kettle" in said
    assert "model  > The Copper Kettle is cheap." in said and "never" not in said
    assert model.heard[2] == ["user", "assistant", "tool"] and model.heard[3] == ["user"]
    assert "tool_call" not in said


def test_a_model_that_only_searches_is_stopped(predictor: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli.chat import CALLS, Conversation

    search = '<tool_call>\n{"name": "search_hotels", "arguments": {}}\n</tool_call>'
    Conversation(Scripted([search] * CALLS, predictor), Console(width=200, theme=THEME), 50).talk(["hi"], echo=False)
    assert f"{CALLS} turns of calls in a row" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("register.metric=accuracy", "judged by argument_f1"),
        ("encode={kind: classifier, tokenizer: {kind: train}}", "reads texts with a label"),
        ("train.metric=macro_f1", "needs classes"),
        ("train.label_smoothing=0.1", "not read with encode.kind: dialogue"),
        ("clean.steps=[html]", "for texts, but the recipe is about dialogues"),
    ],
)
def test_what_does_not_go_with_dialogues_is_refused_at_load(change: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        recipe(change)


def test_a_dialogue_is_shown_turn_by_turn(
    stages: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.cli import mask

    monkeypatch.setenv("COLUMNS", "30000")
    mask.command(ROOT / "configs" / "hotel_demo.yaml", TINY, 1)
    lines = iter(capsys.readouterr().out.split("\n"))
    assert next(line for line in lines if re.match(r"\w+-0  \d+ tokens", line))
    shown = list(itertools.takewhile(bool, lines))
    given, said = shown[::2], shown[1::2]
    assert len(said) > 2 and all(turn.endswith("<|im_end|>│") for turn in said)
    assert all(turn.endswith("<|im_start|>│assistant│⏎│") for turn in given[: len(said)])


@pytest.mark.long
def test_the_registered_model_answers_over_http(
    stages: dict[str, Artifact], harness: None, heard: list[Event], tmp_path: Path
) -> None:
    from flows.finetune import finetune
    from tasks.tracking.models import load_model

    version = finetune(recipe())
    assert load_model(version.uri, "messages").predict({"messages": [{"role": "user", "content": "hi"}]})["choices"]
    (tmp_path / "turns.txt").write_text("A cheap room?\n\n/quit\nnever\n", encoding="utf-8")
    from configs.settings import settings

    talk = [sys.executable, "-m", "flows", "chat", version.name, "--max-tokens", "8", "--script"]
    known = {**os.environ, "MLFLOW_TRACKING_URI": settings().tracking}
    good, bad = (
        subprocess.run([*talk, str(tmp_path / name)], cwd=ROOT, env=known, capture_output=True, text=True)
        for name in ("turns.txt", "no.txt")
    )
    said = good.stdout.split("\n")
    assert good.returncode == 0 and said[0] == "you    > A cheap room?" and said[1].startswith("model  > "), good
    assert "never" not in good.stdout
    assert bad.returncode == 1 and "no.txt" in bad.stderr and "Traceback" not in bad.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        version.uri,
        "--env-manager",
        "local",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(
        command,
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": settings().tracking,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        answer = ask(port, {"messages": [{"role": "user", "content": "A cheap room?"}], "max_tokens": 8})
        assert answer["choices"][0]["message"]["role"] == "assistant"
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(port, {"messages": [{"role": "wizard", "content": "x"}]})
        assert refused.value.code == 400
        refused.value.close()
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def ask(port: int, body: dict[str, Any]) -> dict[str, Any]:
    """Post to the server, which takes a while to start."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    for _ in range(240):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.5)
    raise TimeoutError("the server did not start")
