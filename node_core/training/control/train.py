"""Training of a controller: one iteration, a chunk of them for a live run, and the iterator over a whole run."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from node_core.runs.chunk import Clock, run_to_the_end
from node_core.runs.snapshot import Row, Scalar, Snapshot
from node_core.runs.state import Kept, TrainState
from node_core.solution import SolveError
from node_core.training.adam import annealed
from node_core.training.checkpoint import with_history
from node_core.training.control import picture
from node_core.training.control.build import (
    build_policy,
    draw_starts,
    horizon_at,
    loop_of,
    solver_of,
)
from node_core.training.control.checkpoint import history_of, read_controller, save_controller, started
from node_core.training.control.config import ControlConfig, control_needs_reset, control_structure
from node_core.training.picture import log_arrays
from node_core.training.trainer import AdamTrainer, Drawn, Step, advance_run, fresh_state

_STARTS = 1  # stream of random numbers of an iteration


class ControlTrainer(AdamTrainer[ControlConfig]):
    """A policy, its plant and its optimiser between two iterations (see `AdamTrainer`).

    Args:
        config: of the run.
        state: where it stands; None for the beginning.

    Raises:
        ValueError: the state belongs to a run of another structure.
    """

    picture_share = 0.1
    tolerated_rise = 10.0  # a growing horizon lets costs rise and fall again
    structure_is = "plant, task, net or seed"
    largest_loss = picture.LARGEST

    def __init__(self, config: ControlConfig, state: TrainState | None = None) -> None:
        self.policy = build_policy(config)
        state = initial_state(config) if state is None else state
        super().__init__(config, self.policy, state, control_structure(config))
        self.clip = config.clip

    def learning_rate(self) -> float:
        """A cosine over the run."""
        return annealed(self.config.lr, self.config.lr_end, self.iteration / self.config.iterations)

    def step(self) -> Step:
        """Starts, their trials as long as the horizon is by now, and what they cost on the average."""
        config, horizon = self.config, horizon_at(self.config, self.iteration)
        loop = loop_of(config, self.policy)
        x = draw_starts(config, config.batch, self.rng(_STARTS))
        ts = torch.tensor([0.0, horizon], dtype=torch.float64)
        solution = solver_of(config, horizon).solve(loop, loop.start(x), ts)
        total = loop.total_cost(solution.ys[-1], horizon).mean()
        return Step(total, total.item(), {"horizon": horizon}, (solution,))

    def after(self, step: Step) -> None:
        """The solver's steps are shown beside the picture."""
        solution = step.solutions[0]
        self.arrays = log_arrays("forward", solution.steps) | log_arrays("backward", solution.backward_steps)

    def draw(self, dear: bool) -> Drawn:
        """Trials, phase plane and numbers."""
        return picture.draw(self.policy, self.config, self.iteration)

    def draw_dear(self, drawn: Drawn) -> Kept:
        """The basin, and one path with its costate; no path where it can't be followed, which is no reason to stop."""
        basin = picture.basin(self.policy, self.config)
        try:
            path, cost = picture.closely(self.policy, self.config)
        except SolveError:
            return Kept({"grid": basin})
        return Kept({"grid": basin, **path}, {"path_cost": cost})

    def tell(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """Iteration, cost and success in a sentence."""
        success, horizon = drawn.row["success"], horizon_at(self.config, self.iteration)
        return {
            "message": (
                f"Iteration {self.iteration}: {success:.0%} of 100 held-out starts reach the target and stay; trained "
                f"on trials of {horizon:.2g} s, which cost {shown['loss']:.3g}."
            )
        }


def advance(
    config: ControlConfig,
    state: TrainState | None,
    budget: float,
    *,
    most: int | None = None,
    clock: Clock = time.time,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run of a controller; see `node_core.training.trainer.advance_run`."""
    if state is not None and budget == 0:
        # Asked for the picture alone: the plant or its limits may be others than those of the last one.
        state = replace(state, kept=Kept())
    return advance_run(ControlTrainer, history_of, config, state, budget, clock, most)


def keep(config: ControlConfig, state: TrainState, rows: Sequence[Row]) -> bytes:
    """What a page keeps of a run, for a server that forgets it.

    Raises:
        ValueError: the net is too large for that.
    """
    return with_history(functools.partial(save_controller, config, state), rows)


def resume(config: ControlConfig, raw: bytes) -> tuple[ControlConfig, TrainState, tuple[Row, ...]]:
    """The configuration, state and history of a run that a page of `config` has kept; `raw` may be anybody's.

    Raises:
        ValueError: it can't be read, or is of another run.
    """
    found = read_controller(raw)
    if control_needs_reset(found.config, config):
        raise ValueError("it was trained with other settings than those of this page.")
    return config, found.state, found.rows


def train(config: ControlConfig, every: int = 10, state: TrainState | None = None) -> Iterator[Snapshot]:
    """Iterate over a whole run: a snapshot at the start, then one every `every` iterations, and at the end.

    Raises:
        DivergedError: as `advance`.
        ValueError: `every` is not positive.
    """
    return run_to_the_end(ControlTrainer(config, state), every)


def initial_state(config: ControlConfig) -> TrainState:
    """The state before the first iteration: random weights, or those of the pre-trained controller `config.start`.

    Raises:
        ValueError: there is no such controller, or it is of another plant, task or net.
    """
    if config.start:
        return started(config)
    return fresh_state(build_policy(config), control_structure(config))
