"""Which code of this project a stage can reach, normalised so that comments and formatting do not count."""

import ast
import importlib.metadata
import importlib.util
import sys
import threading
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from ..artifact import digest_text
from .config_code import Symbol, config_digests, imported
from .syntax import parse, source

if TYPE_CHECKING:
    import grimp

OUTSIDE = (
    "configs",
    "tasks.cached",
    "tasks.artifact",
    "tasks.documents",
    "tasks.output",
    "tasks.pins",
    "tasks.store",
)
"""Not part of any closure: recipe values are in the key already, what else is read of configs counts name by name
(see config_code), the cache has FORMAT."""
SHOWING = {"matplotlib", "rich", "mlflow", "prefect", "pydantic", "typer", "yaml", "grimp"}
"""Libraries that shape what is shown or configured, not the bytes of an artifact."""
ABSENT = "not installed"
DISTRIBUTIONS = {"sklearn": "scikit-learn", "great_expectations": "great-expectations", "PIL": "pillow"}


@cache
def _graph() -> "grimp.ImportGraph":
    import grimp

    return grimp.build_graph(
        "tasks", "configs", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def closure(*modules: str) -> tuple[dict[str, str], dict[str, str]]:
    """Code digests by module and library versions by name, of all that `modules` can reach by imports."""
    code, libraries = reached(modules)
    return code, versions(libraries)


def reached(modules: tuple[str, ...]) -> tuple[dict[str, str], set[str]]:
    """Code digests by module and names of libraries, of all that `modules` can reach by imports.

    Imports inside functions count; imports for type checkers alone, which never run, do not. One thread at a time, see
    `syntax.parse`.
    """
    with _TURN:
        return _closure(modules)


_TURN = threading.Lock()


@cache
def _closure(modules: tuple[str, ...]) -> tuple[dict[str, str], set[str]]:
    names, libraries = _reached(modules)
    code = {name: _module_code(name, source(name)) for name in names}
    read = {symbol for _, symbols in code.values() for symbol in symbols}
    return {name: digest for name, (digest, _) in code.items()} | config_digests(read), libraries


@cache
def _reached(modules: tuple[str, ...]) -> tuple[list[str], set[str]]:
    """Modules of this project's own and libraries that `modules` can reach by imports."""
    graph, seen, libraries, waiting = _graph(), set(), set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen or _outside(name):
            continue
        if graph.is_module_squashed(name):
            libraries.add(name)
            continue
        seen.add(name)
        waiting.extend(graph.find_modules_directly_imported_by(name))
        waiting.extend(_packages_of(name))
    return sorted(seen), libraries


@lru_cache(maxsize=1024)
def _module_code(name: str, text: str) -> tuple[str, list[Symbol]]:
    """Digest of a module's syntax tree without docstrings, and what it takes from configs: once for all stages."""
    tree = parse(text)
    symbols = imported(tree, name)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            _drop_strings(node.body)
    return digest_text(ast.dump(tree)), symbols


def versions(libraries: set[str]) -> dict[str, str]:
    """Installed versions of third-party top-level packages; the standard library and SHOWING left out.

    An absent package has the version ABSENT: the stage that needs it will state it. Raises LookupError for one that
    can be imported, but of which no version is known.
    """
    names = {name.partition(".")[0] for name in libraries} - SHOWING
    return {name: _version(name) for name in sorted(names - sys.stdlib_module_names)}  # Python's is in the key already


@cache
def _version(library: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(library, library))
    except importlib.metadata.PackageNotFoundError:
        if importlib.util.find_spec(library) is None:
            return ABSENT
        raise LookupError(
            f"no version is known of the package {library}, on which a stage's output depends; "
            "name its distribution in DISTRIBUTIONS (tasks/store/code.py)"
        ) from None


def _outside(name: str) -> bool:
    return any(name == outside or name.startswith(outside + ".") for outside in OUTSIDE)


def _packages_of(name: str) -> list[str]:
    return [name.rpartition(".")[0]] if "." in name else []


def _drop_strings(body: list[ast.stmt]) -> None:
    kept = [s for s in body if not (isinstance(s, ast.Expr) and _is_text(s.value))]
    body[:] = kept or [ast.Pass()]


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def differences(before: Mapping[str, object], now: Mapping[str, object], at: str = "") -> list[str]:
    """Dotted paths under which two identities differ, each with its two values where they are short."""
    differing = []
    for name in sorted(before.keys() | now.keys()):
        old, new, here = before.get(name), now.get(name), f"{at}{name}"
        if isinstance(old, dict) or isinstance(new, dict):
            old_part = old if isinstance(old, dict) else {}
            new_part = new if isinstance(new, dict) else {}
            differing += differences(old_part, new_part, f"{here}.")
        elif old != new:
            differing.append(here if len(f"{old}{new}") > 60 else f"{here}: {old} → {new}")
    return differing
