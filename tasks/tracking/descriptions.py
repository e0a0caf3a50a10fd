"""MLflow's pages on an experiment, a run, a registered model and a version, for one who knows nothing yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from configs.scores import baseline_findings, not_better

from ..artifact import Artifact
from ..data.escape import markdown
from ..kinds.spec import open_kind
from . import datasets, pages
from .wire_format import VERDICT

NOTE = "mlflow.note.content"
"""Tag whose markdown MLflow shows on the page of a run or an experiment."""
LONGEST = 5000
"""Letters of a tag's value."""
OURS = "Made by Temper"
"""How each of these texts begins; one that begins otherwise is a person's, and is left alone."""
SHOWN = {"train": "curves.png", "evaluate": "confusion.png"}
"""Pictures of stages on the page of a run, or else the first that a stage has."""
HEIGHT = 200
"""Of these pictures, in pixels."""
TAKES = {
    "image": "images, in a column `image`",
    "text": "texts, or a table with a `text` column",
    "pairs": "pairs of texts, in a table with the columns `text` and `text_pair`",
    "messages": "a dialogue, as {`messages`: […]} (MLflow's chat signature)",
}


@dataclass(frozen=True)
class VersionFacts:
    """What a page states about a version apart from its report: name, number, recipe, verdict, its run and the run's
    page, other registrations of that, the flow run's links."""

    name: str
    version: str
    recipe: str
    verdict: str
    run_id: str
    page: str | None = None
    others: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Registration:
    """A version and what is known when it is judged: the artifacts that it was made of, its report's facts, the links
    of the flow run, and how many models were scored on its test rows, itself included."""

    version: ModelVersion
    stages: Mapping[str, Artifact]
    facts: Mapping[str, Any]
    links: Mapping[str, str] = field(default_factory=dict)
    test_evaluations: int = 1


def describe(client: MlflowClient, registration: Registration, verdict: str) -> None:
    """Write the texts of a version, its run and its model; what a person has written there stays."""
    version, stages, facts, links = (
        registration.version,
        registration.stages,
        registration.facts,
        registration.links,
    )
    run_id, name = str(version.run_id), str(version.name)
    run = client.get_run(run_id)
    recipe = links.get("temper.recipe") or run.data.tags.get("temper.recipe", "temper")
    about = VersionFacts(
        name,
        str(version.version),
        recipe,
        verdict,
        run_id,
        page=pages.run_page(client, run_id),
        others=_others(client, version),
        links=links,
    )
    if ours(run.data.tags.get(NOTE)):
        client.set_tag(run_id, NOTE, of_run(stages, facts, about)[:LONGEST])
    if ours(client.get_registered_model(name).description):
        client.update_registered_model(name, of_model(name, recipe, facts))
    if ours(client.get_model_version(name, version.version).description):
        client.update_model_version(
            name, version.version, of_version(stages, facts, about, registration.test_evaluations)
        )


def _others(client: MlflowClient, version: ModelVersion) -> tuple[str, ...]:
    """The other versions that were registered of the same training, a line each: one run lists all of them."""
    same = client.search_model_versions(f"run_id = '{version.run_id}'")
    return tuple(
        f"Registered as `{other.name}` version {other.version} too: {markdown(other.tags.get(VERDICT, 'not settled'))}."
        for other in sorted(same, key=lambda other: (other.name, int(other.version)))
        if (other.name, str(other.version)) != (version.name, str(version.version))
    )


def ours(text: str | None) -> bool:
    """Whether a text may be written again."""
    return not text or text.startswith(OURS)


def of_experiment(recipe: str) -> str:
    """What an experiment holds."""
    return (
        f"{OURS}: every training of the recipe `{recipe}`, one run each (`temper run configs/{recipe}.yaml`).\n\n"
        "`test.*` are scores on rows that no training saw, `baseline.*` those of plain methods on the same rows, "
        "`train/*` and `validation/*` curves, `system/*` the machine's load. A parameter's name is its place in the "
        "recipe (`train.learning_rate`). Tags: `temper.training_key` names code, values, data and library versions of "
        "a training, `temper.test_split` the test rows, `prefect.flow_run_url` the last flow run that made or used it."
    )


def of_training(recipe: str, links: Mapping[str, str]) -> str:
    """What a run is while nothing is known of its test."""
    return f"{OURS}: a training of the recipe `{recipe}`, not scored on test rows yet.{_flow_run(links)}"


def of_run(stages: Mapping[str, Artifact], facts: Mapping[str, Any], about: VersionFacts) -> str:
    """What a run is, how good, what came of it, and where to read on."""
    page = pages.version_page(about.name, about.version)
    named = f"`{about.name}` version {about.version}"
    return "\n\n".join(
        [
            f"{OURS} from the recipe `{about.recipe}`: {open_kind(facts['kind']).noun}, registered as "
            f"{f'[{named}]({page})' if page else named}: **{markdown(about.verdict)}**.",
            *about.others,
            _data(stages),
            _scores(stages, facts),
            *_pictures(stages, about.run_id),
            "To repeat it, save the artifact `recipe.yaml` and call `temper run recipe.yaml`. Each stage's page, with "
            "pictures, lies in its folder among the artifacts; `report.json` has all scores, `certificate.json` (of "
            "texts) proves which tokens were trained, `decisions/` holds what the verdict rests on."
            f"{_flow_run(about.links)}",
        ]
    )


def _pictures(stages: Mapping[str, Artifact], run_id: str) -> list[str]:
    """The curves of the training and the first picture of the test, such as the confusion matrix, side by side."""
    folders = pages.stage_folders(stages)
    drawn = [
        (f"{folders[stage]}/{name}", name.removesuffix(".png"))
        for stage, usual in SHOWN.items()
        if stage in stages and (name := _first_picture(stages[stage], usual))
    ]
    images = [f'<img src="{pages.picture(run_id, path)}" alt="{name}" height="{HEIGHT}">' for path, name in drawn]
    return [" ".join(images)] if images else []


def _first_picture(artifact: Artifact, usual: str) -> str | None:
    names = sorted(path.name for path in artifact.records.glob("*.png"))
    return usual if usual in names else next(iter(names), None)


def of_model(name: str, recipe: str, facts: Mapping[str, Any]) -> str:
    """What the versions of a registered model are, and how one is used."""
    return (
        f"{OURS} from the recipe `{recipe}`: versions of {open_kind(facts['kind']).noun}. "
        f"Takes {_takes(facts)}.\n\n"
        f'The alias `champion` is the version to use: `mlflow.pyfunc.load_model("models:/{name}@champion")`. It moves '
        f"only to a version that a paired test on the same test rows found better; `candidate` is the last one without "
        f"it. `temper history {name}` lists every decision, and `temper rollback {name}` takes the last one back."
    )


def of_version(
    stages: Mapping[str, Artifact], facts: Mapping[str, Any], about: VersionFacts, test_evaluations: int
) -> str:
    """What a version is, how good, and why it is champion or not."""
    run = about.page
    opened = (
        f"{test_evaluations} model{'s have' if test_evaluations != 1 else ' has'} been scored on this test split so far"
    )
    return "\n\n".join(
        [
            f"{OURS} from the recipe `{about.recipe}`: {open_kind(facts['kind']).noun}. Takes {_takes(facts)}.",
            _data(stages),
            f"{_scores(stages, facts)} ({opened}.)",
            f"Verdict: {markdown(about.verdict)}.",
            (
                f"[The training's run]({run}) has curves, report, recipe and every stage's page."
                if run
                else "The source run has curves, report, recipe and every stage's page."
            )
            + _flow_run(about.links),
        ]
    )


def _takes(facts: Mapping[str, Any]) -> str:
    return TAKES["pairs" if facts.get("pairs") else facts["content"]]


def _data(stages: Mapping[str, Artifact]) -> str:
    if "split" not in stages:
        return "Of its data nothing is known here."
    counts = datasets.rows(stages)
    about = datasets.provenance(stages["download"]) if "download" in stages else {}
    licence = (about.get("licence") or {}).get("says")
    source = f"{about.get('kind', 'unknown')}: {markdown(str(about.get('where', 'unknown')))}"
    return (
        f"Trained on {counts['train']:,} rows{_precision(stages)}, chosen on {counts['validation']:,} validation rows "
        f"and scored once on {counts['test']:,} test rows, of {source} "
        f"(licence: {markdown(licence or 'none stated by the source')})."
    )


def _precision(stages: Mapping[str, Artifact]) -> str:
    """What is to be known where it is not float32."""
    precision = stages["train"].manifest()["section"].get("precision", "float32") if "train" in stages else "float32"
    return "" if precision == "float32" else f" in {precision}"


def _scores(stages: Mapping[str, Artifact], facts: Mapping[str, Any]) -> str:
    """The scores that are shown, with intervals, and the baselines."""
    shown = []
    for name in facts["shown"]:
        if name in facts["scores"]:
            low, high = facts["intervals"].get(name, (None, None))
            shown.append(
                f"{_words(name)} **{facts['scores'][name]:.4f}**"
                + (f" [{low:.4f}, {high:.4f}]" if low is not None else "")
            )
    first = facts["shown"][0]
    plain = [f"{name} {values[first]:.4f}" for name, values in facts["baselines"].items() if first in values]
    text = f"On the test rows: {', '.join(shown)}, with {facts['confidence']:.0%} intervals."
    if plain:
        text += f" Baselines, {_words(first)}: {', '.join(plain)}."
    if lines := baseline_findings(facts):
        text += f" It is {'; it is '.join(lines)}."
    if beaten := not_better(facts):
        text += f" **Not better than the baseline {' and '.join(beaten)}.**"
    return text


def _words(name: str) -> str:
    return name.replace("_", " ")


def _flow_run(links: Mapping[str, str]) -> str:
    address = links.get("prefect.flow_run_url")
    return f"\n\n[The flow run in Prefect]({address})" if address else ""
