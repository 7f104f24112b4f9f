"""What continuous depth buys, a number and a sentence each: the counterpart of the limits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from node_core.studies.gradients.config import MemoryResult
from node_core.studies.limits.gains_config import GainsResult
from node_core.studies.limits.speed_config import SpeedResult


class Gain(NamedTuple):
    """A virtue, its number, and what was measured."""

    title: str
    value: str
    sentence: str


def gains(result: GainsResult, memory: MemoryResult | None, digits: SpeedResult | None) -> tuple[Gain, ...]:
    """The gains that were measured: continuous time, adaptive computation, constant memory, fewer parameters."""
    found = [_continuous(result), _adaptive(result)]
    if memory is not None:
        found.append(_memory(memory))
    if digits is not None:
        found.append(_parameters(digits))
    return tuple(found)


def _continuous(result: GainsResult) -> Gain:
    more = result.nfe_asked - result.nfe
    return Gain(
        "Continuous time",
        f"{result.config.times} outputs, {more} evaluations",
        f"A solve of the rings takes {result.nfe} evaluations; asked for the state at {result.config.times} times in "
        f"between, {result.nfe_asked}. The worst of them is {result.error:.1%} off, the end {result.error_end:.1%}.",
    )


def _adaptive(result: GainsResult) -> Gain:
    whole = result.accuracies >= result.accuracies[-1]
    # the loosest tolerance from which on every tighter one is as good
    k = int(np.flatnonzero(~whole)[-1]) + 1 if not whole.all() else 0
    return Gain(
        "Adaptive computation",
        f"{result.least} to {result.most} steps",
        f"That is what single points need at tolerance {result.config.rtol:g}. The same weights answer at any: "
        f"{result.nfes[0]} evaluations for {result.accuracies[0]:.1%} right, {result.nfes[k]} for "
        f"{result.accuracies[k]:.1%}, {result.nfes[-1]} at {result.rtols[-1]:g}.",
    )


def _memory(memory: MemoryResult) -> Gain:
    found = {c.mode: c for c in memory.curves}
    adjoint, graph = found["adjoint"], found["backprop"]
    first, last = adjoint.steps[0], adjoint.steps[-1]
    return Gain(
        "Constant memory",
        f"{adjoint.mib[-1]:.2g} MiB, not {graph.mib[-1]:.2g}",
        f"From {first:.0f} to {last:.0f} steps the adjoint's memory goes from {adjoint.mib[0]:.2g} to "
        f"{adjoint.mib[-1]:.2g} MiB, backprop's from {graph.mib[0]:.2g} to {graph.mib[-1]:.2g} (measured in "
        "processes of their own).",
    )


def _parameters(digits: SpeedResult) -> Gain:
    own, other = digits.lane("odenet"), digits.lane("resnet")
    return Gain(
        "Fewer parameters",
        f"{own.parameters:,}, not {other.parameters:,}",
        f"On digits one block solved as a flow gets {own.accuracy[-1]:.1%} of {digits.judged} test images right, six "
        f"residual blocks {other.accuracy[-1]:.1%}.",
    )
