"""train.precision: auto is settled before the key is made, by what the processor or the GPU can do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from test_fit import FEED, Killed, at, difference, part, section, tiny, train

from configs.literal import literal
from configs.load import load_recipe
from configs.models import NewModel
from configs.optimizers import Lbfgs, Rprop
from configs.phases import Phase
from configs.precision import fast_precision, precision_note, settled
from configs.schema import Train
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
from tasks.pins import pin

ROOT = Path(__file__).resolve().parent.parent
MODEL = NewModel(kind="new", family="gpt2")
AUTO = Train(model=MODEL)
"""A recipe that says nothing of it."""
PLAIN = "processor\t: 0\nflags\t\t: fpu sse2 avx512f avx512_vnni\nbogomips: 1\n"
ABLE = {
    "both": (PLAIN.replace("fpu", "fpu avx512_bf16 amx_bf16 amx_tile"), "the processor has amx_bf16, avx512_bf16"),
    "AMX": (PLAIN.replace("fpu", "amx_bf16"), "the processor has amx_bf16"),
    "AVX512": (PLAIN.replace("fpu", "avx512_bf16"), "the processor has avx512_bf16"),
}
UNABLE = {
    "plain": PLAIN,
    "another flag of that name": PLAIN.replace("fpu", "xamx_bf16x"),
    "Arm": "Features\t: bf16\n",
    "empty": "",
}


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Linux would list."""
    monkeypatch.setattr("configs.precision.CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize("name", ABLE)
def test_auto_is_bfloat16_where_the_processor_has_it(name: str, cpuinfo: Path) -> None:
    cpuinfo.write_text(ABLE[name][0])
    assert fast_precision() == ("bfloat16", ABLE[name][1])
    assert precision_note(AUTO) == f"train.precision auto is bfloat16 ({ABLE[name][1]})"


@pytest.mark.parametrize("name", [*UNABLE, "no such file"])
def test_auto_is_float32_elsewhere(name: str, cpuinfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in UNABLE:
        cpuinfo.write_text(UNABLE[name])
    assert fast_precision()[0] == "float32" and settled(AUTO).precision == "float32"
    assert "neither amx_bf16 nor avx512_bf16" in precision_note(AUTO)
    cpuinfo.write_text(ABLE["both"][0])
    monkeypatch.setattr("sys.platform", "darwin")
    assert fast_precision()[0] == "float32"


@pytest.mark.parametrize(
    ("limit", "precision"),
    [
        ("AVX512_CORE_VNNI", "float32"),
        ("avx2", "float32"),
        ("AVX512_CORE_BF16", "bfloat16"),
        ("ALL", "bfloat16"),
        ("AVX512_CORE_AMX", "bfloat16"),
        ("", "bfloat16"),
    ],
)
def test_instructions_that_are_forbidden_do_not_count(
    limit: str, precision: str, cpuinfo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo.write_text(ABLE["both"][0])
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert fast_precision()[0] == precision


@pytest.mark.parametrize("able", [True, False])
def test_where_a_gpu_is_it_counts(able: bool, cpuinfo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """torch is asked only where the system shows a device of a GPU, and its processor does not count then."""
    cpuinfo.write_text(PLAIN if able else ABLE["both"][0])
    before = fast_precision()[0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able and not including_emulation)
    assert fast_precision()[0] == before
    monkeypatch.setattr("configs.precision.GPUS", (tmp_path,))
    assert fast_precision() == (("bfloat16", "the GPU has bfloat16") if able else ("float32", "the GPU lacks bfloat16"))
    assert fast_precision()[0] != before


def keyed(how: Train) -> Any:
    pinned, values = pin(how, ask=False)
    assert pinned.precision == values.get("precision", "float32") == literal(pinned).get("precision", "float32")
    return values


def test_the_key_has_what_auto_comes_to(cpuinfo: Path) -> None:
    """A recipe that is silent has the key of one that says it, on either machine; float32 is as before `auto`."""
    said = {one: keyed(replace(AUTO, precision=one)) for one in ("float32", "bfloat16", "float16")}
    assert "precision" not in said["float32"] and said["bfloat16"]["precision"] == "bfloat16"
    cpuinfo.write_text(PLAIN)
    assert keyed(AUTO) == said["float32"]
    cpuinfo.write_text(ABLE["AMX"][0])
    assert keyed(AUTO) == said["bfloat16"] != said["float32"]
    assert {one: keyed(replace(AUTO, precision=one)) for one in said} == said, "what is said is kept"
    assert all(precision_note(replace(AUTO, precision=one)) == "" for one in said)


@pytest.mark.parametrize(
    "how",
    [
        Train(model=MODEL, precision="auto", optimizer=Lbfgs(kind="lbfgs")),
        Train(model=MODEL, precision="auto", phases=(Phase(), Phase(optimizer=Rprop(kind="rprop")))),
    ],
)
def test_what_needs_float32_has_it(how: Train, cpuinfo: Path) -> None:
    cpuinfo.write_text(ABLE["both"][0])
    assert settled(how).precision == "float32" and "for this optimiser" in precision_note(how)
    with pytest.raises(ValidationError, match="reduced precision"):
        replace(how, precision="bfloat16")


def test_the_preset_hf_is_float32() -> None:
    assert AUTO.precision == "auto" and Train(model=MODEL, preset="hf").precision == "float32"
    assert Train(model=MODEL, preset="hf", precision="auto").precision == "auto"


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn", "chinese_mnist_mlp", "chinese_mnist_cnn"])
def test_recipes_that_were_published_in_float32_keep_it(name: str, cpuinfo: Path) -> None:
    cpuinfo.write_text(ABLE["both"][0])
    assert settled(load_recipe(ROOT / "configs" / f"{name}.yaml").train).precision == "float32"
    hub = load_recipe(ROOT / "configs" / "rotten_tomatoes_gpt2.yaml")
    assert settled(hub.train).precision == "float32" != settled(AUTO).precision


def test_a_killed_training_in_bfloat16_ends_bit_equal(cpuinfo: Path, tmp_path: Path) -> None:
    cpuinfo.write_text(ABLE["both"][0])
    settled_here = settled(section(precision="auto"))
    whole = train(tmp_path / "whole", settled_here)
    with pytest.raises(Killed):
        train(tmp_path / "killed", settled_here, kill=at(10, "loss"))
    again = train(tmp_path / "killed", settled_here)
    assert again.fitted.resumed_at == 9 and difference(again, whole) == 0.0
    assert difference(train(tmp_path / "said", section(precision="bfloat16")), whole) == 0.0
    assert train(tmp_path / "plain", section(precision="float32")).fitted.history != whole.fitted.history


def test_every_phase_computes_in_the_precision_of_the_recipe(tmp_path: Path) -> None:
    """The second phase computed in float32, and only a resumed one in bfloat16: accelerate wraps a model once."""
    how = section(precision="bfloat16", epochs=1, phases=(Phase(), Phase()))
    model, seen = tiny(), set()
    model.transformer.h[0].mlp.c_fc.register_forward_hook(
        lambda layer, given, output: seen.add((layer.training, output.dtype))
    )
    fit(how, model, FEED, TrainingRun(tmp_path / "seen", TrainingCallbacks(*[lambda *a: None] * 3), 1))
    assert seen == {(True, torch.bfloat16), (False, torch.bfloat16)}
    whole = train(tmp_path / "whole", how)
    second = whole.fitted.audits[1].start
    with pytest.raises(Killed):
        train(tmp_path / "killed", how, kill=lambda step, values: step > second + 3)
    again = train(tmp_path / "killed", how)
    assert again.fitted.resumed_at is not None and again.fitted.resumed_at > second
    assert again.fitted.history == whole.fitted.history
    assert all(torch.equal(value, again.weights[name]) for name, value in whole.weights.items())


def test_behind_the_training_the_model_computes_in_float32(tmp_path: Path) -> None:
    """What is compared with it, such as a merged or an exported model, is computed so too."""
    model, same, rows = tiny(), tiny(), part(4, 9)
    quiet = TrainingCallbacks(*[lambda *a: None] * 3)
    fit(section(precision="bfloat16"), model, FEED, TrainingRun(tmp_path, quiet, 1))
    same.load_state_dict(model.state_dict())
    batch = FEED.collate([(rows, row) for row in range(4)])
    assert torch.equal(model.eval()(**batch).logits, same.eval()(**batch).logits)


@pytest.mark.faults
def test_plan_page_and_model_say_what_was_computed_in(cpuinfo: Path) -> None:
    from flows.plan import plan
    from flows.stage_graph import perform_until
    from tasks.tracking.descriptions import _data

    cpuinfo.write_text(ABLE["AMX"][0])
    small = [
        "train.precision=auto",
        "train.model.config={n_layer: 1, n_head: 2, n_embd: 16, n_positions: 64}",
        "train.epochs=1",
    ]
    recipe = load_recipe(ROOT / "configs" / "reviews_demo.yaml", small)
    assert "train.precision auto is bfloat16 (the processor has amx_bf16)" in plan(recipe, ask=False)[1]
    made = {name: one.result for name, one in perform_until(recipe, "train").items()}
    assert made["train"].manifest()["section"]["precision"] == "bfloat16"
    page = (made["train"].records / "summary.md").read_text(encoding="utf-8")
    assert "- computed in bfloat16, weights and output layer in float32" in page
    assert "rows in bfloat16, chosen on" in _data(made)
    cpuinfo.write_text(PLAIN)
    lines, notes, _ = plan(recipe, ask=False)
    told = next(line for line in lines if line["stage"] == "train")
    assert told["status"] == "run" and any("precision" in change for change in told["changed"])
    assert any(note.startswith("train.precision auto is float32") for note in notes)
