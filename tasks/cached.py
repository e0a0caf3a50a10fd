"""@cached_task: how a stage meets the artifact store, Prefect's tasks and MLflow's live curves."""

import inspect
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec

from configs.literal import complete
from configs.precision import settled
from configs.settings import settings

from .artifact import Artifact, Version
from .auxiliary import by_name, noted, noting
from .documents import About, Identity, Opens
from .kinds.spec import module_of
from .measured import Computed, measured, taking
from .output import Outcome, Output, Report, new_output
from .pins import pin
from .published import (
    flow_links,
    progress,
    publish,
    publish_link,
    publish_result,
    recipe_name,
    secret,
    speaker,
)
from .run_page import account, tag_run
from .store import disk
from .store.events import Event, Stopped, emit, emitting
from .store.failure import because_of, full_disk_named
from .store.identity import identity, key_of, what_changed
from .store.lock import locked
from .store.making import making
from .store.measurements import written
from .store.memory import release_memory
from .store.shared import Say, shared
from .store.usage import mark_used
from .store.verification import serve

P = ParamSpec("P")


@dataclass(frozen=True)
class Stage(Generic[P]):
    """A stage: called inside a flow it is a Prefect task that runs only when its key is new."""

    body: Callable[..., None]
    makes: str
    opens: "Opens | Callable[[Any], Opens]"
    libraries: tuple[str, ...] | Callable[[Any], tuple[str, ...]]
    curves: bool
    kind: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """One word, the same everywhere."""
        return self.body.__name__

    @property
    def parameters(self) -> list[str]:
        """Names of the upstream artifacts, in order."""
        return list(inspect.signature(self.body).parameters)[2:]

    def identify(self, section: Any, inputs: Mapping[str, Artifact], *, ask: bool) -> tuple[Any, Identity]:
        """The pinned section and the identity behind the key. Raises Unpinned, DataError."""
        pinned, values = pin(section, ask=ask, secret=secret)
        limited = self._limited(pinned, inputs)
        libraries = self.libraries(pinned) if callable(self.libraries) else self.libraries
        return pinned, identity([self.body.__module__, *self._opened(section, inputs)], values, limited, libraries)

    def _limited(self, section: Any, inputs: Mapping[str, Artifact]) -> dict[str, Artifact]:
        """The inputs that the stage opens, each with those files alone."""
        opens = self.opens(section) if callable(self.opens) else self.opens
        return {name: artifact.limited(opens[name]) for name, artifact in inputs.items() if opens[name]}

    def _opened(self, section: Any, inputs: Mapping[str, Artifact]) -> list[str]:
        """The modules of the recipe's kind that the stage opens by name."""
        if not self.kind:
            return []
        name = inputs["encoded"].manifest()["section"]["kind"] if "encoded" in inputs else section.kind
        return [module_of(name, part) for part in self.kind]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Artifact:
        """Run in the flow that is running; the task ends as `Cached` where nothing had to be done."""
        bound = inspect.signature(self.body).bind(None, *args, **kwargs).arguments
        section = bound[list(bound)[1]]
        inputs = {name: bound[name] for name in self.parameters}
        artifact: Artifact = _as_task(self.name, self.run_or_load, section, inputs)
        return artifact

    def run_or_load(self, section: Any, inputs: dict[str, Artifact]) -> Outcome[Artifact]:
        """Serve the artifact or make it, one process at a time."""
        with full_disk_named():
            return noted(self._run_or_load(section, inputs, speaker(self.name)))

    def _run_or_load(self, section: Any, inputs: dict[str, Artifact], say: Say) -> Outcome[Artifact]:
        pinned, identified = self.identify(section, inputs, ask=True)
        root, key = settings().store, key_of(identified)
        lock = root / self.name / f"{key}.lock"
        with locked(lock, waiting=lambda: say("another process is at it; waiting"), readable=True):
            mark_used(lock)
            with shared(say) as store:
                served = serve(root, self.name, key, say) or store.bring(root, self.name, key)
                here = Computed(self.name, recipe_name(), pinned, inputs, say)
                make = partial(self._run, section, pinned, identified, inputs, say)
                outcome = Outcome(served, "cached") if served else measured(here, make)
                store.store(outcome.result)
                return outcome

    def _run(
        self, section: Any, pinned: Any, identified: Identity, inputs: dict[str, Artifact], say: Say
    ) -> Outcome[Artifact]:
        """Make the artifact; what goes wrong is shown, and what the stage wrote cleared away."""
        root, key = settings().store, key_of(identified)
        changed = tuple(what_changed(root, self.name, identified))
        output = new_output(disk.begin(root, self.name, key))
        output.log, output.progress, output.secret = say, progress(self.name), secret
        began = time.monotonic()
        limited = self._limited(pinned, inputs)
        try:
            with self._curves(key, settled(section), inputs, output) as page, noting() as asked, full_disk_named():
                publish_link(self.name, page)
                self.body(output, pinned, **limited)
        except Stopped:
            disk.remove(disk.partial_path(root, self.name, key))
            raise
        except Exception as error:
            with because_of(error, "what the stage wrote could not be cleared away"):
                self._give_up(root, key, error)
            raise
        about: About = {
            "identity": identified,
            "inputs": {name: inputs[name].reference for name in limited},
            "auxiliary": by_name(asked),
            "section": complete(pinned),
            "rows": output.counts,
            "made": making(time.monotonic() - began),
        }
        if output.provenance is not None:
            about["provenance"] = output.provenance
        size = written(output.folder)
        artifact = disk.commit(root, self.name, key, about)
        if self.curves:
            release_memory()
        return Outcome(artifact, "resumed" if output.resumed else "run", changed, size)

    def _give_up(self, root: Path, key: str, error: Exception) -> None:
        records = disk.give_up(root, self.name, key)
        log = records / "error.log"
        with because_of(error, "its log could not be written"):  # the disk may be full
            log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            error.add_note(f"log: {log}")
        publish(self.name, records, error)

    def _curves(
        self, key: str, section: Any, inputs: Mapping[str, Artifact], output: Output
    ) -> AbstractContextManager[str | None]:
        if not self.curves:
            return nullcontext()
        from .tracking.params import recipe_params
        from .tracking.runs import live_run

        def connect(report: Report) -> None:
            output.report = emitting(self.name, report)

        params = recipe_params({self.name: section}, list(inputs.values()))
        return live_run(key, flow_links(), params, connect)


def cached_task(
    *,
    makes: str = "",
    opens: Opens | Callable[[Any], Opens] | None = None,
    libraries: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = (),
    curves: bool = False,
    kind: tuple[str, ...] = (),
) -> Callable[[Callable[Concatenate[Output, P], None]], Stage[P]]:
    """Make a stage of a function `stage(out, section, *upstream)`.

    `makes` is the noun of its artifact, under which later stages take it. `opens` names, per upstream artifact, the
    files that the stage reads, or a section decides it: they alone enter its key, opening another is a PermissionError.
    `libraries` adds to those that the code imports, or says which a section adds. With `curves` the stage trains: what
    it reports goes to MLflow as it happens, and a killed run's files are kept to be resumed. `kind` names the modules
    of the recipe's kind that the stage opens, which count in its key.
    """
    return lambda body: Stage(body, makes, opens or {}, libraries, curves, kind)


def recorded_task(body: Callable[Concatenate[dict[str, str], P], Version]) -> Callable[P, Version]:
    """Make a task of `register(links, section, *upstream)`: never served from the cache, `Cached` where it found."""

    @wraps(body)
    def call(*args: P.args, **kwargs: P.kwargs) -> Version:
        def run(section: Any, inputs: dict[str, Artifact]) -> Outcome[Version]:
            links = flow_links()
            with full_disk_named(), taking() as taken:
                version = body(links, section, *inputs.values())  # type: ignore[call-arg, arg-type]
            if "prefect.flow_run_url" in links:
                version = replace(version, links=version.links | {"flow_run": links["prefect.flow_run_url"]})
            outcome = Outcome(version, "cached" if version.known else "run")
            Computed(body.__name__, recipe_name(), section, inputs, speaker(body.__name__)).remember(outcome, taken)
            return outcome

        bound = inspect.signature(body).bind(None, *args, **kwargs).arguments
        section, *upstream = list(bound)[1:]
        version: Version = _as_task(body.__name__, run, bound[section], {name: bound[name] for name in upstream})
        return version

    return call


def _as_task(name: str, work: Callable[..., Any], section: Any, inputs: dict[str, Artifact]) -> Any:
    """Call `work` as a Prefect task; its state is named Cached where the store served it."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE
    from prefect.states import Completed

    def run(section: Any, inputs: dict[str, Artifact]) -> Any:
        began = time.monotonic()
        emit(Event(name, "started"))
        try:
            outcome: Outcome[Artifact | Version] = work(section, inputs)
        except Stopped as stopped:
            emit(Event(name, "finished", seconds=time.monotonic() - began))
            return Completed(name="Stopped", message=str(stopped), data=stopped)
        except BaseException as error:
            with because_of(error, "the failure could not be shown"):
                emit(Event(name, "failed", seconds=time.monotonic() - began))
            raise
        result, status = outcome.result, outcome.status
        publish_result(result)
        tag_run(result)
        seconds, key = time.monotonic() - began, result.key if isinstance(result, Artifact) else ""
        emit(Event(name, "finished", status=status, seconds=seconds, key=key, changed=outcome.changed))
        named = "Cached" if status == "cached" else "Completed"
        return Completed(name=named, message=account(result, status, outcome.changed, seconds), data=result)

    as_task = task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(run)
    result = as_task(section, inputs, return_state=True).result()
    if isinstance(result, Stopped):
        raise result
    return result
