"""Answers that come with the project: what a page shows first was computed once, and waits for no worker.

A file of assets/LESSON/shipped/ holds one question (a task's name and its frozen configuration) and the answer to it,
exactly that one: any other configuration finds nothing here. `python -m node_core.studies.make_shipped` makes them, and
tests compare them with what the code computes now.

Format: an .npz of plain arrays, of which "tree" is JSON. There an array stands as {"array": its name}, bytes as
{"bytes": ...}, a tuple as {"tuple": [...]}, a dictionary as {"dict": [[key, value], ...]} and a dataclass as {"is":
"node_core.module:Class", "fields": {...}}. Reading runs no code but the checks of those dataclasses.
"""

from __future__ import annotations

import functools
import importlib
import json
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_core.assets import ASSETS
from node_core.runs.chunk import Chunk
from node_core.runs.snapshot import Row

_CLASS = re.compile(r"(node_core(?:\.[a-z0-9_]+)+):([A-Za-z0-9_]+)")
_TREE = "tree"


@dataclass(frozen=True)
class Beginning:
    """The first picture of a live run, with the state that leads on from it.

    Args:
        snapshot: the packed picture.
        state: what the task's `advance` returned with it.
        rows: of the history until then.
        finished: whether there is nothing more to compute.
    """

    snapshot: bytes
    state: Any
    rows: tuple[Row, ...]
    finished: bool

    @functools.cached_property
    def chunk(self) -> Chunk:
        """As a worker would have answered; what the picture costs on this machine is not known."""
        return Chunk(self.snapshot, pickle.dumps(self.state), self.rows, self.finished)


@dataclass(frozen=True)
class Shipped:
    """A question with its answer.

    Args:
        task: "node_core.module:function".
        config: its frozen configuration.
        answer: what the function returned; its arrays can't be written.
        machine: where it was computed: times in it are that machine's.
    """

    task: str
    config: Any
    answer: Any
    machine: str


def find(task: str, config: Any) -> Shipped | None:
    """The answer that was shipped to exactly this question, or None."""
    path = _index().get((task, config))
    return None if path is None else read(path)


def write(path: Path, shipped: Shipped) -> None:
    """Write a file."""
    arrays: dict[str, NDArray[Any]] = {}
    values = (shipped.task, shipped.machine, shipped.config, shipped.answer)
    tree = dict(
        zip(("task", "machine", "config", "answer"), (_plain(v, arrays) for v in values), strict=True)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    text = np.frombuffer(json.dumps(tree, separators=(",", ":")).encode(), np.uint8)
    whole: Any = {_TREE: text, **arrays}
    np.savez_compressed(path, **whole)


@functools.lru_cache(maxsize=64)
def read(path: Path) -> Shipped:
    """Read a file.

    Raises:
        ValueError: it is not of this format.
    """
    with np.load(path, allow_pickle=False) as file:
        tree = json.loads(file[_TREE].tobytes())
        answer = _rebuilt(tree["answer"], file.__getitem__)
        config = _rebuilt(tree["config"], file.__getitem__)
    return Shipped(tree["task"], config, answer, tree["machine"])


@functools.lru_cache(maxsize=1)
def _index() -> dict[tuple[str, Any], Path]:
    found = {}
    for path in sorted(ASSETS.glob("*/shipped/*.npz")):
        with np.load(path, allow_pickle=False) as file:
            tree = json.loads(file[_TREE].tobytes())
            found[tree["task"], _rebuilt(tree["config"], file.__getitem__)] = path
    return found


def _plain(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """A value as JSON; its arrays are put aside."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
        return {"bytes" if isinstance(value, bytes) else "array": name}
    if isinstance(value, list):
        return [_plain(entry, arrays) for entry in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(entry, arrays) for entry in value]}
    if isinstance(value, dict):
        return {"dict": [[key, _plain(entry, arrays)] for key, entry in value.items()]}
    if is_dataclass(value):
        kind: Any = type(value)
        inside = {entry.name: _plain(getattr(value, entry.name), arrays) for entry in fields(kind)}
        return {"is": f"{kind.__module__}:{kind.__qualname__}", "fields": inside}
    raise TypeError(
        f"an answer can't hold a {type(value).__name__}: give it tuples, lists, arrays and dataclasses"
    )


def _rebuilt(tree: Any, array: Callable[[str], NDArray[Any]]) -> Any:
    """The value that `_plain` wrote."""
    match tree:
        case {"array": name}:
            found = array(name)
            found.setflags(write=False)
            return found
        case {"bytes": name}:
            return array(name).tobytes()
        case {"tuple": entries}:
            return tuple(_rebuilt(entry, array) for entry in entries)
        case {"dict": entries}:
            return {key: _rebuilt(entry, array) for key, entry in entries}
        case {"is": name, "fields": inside}:
            return _class(name)(**{key: _rebuilt(entry, array) for key, entry in inside.items()})
        case list():
            return [_rebuilt(entry, array) for entry in tree]
        case dict():
            raise ValueError(f"a shipped answer holds {str(tree)[:60]}: make it again")
    return tree


def _class(name: str) -> Any:
    found = _CLASS.fullmatch(name)
    kind = getattr(importlib.import_module(found[1]), found[2], None) if found else None
    if not is_dataclass(kind):
        raise ValueError(f"a shipped answer names {name[:60]!r}, which is no dataclass: make it again")
    return kind
