"""The frozen configuration of a controller's training: what is steered, to what, and how that is learned.

Nothing here imports torch: pages make these, workers use them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Literal

from node_core.checks import check_choice, check_fields, check_number
from node_core.models.control.cost import Cost
from node_core.models.control.plant import Plant, Task
from node_core.models.control.plants import PLANTS
from node_core.training.limits import MAX_FIXED_STEPS, MAX_ITERATIONS, check_solver, check_start, digest_of

Curriculum = Literal["growing", "fixed"]
CURRICULA = ("growing", "fixed")
MAX_HORIZON = 20.0
MAX_HIDDEN = 256


@dataclass(frozen=True)
class ControlConfig:
    """Everything that determines the training of a controller.

    The fields up to `start` are its structure: a change means a new run (`control_needs_reset`). Those in
    `LIVE_FIELDS` may change while it goes on, and take effect at the next iteration.

    Args:
        plant: key of `PLANTS`.
        task: key of one of the plant's tasks.
        hidden: tanh units of the policy, 1 to 256.
        seed: of weights and starts.
        start: name of a pre-trained controller in assets/control/checkpoints to begin with; "" for random weights.
        parameters: of the plant, all in order; () for its defaults.
        limit: bound of the first control (`Plant.controls`); bounds of others keep their proportion to it.
        spread: how much wider than the task's the box of starts is; a training starts in it, and is judged by it.
        curriculum: "growing": the horizon begins at `shortest` and grows to `horizon` within `grow` iterations;
            "fixed": it is `horizon` from the first.
        horizon: length of a trial that is trained on (s), at most 20.
        shortest: where a growing horizon begins (s).
        grow: iterations for which it grows.
        effort, speed, final: weights of the cost (see `Cost`).
        method, rtol, atol, dt, gradient: as in `odeint`.
        lr: Adam's learning rate.
        lr_end: what is left of it at `iterations`, by a cosine; 1 keeps it constant.
        clip: norm past which a gradient is shortened to it.
        batch: starts an iteration, 1 to 1000.
        iterations: where the run is finished.

    Raises:
        ValueError: a value is out of range or two don't go together; the sentence names the remedy.
    """

    plant: str = "pendulum"
    task: str = "swing_up"
    hidden: int = 32
    seed: int = 0
    start: str = ""
    parameters: tuple[float, ...] = ()
    limit: float = 5.0
    spread: float = 1.0
    curriculum: Curriculum = "growing"
    horizon: float = 5.0
    shortest: float = 0.4
    grow: int = 200
    effort: float = 0.01
    speed: float = 1.0
    final: float = 0.0
    method: str = "dopri5"
    rtol: float = 1e-3
    atol: float = 1e-3
    dt: float = 0.05
    gradient: str = "backprop"
    lr: float = 0.01
    lr_end: float = 1.0
    clip: float = 1.0
    batch: int = 128
    iterations: int = 100_000

    def __post_init__(self) -> None:
        check_choice("plant", self.plant, PLANTS)
        self.of_task()
        self.of_plant().check(self.parameters)
        check_start(self.start)
        check_choice("curriculum", self.curriculum, CURRICULA)
        check_fields(self, whole=_WHOLE)
        self._check_limit()
        self._check_horizon()
        check_fields(self, ranges=_RANGES)
        method = check_solver(self.method, self.gradient)
        if not method.adaptive and self.judged / self.dt > MAX_FIXED_STEPS:
            raise ValueError(
                f"dt = {self.dt}: that would be more than {MAX_FIXED_STEPS} steps, choose at least "
                f"{self.judged / MAX_FIXED_STEPS:g}."
            )

    def of_plant(self) -> Plant:
        """What is steered."""
        return PLANTS[self.plant]

    def of_task(self) -> Task:
        """What it has to do.

        Raises:
            ValueError: the plant has no such task.
        """
        return self.of_plant().task(self.task)

    @property
    def limits(self) -> tuple[float, ...]:
        """Bounds of all controls."""
        return self.of_plant().scaled_limits(self.limit)

    @property
    def cost(self) -> Cost:
        """What steering costs."""
        return Cost(self.of_plant(), self.limits, self.effort, self.speed, self.final)

    @property
    def judged(self) -> float:
        """How long the trials are by which it is judged (s)."""
        return max(self.of_task().judged, self.horizon)

    def _check_limit(self) -> None:
        control = self.of_plant().controls[0]
        if self.limit == 0:
            raise ValueError(
                f"limit = 0: without any {control.name} nothing can be steered, choose more than 0 to "
                f"{control.largest:g} {control.unit}."
            )
        check_number("limit", self.limit, 0, control.largest, above=True)

    def _check_horizon(self) -> None:
        if self.horizon == 0:
            raise ValueError(
                f"horizon = 0: a trial that is over at once teaches nothing, choose more than 0 to {MAX_HORIZON:g} s."
            )
        check_number("horizon", self.horizon, 0, MAX_HORIZON, above=True)
        check_number("shortest", self.shortest, 0, MAX_HORIZON, above=True)


_WHOLE: dict[str, tuple[int, int]] = {
    "hidden": (1, MAX_HIDDEN),
    "seed": (0, 2**31 - 1),
    "grow": (1, MAX_ITERATIONS),
    "batch": (1, 1000),
    "iterations": (1, MAX_ITERATIONS),
}
_RANGES: dict[str, tuple[float, float]] = {
    "spread": (0.01, 4),
    "effort": (0, 100),
    "speed": (0, 100),
    "final": (0, 100),
    "rtol": (1e-6, 0.5),
    "atol": (1e-7, 0.5),
    "dt": (1e-6, 1),
    "lr": (1e-8, 100),
    "lr_end": (0, 1),
    "clip": (1e-6, 1e9),
}

STRUCTURE = ("plant", "task", "hidden", "seed", "start")
LIVE_FIELDS = tuple(entry.name for entry in fields(ControlConfig) if entry.name not in STRUCTURE)
"""Fields that a message may change while the run goes on (see `node_core.runs.scheduler`)."""


@functools.lru_cache(maxsize=64)
def control_structure(config: ControlConfig) -> str:
    """Digest of what a running state belongs to."""
    return digest_of((name, getattr(config, name)) for name in STRUCTURE)


def control_needs_reset(old: ControlConfig, new: ControlConfig) -> bool:
    """Whether a run of `old` can't go on as `new`: its plant, task, net or seed would be others."""
    return control_structure(old) != control_structure(new)


def parameter_shapes(config: ControlConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the policy's weights, in the order of torch's `named_parameters`."""
    plant, hidden = config.of_plant(), config.hidden
    return {
        "weight_1": (hidden, plant.features),
        "bias_1": (hidden,),
        "weight_2": (len(plant.controls), hidden),
        "bias_2": (len(plant.controls),),
    }
