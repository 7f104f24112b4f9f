"""The same field, four trainings: what each is called, and with which configuration it is trained. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from node_core.cnf.painted import TargetConfig
from node_core.training.flow.checkpoint import flow_names, load_flow
from node_core.training.flow.config import CNFConfig, Objective, cnf_needs_reset

EULER_STEPS = (1, 2, 4, 8, 16, 32)
TARGETS = ("eight_gaussians", "two_moons", "checkerboard")
"""Those for which all four were trained beforehand."""


@dataclass(frozen=True)
class Way:
    """One of the four.

    Args:
        name: in the names of its checkpoints, and of its run.
        label: what people call it.
        objective: of the training; of the last, of its second part.
        iterations: until its checkpoint; those of the last come after flow matching's.
    """

    name: str
    label: str
    objective: Objective
    iterations: int


WAYS = (
    Way("likelihood", "Likelihood", "likelihood", 400),
    Way("matching", "Flow matching", "flow_matching", 3500),
    Way("transport", "OT pairs", "ot_flow_matching", 1500),
    Way("reflow", "Reflow", "reflow", 1000),
)
"""About as many iterations as cost the first two the same, and each of the others less or a third more."""


def way_named(name: str) -> Way:
    """One of `WAYS`."""
    return next(way for way in WAYS if way.name == name)


def checkpoint_name(target: str, way: Way) -> str:
    """The name of a way's checkpoint for a target; its hyphen keeps it apart from those that are trained alone."""
    return f"{target}-{way.name}"


def start_of(config: CNFConfig, way: Way) -> str:
    """The checkpoint of a way for a run of this configuration; "" if there is none."""
    name = checkpoint_name(config.target.name, way)
    if name not in flow_names() or cnf_needs_reset(
        replace(load_flow(name)[0], start=""), replace(config, start="")
    ):
        return ""
    return name


def recipe(way: Way, target: str, seed: int = 0) -> tuple[CNFConfig, ...]:
    """How a way is trained beforehand, one part after the other: each to its own last iteration.

    Args:
        way: which.
        target: what is learned.
        seed: of weights, batches and noise.
    """

    def part(objective: Objective, iterations: int) -> CNFConfig:
        return CNFConfig(
            TargetConfig(target), objective=objective, lr=0.005, lr_end=0.02, iterations=iterations, seed=seed
        )

    if way.objective != "reflow":
        return (part(way.objective, way.iterations),)
    first = way_named("matching")
    return (part(first.objective, first.iterations), part("reflow", first.iterations + way.iterations))
