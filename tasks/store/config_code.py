"""What stages read of `configs` next to a section's own values: constants, functions and methods, name by name.

A section's fields are in its key with their values, so that a new option changes no key. A constant or a method that
shapes results has no value there: its syntax counts, and that of all it reads, wherever a stage's code reads it.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache

from configs.settings import HOME

from ..artifact import digest_text
from .syntax import parse, source

SETTINGS = ("configs.settings", "configs.servers", "configs.environment", "configs.threads", "configs.kinds")
"""Process settings are no part of any key; nor is the list of kinds, in whose place a stage's key has the code of its
recipe's own kind."""
ASSIGNED = (ast.Assign, ast.AnnAssign)
CHECKS = ("field_validator", "model_validator")
"""Decorators of methods that refuse a section, and shape no result."""

Symbol = tuple[str, str]
"""A module of configs and a name in it."""
Module = tuple[dict[str, ast.stmt], dict[str, Symbol]]


def config_digests(symbols: Iterable[Symbol]) -> dict[str, str]:
    """`module.name` to the digest of its syntax, of all that code which takes these names can read of configs."""
    waiting = list(symbols)
    digests: dict[str, str] = {}
    seen: set[Symbol] = set()
    while waiting:
        symbol = waiting.pop()
        if symbol in seen or symbol[0].startswith(SETTINGS):
            continue
        seen.add(symbol)
        digest, reads = _read(*symbol, source(symbol[0]))
        if digest:
            digests[".".join(symbol)] = digest
        waiting += reads
    return dict(sorted(digests.items()))


def imported(tree: ast.Module, module: str) -> list[Symbol]:
    """Names that code takes from modules of configs, directly or as attributes of the module."""
    return [symbol for _, symbol in _taken(tree, module)]


def _taken(tree: ast.Module, module: str) -> list[tuple[str, Symbol]]:
    """The same, each after what code writes for it: `NAME`, or `module.NAME`."""
    taken, modules = [], {}
    for node in ast.walk(tree):
        for origin, alias in _origins(node, module):
            if _exists(f"{origin}.{alias.name}"):
                modules[alias.asname or alias.name] = f"{origin}.{alias.name}"
            elif origin != "configs":
                taken.append((alias.asname or alias.name, (origin, alias.name)))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return taken + [
        (f"{node.value.id}.{node.attr}", (modules[node.value.id], node.attr))
        for node in attributes
        if isinstance(node.value, ast.Name) and node.value.id in modules
    ]


def _origins(node: ast.AST, module: str) -> Iterator[tuple[str, ast.alias]]:
    if not isinstance(node, ast.ImportFrom):
        return
    origin = node.module or ""
    if node.level and module.startswith("configs"):
        origin = f"configs.{origin}".rstrip(".")
    if origin == "configs" or origin.startswith("configs."):
        yield from ((origin, alias) for alias in node.names)


def _exists(module: str) -> bool:
    return HOME.joinpath(*module.split(".")).with_suffix(".py").is_file()


@lru_cache(maxsize=256)
def _bound(name: str, text: str) -> Module:
    """Statements by the names that they bind at the top of a module of configs, and its imports from others."""
    tree = parse(text)
    bound: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            bound[node.name] = node
        targets = getattr(node, "targets", [getattr(node, "target", None)]) if isinstance(node, ASSIGNED) else []
        bound |= {part.id: node for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return bound, dict(_taken(tree, name))


@lru_cache(maxsize=8192)
def _read(module: str, name: str, text: str) -> tuple[str, tuple[Symbol, ...]]:
    """Digest of the syntax of a name that shapes results ("" where none does), and the names of configs it reads."""
    bound, taken = _bound(module, text)
    if name not in bound:
        return ("", (taken[name],)) if name in taken else ("", ())
    node = bound[name]
    if isinstance(node, ast.ClassDef):
        parts: list[ast.AST] = [part for part in node.body if _shapes(part)]
        types: list[ast.AST] = [*node.bases, *(p.annotation for p in node.body if isinstance(p, ast.AnnAssign))]
    else:
        parts, types = ([], [node]) if _is_type(node, name) else ([node], [])
    read, of_types = _names(parts) - {name}, _names(types) - {name}
    names = read | {name for name in of_types if name[:1].isupper() and name != name.upper()}
    reads = [(module, name) for name in sorted(names) if name in bound]
    reads += [taken[name] for name in sorted(names) if name in taken]
    shapes = "".join(ast.dump(_plain(part)) for part in parts)
    return digest_text(shapes) if shapes else "", tuple(reads)


def _names(parts: list[ast.AST]) -> set[str]:
    """Names in code, and `module.NAME` for attributes of names."""
    nodes = [node for part in parts for node in ast.walk(part)]
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        f"{node.value.id}.{node.attr}" for node in attributes if isinstance(node.value, ast.Name)
    }


def _shapes(part: ast.stmt) -> bool:
    """Whether a part of a class shapes results by itself: methods that check nothing, and constants of the class."""
    if isinstance(part, ast.FunctionDef):
        named = {node.id for mark in part.decorator_list for node in ast.walk(mark) if isinstance(node, ast.Name)}
        return not named & set(CHECKS) and not part.name.startswith(("require_", "_require"))
    return isinstance(part, ast.AnnAssign) and "ClassVar" in ast.dump(part.annotation)


def _is_type(node: ast.stmt, name: str) -> bool:
    """A name of types is in capitals at its beginnings alone; a new member of it changes no key."""
    return not isinstance(node, ast.FunctionDef) and name != name.upper()


def _plain(node: ast.AST) -> ast.AST:
    """The node without docstrings."""
    for part in ast.walk(node):
        if isinstance(part, (ast.FunctionDef, ast.ClassDef)):
            docstrings = [
                line for line in part.body if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
            ]
            part.body = [line for line in part.body if line not in docstrings] or [ast.Pass()]
    return node
