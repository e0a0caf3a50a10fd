"""What code reads of configs, derived from tokens: a second way, beside the one of the keys (tasks/store)."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

Symbol = tuple[str, str]
NO_PART = ("settings", "servers", "environment", "threads", "kinds")
"""Settings of the process, and the list of kinds, are in no key."""


def names(text: str) -> list[str]:
    """Names in a piece of code; an attribute stands with what it is taken from, as `module.name`."""
    joined: list[str] = []
    dotted = False
    for token in tokenize.generate_tokens(io.StringIO(text + "\n").readline):
        if token.type == tokenize.STRING and "f" in token.string.partition(token.string[-1])[0].lower():
            joined += re.findall(r"[A-Za-z_][\w.]*", " ".join(re.findall(r"\{([^{}]*)\}", token.string)))
        if token.type == tokenize.NAME:
            joined[-1:] = [f"{joined[-1]}.{token.string}"] if dotted and joined else [*joined[-1:], token.string]
        dotted = token.string == "."
    return joined


class Reads:
    """The names of configs that each module of configs binds, imports and reads."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.trees = {Path(path).stem: (ast.parse(text), text) for path, text in texts.items()}
        self.bound = {name: dict(bindings(tree)) for name, (tree, _) in self.trees.items()}
        self.taken = {name: self.imports(tree, "configs") for name, (tree, _) in self.trees.items()}

    def imports(self, tree: ast.Module, package: str) -> dict[str, Symbol]:
        """What imports from configs bind: names to symbols, modules of configs to (module, "")."""
        taken: dict[str, Symbol] = {}
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom):
                continue
            origin = [*(package.split(".") if node.level else []), *(node.module.split(".") if node.module else [])]
            if node.level > 1 or origin[:1] != ["configs"]:
                continue
            for alias in node.names:
                symbol = (origin[1], alias.name) if len(origin) > 1 else (alias.name, "")
                taken[alias.asname or alias.name] = symbol
        return taken

    def of(self, text: str) -> set[Symbol]:
        """All that a module of tasks can read, straight or by way of configs' own code."""
        tree = ast.parse(text)
        taken = self.imports(tree, "tasks")
        seen: set[Symbol] = set()
        waiting = [symbol for symbol in taken.values() if symbol[1]]
        waiting += self.attributes(names(text), taken)
        while waiting:
            symbol = waiting.pop()
            if symbol not in seen and symbol[0] not in NO_PART and symbol[0] in self.trees:
                seen.add(symbol)
                waiting += self.read_by(*symbol)
        return {symbol for symbol in seen if symbol[1] in self.bound[symbol[0]]}

    def attributes(self, read: list[str], taken: dict[str, Symbol]) -> Iterator[Symbol]:
        for one in read:
            first, _, rest = one.partition(".")
            if rest and taken.get(first, ("", "x"))[1] == "":
                yield taken[first][0], rest.partition(".")[0]

    def read_by(self, module: str, name: str) -> Iterator[Symbol]:
        """Names that a name's code mentions, resolved."""
        bound, taken = self.bound[module], self.taken[module]
        if name not in bound:
            yield from (taken[name],) if name in taken else ()
            return
        text = self.trees[module][1]
        code, types = pieces(bound[name], name)
        read = [one for node in code for one in names(part_of(text, node))]
        typed = [one for node in types for one in names(part_of(text, node))]
        yield from self.attributes(read, taken)
        classes = {one for one in typed if one[:1].isupper() and not one.isupper()}  # what only checks is in lower case
        for one in {*(one.partition(".")[0] for one in read), *classes}:
            if one in bound and one != name:
                yield module, one
            if one in taken and taken[one][1]:
                yield taken[one]


def part_of(text: str, node: ast.AST) -> str:
    return "(" + (ast.get_source_segment(text, node) or "") + ")"


def bindings(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Statements by the names that they bind at a module's top."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in getattr(node, "targets", None) or [node.target]:  # type: ignore[union-attr]
                yield from ((one.id, node) for one in ast.walk(target) if isinstance(one, ast.Name))


def pieces(node: ast.stmt, name: str) -> tuple[list[ast.AST], list[ast.AST]]:
    """Parts that shape results (methods that check nothing, constants, functions), and parts that name types."""
    if isinstance(node, ast.ClassDef):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        kept: list[ast.AST] = [part for part in fields if "ClassVar" in ast.unparse(part.annotation)]
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        kept += [part for part in methods if not checking(part)]
        return kept, [*node.bases, *(part.annotation for part in fields)]
    return ([node], []) if isinstance(node, ast.FunctionDef) or name.isupper() else ([], [node])


def checking(method: ast.FunctionDef) -> bool:
    marks = " ".join(ast.unparse(mark) for mark in method.decorator_list)
    return "_validator" in marks or method.name.lstrip("_").startswith("require_")
