"""The import graph of a tree, read from its text: no import hides in a function, under TYPE_CHECKING or in a string."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_TASK = re.compile(r"[a-z_]\w*(\.\w+)+:\w+")


@dataclass(frozen=True)
class Arrow:
    """One module knows another.

    Attributes:
        source, target: dotted names; the target of a foreign import is as it was written.
        line: in the source's file.
        how: "imports"; "types" under `if TYPE_CHECKING:`; "names" in a task's path such as "package.module:function".
        function: of a task's path.
    """

    source: str
    target: str
    line: int
    how: str = "imports"
    function: str = ""

    def __str__(self) -> str:
        """Where it stands and what it does."""
        verb = {"imports": "imports", "types": "imports for its types", "names": "names the task"}[self.how]
        return f"{self.source}:{self.line} {verb} {self.target}"


@dataclass(frozen=True)
class Graph:
    """Modules by dotted name (a package by its own), the arrows between them, and those to other people's packages."""

    modules: dict[str, Path]
    arrows: tuple[Arrow, ...]
    foreign: tuple[Arrow, ...]

    def imports(self) -> tuple[Arrow, ...]:
        """The arrows that are import statements, those for types included."""
        return tuple(arrow for arrow in self.arrows if arrow.how != "names")

    def loads(self) -> tuple[Arrow, ...]:
        """The arrows that a running program follows as soon as the source is imported, or later."""
        return tuple(arrow for arrow in self.arrows if arrow.how == "imports")


def draw(root: Path, *entries: str) -> Graph:
    """Draw the graph of the files and folders `entries` below `root`."""
    paths = [path for entry in entries for path in _files(root / entry)]
    modules = {_module_name(root, path): path for path in paths}
    arrows = [
        arrow
        for name, path in modules.items()
        for arrow in dict.fromkeys(_arrows(name, ast.parse(path.read_text(encoding="utf-8")), modules))
        if arrow.target != name
    ]
    own = tuple(arrow for arrow in arrows if arrow.target in modules)
    return Graph(modules, own, tuple(arrow for arrow in arrows if arrow.target not in modules))


class Ways:
    """Shortest ways along some arrows."""

    def __init__(self, arrows: Iterable[Arrow]) -> None:
        self._leaving: dict[str, list[Arrow]] = {}
        for arrow in arrows:
            self._leaving.setdefault(arrow.source, []).append(arrow)

    def shortest(self, start: str, ends: Collection[str]) -> list[Arrow] | None:
        """From `start` to one of `ends` by one arrow or more; None if there is no such way."""
        came: dict[str, Arrow] = {}
        queue = deque([start])
        while queue:
            for arrow in self._leaving.get(queue.popleft(), ()):
                if arrow.target in came:
                    continue
                came[arrow.target] = arrow
                if arrow.target in ends:
                    way = [arrow]
                    while way[0].source != start:
                        way.insert(0, came[way[0].source])
                    return way
                queue.append(arrow.target)
        return None

    def circles(self) -> list[list[Arrow]]:
        """A shortest circle through each module that stands on one, each circle once."""
        found: dict[frozenset[str], list[Arrow]] = {}
        for start in sorted(self._leaving):
            circle = self.shortest(start, {start})
            if circle is not None:
                found.setdefault(frozenset(arrow.source for arrow in circle), circle)
        return list(found.values())


def told(arrows: Iterable[Arrow]) -> str:
    """The arrows one below the other."""
    return "\n".join(f"    {arrow}" for arrow in arrows)


def _files(entry: Path) -> list[Path]:
    return sorted(entry.rglob("*.py")) if entry.is_dir() else [entry]


def _module_name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _arrows(source: str, tree: ast.Module, modules: Collection[str]) -> Iterator[Arrow]:
    typed = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        how = "types" if node in typed else "imports"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Arrow(source, alias.name, node.lineno, how)
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            for alias in node.names:
                inner = f"{home}.{alias.name}"
                yield Arrow(source, inner if inner in modules else home, node.lineno, how)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _TASK.fullmatch(node.value):
            module, function = node.value.split(":")
            yield Arrow(source, module, node.lineno, "names", function)
