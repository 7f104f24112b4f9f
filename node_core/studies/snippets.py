"""The code behind a picture, written as text that runs as it stands: its imports, its configuration, its lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, NamedTuple

WIDTH = 88  # columns of a line before a call is broken into one line an argument
_INDENT = "    "


class Code(NamedTuple):
    """Some lines of code, and the imports that they need."""

    text: str
    imports: frozenset[str]


def script(imports: Iterable[str], *parts: str | Code) -> str:
    """A whole script.

    Args:
        imports: such as "import torch" or "from node_core import odeint", in any order.
        parts: what follows them, line by line; what a `Code` imports is added.
    """
    needed = set(imports).union(*(part.imports for part in parts if isinstance(part, Code)))
    lines = [part.text if isinstance(part, Code) else part for part in parts]
    return "\n".join([*_import_lines(needed), *lines]).rstrip("\n") + "\n"


def assign(name: str, value: Any, instead: Mapping[str, str] | None = None) -> Code:
    """`name = value`, the value written as by `expression`."""
    found = _written(value, instead or {}, f"{name} = ", "")
    return Code(f"{name} = {found.text}", found.imports)


def expression(value: Any, instead: Mapping[str, str] | None = None) -> Code:
    """The value as an expression.

    A dataclass becomes a call of its constructor: its first field always, of the others those that differ from their
    defaults. Anything else is its `repr`.

    Args:
        value: a dataclass (whose fields may be dataclasses), or a plain value.
        instead: by a field's name, the code that stands for its value.
    """
    return _written(value, instead or {}, "", "")


def _written(value: Any, instead: Mapping[str, str], before: str, indent: str) -> Code:
    """The value, broken into lines where `before` and it do not fit into one that is indented so."""
    if not is_dataclass(value) or isinstance(value, type):
        return Code(repr(value), frozenset())
    kind = type(value)
    imports = {f"from {kind.__module__} import {kind.__name__}"}

    def arguments(indent: str) -> list[str]:
        found = []
        for k, entry in enumerate(fields(value)):
            own, name = getattr(value, entry.name), "" if k == 0 else f"{entry.name}="
            if k > 0 and own == _default(entry):
                continue
            code = _written(own, instead, name, indent)
            if entry.name in instead:
                code = Code(instead[entry.name], frozenset())
            imports.update(code.imports)
            found.append(name + code.text)
        return found

    line = f"{kind.__name__}({', '.join(arguments(indent))})"
    if len(indent + before + line) > WIDTH or "\n" in line:
        deeper = indent + _INDENT
        inner = "".join(f"{deeper}{argument},\n" for argument in arguments(deeper))
        line = f"{kind.__name__}(\n{inner}{indent})"
    return Code(line, frozenset(imports))


def _default(entry: Any) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _import_lines(imports: Iterable[str]) -> list[str]:
    """The imports in order: Python's own, an empty line, the others; names of one module together."""
    plain: set[str] = set()
    names: dict[str, set[str]] = {}
    for line in imports:
        words = line.split(maxsplit=3)
        if words[0] == "import":
            plain.add(line)
        else:
            names.setdefault(words[1], set()).add(words[3])
    lines = [
        *sorted(plain),
        *(f"from {home} import {', '.join(sorted(names[home]))}" for home in sorted(names)),
    ]
    blocks: tuple[list[str], list[str]] = ([], [])
    for line in lines:
        blocks[line.split()[1].split(".")[0] not in sys.stdlib_module_names].append(line)
    return [line for block in blocks if block for line in (*block, "")]
