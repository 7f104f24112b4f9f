"""What the trainers of all lessons share: weights in one flat vector, Adam, explosions, and when to draw what is dear.

A run is deterministic: what is random in iteration i is drawn from (seed, i), and the state holds the rest. How it is
cut into chunks changes nothing but how often the dear part of its picture is drawn.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node_core.runs.chunk import Clock, run_chunk
from node_core.runs.snapshot import Row, Scalar, Snapshot
from node_core.runs.state import Kept, TrainState
from node_core.solution import Solution, SolveError
from node_core.training.adam import adam_step

Module = TypeVar("Module", bound=nn.Module)


TRAINED_SHARE = 0.1
"""Of the learning rate, at which weights that were trained before go on. They stand in a valley so narrow that the full
rate throws them out of it: `python -m benchmarks.play_on` shows both."""


class DivergedError(ValueError):
    """The training can't go on with these settings; the sentence says since when and what to change."""


class TrainerConfig(Protocol):
    """What every trainer's configuration has."""

    @property
    def iterations(self) -> int:
        """Length of the run."""
        ...

    @property
    def lr(self) -> float:
        """Learning rate."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    @property
    def start(self) -> str:
        """Name of the pre-trained checkpoint to begin with; "" for random weights."""
        ...


Config = TypeVar("Config", bound=TrainerConfig)


@dataclass(frozen=True)
class Step:
    """What an iteration found out before it moves the weights.

    Args:
        total: what is minimised, a scalar to differentiate: the loss, and penalties by their weights.
        loss: the loss alone.
        row: what the history tells beside it.
        solutions: the solves, whose cost the history tells.
    """

    total: Tensor
    loss: float
    row: Mapping[str, float]
    solutions: tuple[Solution, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """The cheap part of a picture.

    Args:
        arrays, scalars: as in a snapshot.
        loss: of the present weights, on data that are always the same.
        nfe: function evaluations of that.
        row: what a history row is told in addition, where a picture is drawn.
    """

    arrays: dict[str, np.ndarray]
    scalars: dict[str, Scalar]
    loss: float
    nfe: float = 0.0
    row: Mapping[str, float] = field(default_factory=dict)


class AdamTrainer(ABC, Generic[Config]):
    """A model, its data and its optimiser between two iterations; made anew for each chunk.

    The weights are views of one flat vector, so that Adam is five operations whatever the number of layers. A lesson's
    trainer says what an iteration minimises (`step`) and what its picture shows (`draw`, `draw_dear`, `tell`).

    Args:
        config: of the run.
        module: has the weights; they become those of the state.
        state: where it stands.
        structure: digest of what the weights belong to.

    Raises:
        ValueError: the state belongs to a run of another structure.
    """

    picture_share: float
    """The share of wall time that the dear part of the picture may take."""
    tolerated_rise: float
    """Of the loss over its lowest value, past which a state is spoilt: a run that fails never goes back to it."""
    structure_is: str
    """What a structure consists of, for the sentence."""
    clip: float = math.inf
    """Norm past which a gradient is shortened to it; where it is finite, the history tells the norm before."""
    device: str = "cpu"
    """Where the weights are; states travel as arrays whatever it is."""

    def __init__(self, config: Config, module: nn.Module, state: TrainState, structure: str) -> None:
        if state.structure != structure:
            raise ValueError(f"the run was begun with another {self.structure_is}: reset it to begin anew.")
        self.config = config
        self.iteration = state.iteration
        self.row: Row = state.row
        self.arrays: Mapping[str, NDArray[Any]] = state.arrays
        self.carried: Mapping[str, NDArray[Any]] = state.carried
        self.kept = state.kept
        self.begun, self.best = state.begun, state.best
        self._structure = structure
        self._flat, self._mean, self._square = (
            torch.tensor(a, device=self.device) for a in (state.parameters, state.moment_1, state.moment_2)
        )
        self._parameters = list(module.parameters())
        adopt(module, self._flat)

    # -- what a lesson says

    @property
    @abstractmethod
    def largest_loss(self) -> float:
        """The loss past which a run has exploded, and its state is not worth going on from."""

    @abstractmethod
    def step(self) -> Step:
        """Draw the iteration's batch, solve and judge.

        Raises:
            SolveError: the solver gave up.
        """

    @abstractmethod
    def draw(self, dear: bool) -> Drawn:
        """The picture without its dear part; `dear` says whether that is about to be drawn too.

        Raises:
            SolveError: the solver gave up.
        """

    @abstractmethod
    def draw_dear(self, drawn: Drawn) -> Kept:
        """The dear part of the picture, its arrays and scalars; `drawn` is the rest.

        Raises:
            SolveError: the solver gave up.
        """

    @abstractmethod
    def tell(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """The picture's `message`, and scalars that should read otherwise; `shown` is the row of the history."""

    def learning_rate(self) -> float:
        """Of this iteration."""
        return self.config.lr

    def after(self, step: Step) -> None:
        """What an iteration leaves for the pictures (`arrays`), now that its gradient is known: here nothing."""

    # -- what follows from it

    @property
    def rate(self) -> float:
        """The learning rate of this iteration, for weights that may have been trained before this run."""
        return self.learning_rate() * (TRAINED_SHARE if self.begun else 1.0)

    def rng(self, stream: int) -> np.random.Generator:
        """What is random in this iteration: independent things draw from streams of their own."""
        return np.random.default_rng((self.config.seed, self.iteration, stream))

    def seed_of(self, stream: int) -> int:
        """The seed of a stream (see `rng`), for those who make a generator of their own."""
        return int(np.random.SeedSequence((self.config.seed, self.iteration, stream)).generate_state(1)[0])

    def iterate(self) -> Row:
        """One iteration: batch, solve, loss, gradient, Adam. Returns its history row.

        Raises:
            DivergedError: the loss is not a number, or the solver gave up; the weights are as before.
        """
        try:
            step = self.step()
            self._check(step.loss if math.isfinite(step.total.item()) else math.nan)
            gradients = torch.autograd.grad(
                step.total, self._parameters, allow_unused=True, materialize_grads=True
            )
        except SolveError as error:
            raise self._gave_up(error) from error
        gradient = torch.cat([g.reshape(-1) for g in gradients])
        if not bool(torch.isfinite(gradient).all()):
            self._check(math.nan)
        told = self._shorten_(gradient)
        adam_step(self._flat, self._mean, self._square, gradient, self.iteration, self.rate)
        self.iteration += 1
        costs = costs_of(step.solutions)
        self.row = {"iteration": self.iteration, "loss": step.loss, **step.row, **told, **costs}
        self.after(step)
        return self.row

    def is_due(self, now: float) -> bool:
        """Whether the dear part of the picture may be drawn again at this time (s)."""
        return self.kept.is_due(now, self.picture_share)

    def snapshot(self, *, dear: bool = True, rows: tuple[Row, ...] = (), now: float = 0.0) -> Snapshot:
        """The picture of the present weights; without `dear` its dear part is the last one again, if there is one.

        Args:
            dear: draw the dear part too.
            rows: new rows of the history.
            now: the time (s).

        Raises:
            DivergedError: the loss of the present weights is not a number, or the solver gave up.
        """
        dear = dear or self.kept.untried
        try:
            drawn = self.draw(dear)
            self._check(drawn.loss)
            if dear:
                started = time.perf_counter()
                fresh = self.draw_dear(drawn)
                cost = time.perf_counter() - started
                self.kept = replace(fresh, time=now + cost, cost=cost)
        except SolveError as error:
            raise self._gave_up(error) from error
        shown = self.row or {"loss": drawn.loss, "nfe_forward": drawn.nfe, "nfe_backward": 0.0}
        self.best = min(self.best, drawn.loss)
        # nothing was solved, or not yet backward: there is no number then, and not a zero
        numbers: dict[str, Scalar] = {name: shown[name] or None for name in ("nfe_forward", "nfe_backward")}
        numbers["loss"] = shown["loss"]
        scalars = {**drawn.scalars, **self.kept.scalars, "iteration": self.iteration, **numbers}
        if rows:
            rows = (*rows[:-1], {**rows[-1], **drawn.row})
        return Snapshot(
            {**self.arrays, **drawn.arrays, **self.kept.arrays},
            scalars | self._told(drawn, shown),
            rows,
            finished=self.iteration >= self.config.iterations,
            good=drawn.loss <= self.best + self.tolerated_rise,
        )

    def export(self) -> TrainState:
        """The state for the next chunk."""
        # NumPy copies: the flat tensors go on being changed in place.
        flat, mean, square = (t.cpu().numpy().copy() for t in (self._flat, self._mean, self._square))
        return TrainState(
            self.iteration,
            flat,
            mean,
            square,
            self._structure,
            self.row,
            self.arrays,
            self.kept,
            self.begun,
            self.best,
            self.carried,
        )

    def _shorten_(self, gradient: Tensor) -> dict[str, float]:
        """Bring a gradient that is too long to its largest norm, in place; returns what the history tells of it."""
        if not math.isfinite(self.clip):
            return {}
        norm = float(gradient.norm())
        if norm > self.clip:
            gradient.mul_(self.clip / norm)
        return {"gradient_norm": norm}

    def _told(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """What the lesson tells, and at which rate weights that were trained before go on."""
        told = self.tell(drawn, shown)
        if self.begun and self.iteration < self.config.iterations:
            told["message"] = (
                f"{told['message']} It was trained before, and goes on at the rate {self.rate:.2g}."
            )
        return told

    def _check(self, loss: float) -> None:
        """Stop a run whose loss is no number, or past what can still be learned from."""
        if math.isfinite(loss) and loss <= self.largest_loss:
            return
        what = f"is {loss:.2g}" if math.isfinite(loss) else "is not a number"
        raise DivergedError(
            f"The loss {what} since iteration {self.iteration + 1}: lower the learning rate (now "
            f"{self.config.lr:g}) and play on from the last good state, or reset."
        )

    def _gave_up(self, error: SolveError) -> DivergedError:
        """What to say when the solver could not follow the flow."""
        reason = str(error).split(": ")[0]  # the advice after it is for callers of odeint
        return DivergedError(
            f"The flow could not be solved in iteration {self.iteration + 1} ({reason}): lower the learning rate (now "
            f"{self.config.lr:g}) or loosen the tolerance, and play on from the last good state, or reset."
        )


def advance_run(
    make: Callable[[Config, TrainState | None], AdamTrainer[Config]],
    history: Callable[[str], tuple[Row, ...]],
    config: Config,
    state: TrainState | None,
    budget: float,
    clock: Clock,
    most: int | None = None,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run (see `node_core.runs.scheduler`): what every lesson's `advance` does.

    Args:
        make: the lesson's trainer.
        history: the rows that led to a pre-trained beginning.
        config: of the run; what changed in it since the last chunk holds from the next iteration.
        state: what the chunk before returned, or None.
        budget: seconds to iterate; at least one iteration if positive, none if 0.
        clock: seconds; the same clock for all chunks, because what is dear is drawn for at most a share of them.
        most: iterations at most; None for as many as fit.

    Returns:
        The snapshot (its rows: one an iteration; those of a pre-trained beginning come first) and the state.

    Raises:
        DivergedError: (a ValueError) the loss is not a number, or the solver gave up.
        ValueError: the data can't be had, or the state belongs to a run of another structure.
    """
    snapshot, after = run_chunk(lambda: make(config, state), budget, clock, most)
    if state is None and config.start:  # the curves begin where the training of the checkpoint began
        snapshot = replace(snapshot, rows=(*history(config.start), *snapshot.rows))
    return snapshot, after


def costs_of(solutions: tuple[Solution, ...]) -> dict[str, float]:
    """What an iteration's solves cost, once they were differentiated: columns of a history row."""
    if not solutions:
        return {}
    return {
        "nfe_forward": float(sum(s.stats.nfe for s in solutions)),
        "nfe_backward": float(sum(s.backward_stats.nfe for s in solutions)),
        "accepted": float(sum(s.steps.n_accepted for s in solutions)),
        "rejected": float(sum(s.steps.n_rejected for s in solutions)),
    }


def adopt(module: nn.Module, flat: Tensor) -> None:
    """Make the parameters views of one flat vector, in their order."""
    parameters = list(module.parameters())
    ends = np.cumsum([0, *(p.numel() for p in parameters)]).tolist()
    for parameter, (start, end) in zip(parameters, pairwise(ends), strict=True):
        parameter.data = flat[start:end].view(parameter.shape)


def trained(module: Module, state: TrainState) -> Module:
    """The module, with the weights of a state."""
    adopt(module, torch.tensor(state.parameters))
    return module


def fresh_state(module: nn.Module, structure: str) -> TrainState:
    """The state before the first iteration, with the module's present weights."""
    flat = torch.cat([p.detach().reshape(-1) for p in module.parameters()]).numpy()
    return TrainState(0, flat, np.zeros_like(flat), np.zeros_like(flat), structure)
