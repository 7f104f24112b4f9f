"""States that are no real tensor with an axis: nestings of tensors, single numbers, complex tensors.

A solver knows one real tensor. Here, and nowhere else, a user's state becomes that tensor and comes back out of it:
all leaves side by side in one row, a complex number as the pair of its parts. Where all leaves have the same first axis
and one of them has a second, that axis stays, so that rows of a batch stay rows.

    y0 = {"x": (batch, 2), "log_p": (batch,)}   is solved as   (batch, 3)
    y0 = (mass (), complex amplitude (4,))      is solved as   (9,)

The error norm of a solve is over all entries of that tensor: each part of a complex number is one, and a small leaf
beside a large one has a small say (torchdiffeq measures each leaf of a tuple by itself, and takes the largest).
"""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class Leaf:
    """A tensor of the state.

    Attributes:
        path: where it is, as Python writes it behind the name of the state: `["x"][0]`.
        shape, dtype: its own.
        start, stop: its place in the last axis of the solver's state.
    """

    path: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    start: int
    stop: int


@dataclass(frozen=True)
class Branch:
    """A dict, list, tuple, named tuple or dataclass of the state: its type, its keys, what they lead to."""

    path: str
    kind: Any
    keys: tuple[Any, ...]
    children: tuple[Leaf | Branch, ...]


@dataclass(frozen=True)
class Structure:
    """How a user's state lies in the solver's.

    Attributes:
        root: the tree of the state.
        rows: how many axes of every leaf stay axes of the solver's state, 0 or 1.
        axes: the most that a leaf has.
    """

    root: Leaf | Branch
    rows: int
    axes: int

    def flatten(self, state: Any) -> Tensor:
        """The state as the solver has it, shape (entries,) or (rows, entries); differentiable."""
        parts = []
        for leaf, value in _pairs(self.root, state, "the state"):
            # not view_as_real, which asks of its cotangent that it begins at an even place in memory
            reals = torch.stack((value.real, value.imag), -1) if value.is_complex() else value
            parts.append(reals.reshape(*value.shape[: self.rows], leaf.stop - leaf.start))
        return torch.cat(parts, dim=-1)

    def unflatten(self, flat: Tensor) -> Any:
        """The user's state; axes before those of the solver's state come first in every leaf."""
        lead = flat.shape[:-1]

        def leaf_of(leaf: Leaf) -> Tensor:
            part, inner = flat[..., leaf.start : leaf.stop], leaf.shape[self.rows :]
            if not leaf.dtype.is_complex:
                return part.reshape((*lead, *inner))
            pairs = part.reshape((*lead, *inner, 2))
            return torch.complex(pairs[..., 0], pairs[..., 1])

        return _build(self.root, leaf_of)

    def unflatten_array(self, flat: NDArray[Any]) -> Any:
        """The same for numpy arrays."""
        return self.map(lambda leaf: leaf.numpy(), self.unflatten(torch.from_numpy(flat)))

    def map(self, change: Callable[[Any], Any], state: Any) -> Any:
        """The same structure of what `change` makes of each leaf."""
        values = iter([change(value) for _, value in _pairs(self.root, state, "the state")])
        return _build(self.root, lambda _: next(values))

    def field(self, f: Callable[[Any, Any], Any], autonomous: bool) -> Callable[[Any, Tensor], Tensor]:
        """A user's field as one of the solver's states; a module stays a module, with the same parameters.

        Args:
            autonomous: what it says of itself.
        """
        return (_FieldModule if isinstance(f, nn.Module) else _Field)(f, self, autonomous)

    def event(self, event: Callable[[Any, Any], Any]) -> Callable[[Any, Tensor], Any]:
        """A user's event function as one of the solver's states."""
        return _Event(event, self)

    def norm(self, norm: Callable[[Any], Any]) -> Callable[[Tensor], Any]:
        """A user's norm of errors as one of the solver's."""
        return lambda error: norm(self.unflatten(error))

    def call(self, f: Callable[[Any, Any], Any], t: Any, y: Tensor) -> Tensor:
        """f(t, y) of a state y of the solver's, as such.

        Raises:
            ValueError: f returned another structure, with the path to where it differs.
        """
        dy = f(self.time(t), self.unflatten(y))
        for leaf, value in _pairs(self.root, dy, "f(t, y)"):
            _check_leaf(leaf, value, (*y.shape[:-1], *leaf.shape[self.rows :]), y, "f(t, y)")
        return self.flatten(dy)

    def time(self, t: Any) -> Any:
        """The time as f gets it: that of each row, shape (rows, 1, ..., 1), has as many axes as the largest leaf."""
        if not isinstance(t, Tensor) or t.ndim == 0:
            return t
        return t.reshape(-1, *[1] * (self.axes - 1))


def structure_of(state: Any, name: str, check: Callable[[Any, str], None], per_row: bool) -> Structure | None:
    """The structure of a state; None for a real tensor with an axis, which a solver takes as it is.

    Args:
        name: what to call the state.
        check: refuses a leaf, by its name, that cannot be solved for.
        per_row: whether the first axis of every leaf is that of the rows, which take steps of their own.

    Raises:
        ValueError: leaves that do not go together, with what to do.
    """
    if isinstance(state, Tensor) or not _holds_tensors(state):
        check(state, name)
        if not state.is_complex() and state.ndim > 0 and state.numel() > 0:
            return None
    leaves = list(_leaves(state, ""))
    for path, leaf in leaves:
        check(leaf, name + path)
    _check_together(leaves, name)
    shapes = [tuple(leaf.shape) for _, leaf in leaves]
    same = all(shape and shape[0] == shapes[0][0] for shape in shapes)
    if per_row and not same:
        listed = ", ".join(f"{name}{path} {tuple(leaf.shape)}" for path, leaf in leaves[:4])
        raise ValueError(
            f"batch='per_sample' takes the first axis of every leaf as the rows of the batch, but the leaves have not "
            f"the same: {listed}. Give each the same first axis, or use batch='shared'"
        )
    axes = max(map(len, shapes))
    rows = int(same and (per_row or axes > 1))
    widths = iter([math.prod(leaf.shape[rows:]) * (2 if leaf.is_complex() else 1) for _, leaf in leaves])
    root, entries = _grow(state, "", rows, widths, 0)
    if entries == 0 or (rows and shapes[0][0] == 0):
        raise ValueError(f"{name} has no entry: a solve needs at least one number")
    return Structure(root, rows, axes)


def _holds_tensors(value: Any) -> bool:
    parts = _parts(value)
    return parts is not None and any(isinstance(x, Tensor) or _holds_tensors(x) for x in parts[1])


def _parts(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Keys and values of a container; None if it is none that can be taken apart and put together."""
    if type(value) in (dict, OrderedDict):
        return tuple(value), tuple(value.values())
    if type(value) in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return tuple(range(len(value))), tuple(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = tuple(field.name for field in dataclasses.fields(value) if field.init)
        return names, tuple(getattr(value, name) for name in names)
    return None


def _step(container: Any, key: Any) -> str:
    """The path from a container to what is at this key."""
    kind = container if isinstance(container, type) else type(container)
    return f".{key}" if dataclasses.is_dataclass(kind) else f"[{key!r}]"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    parts = None if isinstance(value, Tensor) else _parts(value)
    if parts is None:
        yield path, value
        return
    for key, child in zip(*parts, strict=True):
        yield from _leaves(child, path + _step(value, key))


def _grow(value: Any, path: str, rows: int, widths: Iterator[int], start: int) -> tuple[Leaf | Branch, int]:
    """The tree of a state whose first leaf begins at `start`, and where the next one would."""
    if isinstance(value, Tensor):
        stop = start + next(widths)
        return Leaf(path, tuple(value.shape), value.dtype, start, stop), stop
    parts = _parts(value)
    assert parts is not None, "every leaf was checked"
    children = []
    for key, child in zip(*parts, strict=True):
        tree, start = _grow(child, path + _step(value, key), rows, widths, start)
        children.append(tree)
    return Branch(path, type(value), parts[0], tuple(children)), start


def _build(tree: Leaf | Branch, leaf_of: Callable[[Leaf], Any]) -> Any:
    if isinstance(tree, Leaf):
        return leaf_of(tree)
    values = [_build(child, leaf_of) for child in tree.children]
    if tree.kind in (list, tuple):
        return tree.kind(values)
    if issubclass(tree.kind, tuple):
        return tree.kind(*values)
    named = dict(zip(tree.keys, values, strict=True))
    return tree.kind(named) if issubclass(tree.kind, dict) else tree.kind(**named)


def _pairs(tree: Leaf | Branch, value: Any, name: str) -> Iterator[tuple[Leaf, Any]]:
    """Each leaf with what stands in its place."""
    if isinstance(tree, Leaf):
        yield tree, value
        return
    for child, found in zip(tree.children, _children(tree, value, name), strict=True):
        yield from _pairs(child, found, name)


def _children(tree: Branch, value: Any, name: str) -> list[Any]:
    """What stands in the places of a branch's children; a list will do for a tuple, and the other way round."""
    kind, keys = tree.kind, tree.keys
    if issubclass(kind, dict):
        if isinstance(value, dict) and set(value) == set(keys):
            return [value[key] for key in keys]
    elif issubclass(kind, (list, tuple)):
        if isinstance(value, (list, tuple)) and len(value) == len(keys):
            return list(value)
    elif isinstance(value, kind):
        return [getattr(value, key) for key in keys]
    parts = None if isinstance(value, Tensor) else _parts(value)
    given = _described(type(value), () if parts is None else parts[0])
    raise ValueError(
        f"{name}{tree.path} is {given}, but y{tree.path} is {_described(kind, keys)}: return dy/dt in the "
        "structure of y"
    )


def _described(kind: type, keys: tuple[Any, ...]) -> str:
    if issubclass(kind, dict):
        return f"a {kind.__name__} with the keys {', '.join(map(repr, keys))}" if keys else "an empty dict"
    if issubclass(kind, (list, tuple)):
        return f"a {kind.__name__} of {len(keys)}"
    return f"a {kind.__name__}"


def _check_leaf(leaf: Leaf, value: Any, shape: tuple[int, ...], like: Tensor, name: str) -> None:
    """Refuse a leaf of dy/dt that is none of y's."""
    name, own = name + leaf.path, f"y{leaf.path}"
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{name} is {type(value).__name__}, not a tensor: return dy/dt as a tensor like {own}"
        )
    if tuple(value.shape) != shape:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}, but {own} has {shape}: dy/dt must have the shape of y"
        )
    if value.device != like.device:
        raise ValueError(
            f"{name} is on {value.device}, but {own} on {like.device}: move the field's parameters with "
            f"f.to({str(like.device)!r})"
        )
    if value.dtype != leaf.dtype:
        autocast = torch.is_autocast_enabled(like.device.type)
        remedy = (
            f"it ran under torch.autocast, so return it .to({own}.dtype), or leave autocast in f with "
            f"torch.autocast({like.device.type!r}, enabled=False)"
            if autocast
            else "give both one type, for example with f.double() or .to()"
        )
        raise ValueError(f"{name} is {value.dtype}, but {own} is {leaf.dtype}: {remedy}")


def _check_together(leaves: Sequence[tuple[str, Tensor]], name: str) -> None:
    """Refuse leaves of different number types or devices: a solver has one of each."""
    first, known = leaves[0]
    for path, leaf in leaves:
        if leaf.dtype.to_real() != known.dtype.to_real():
            raise ValueError(
                f"{name}{first} is {known.dtype} and {name}{path} is {leaf.dtype}: give all leaves one number type, "
                f"for example with .to({known.dtype.to_real()}){', or its complex one' if leaf.is_complex() else ''}"
            )
        if leaf.device != known.device:
            raise ValueError(
                f"{name}{first} is on {known.device} and {name}{path} on {leaf.device}: put all leaves on one device"
            )


class _FieldModule(nn.Module):
    """A module as a field of the solver's states."""

    def __init__(self, f: Any, structure: Structure, autonomous: bool) -> None:
        super().__init__()
        self.field, self._structure = f, structure
        self.autonomous = autonomous

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """Return f(t, y)."""
        return self._structure.call(self.field, t, y)


class _Field:
    """The same for any other function."""

    def __init__(self, f: Any, structure: Structure, autonomous: bool) -> None:
        self._f, self._structure = f, structure
        self.autonomous = autonomous

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """Return f(t, y)."""
        return self._structure.call(self._f, t, y)


class _Event:
    """An event function of the solver's states."""

    def __init__(self, event: Callable[[Any, Any], Any], structure: Structure) -> None:
        self._event, self._structure = event, structure

    def __call__(self, t: Any, y: Tensor) -> Any:
        """Return g(t, y)."""
        return self._event(self._structure.time(t), self._structure.unflatten(y))
