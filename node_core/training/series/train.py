"""Training on time series: one iteration, a chunk of them for a live run, and the iterator over a whole run."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from node_core.models.series.latent import LatentODE
from node_core.models.series.recurrent import RecurrentPredictor
from node_core.runs.chunk import Clock, run_to_the_end
from node_core.runs.snapshot import Row, Scalar, Snapshot
from node_core.runs.state import Kept, TrainState
from node_core.training.adam import annealed
from node_core.training.checkpoint import REFUSED, at_its_last_row, with_history
from node_core.training.series import picture
from node_core.training.series.build import (
    Judged,
    SeriesModel,
    build_model,
    horizon_of,
    judge_direct,
    judge_latent,
    judge_recurrent,
)
from node_core.training.series.checkpoint import history_of, load, save, started
from node_core.training.series.config import SeriesConfig, needs_reset, structure
from node_core.training.series.data import Prepared, prepared
from node_core.training.trainer import AdamTrainer, Drawn, Step, advance_run, fresh_state, trained

LARGEST_LOSS = 1e5  # nats per observed value; a fit with little noise begins in the thousands
_BATCH, _NOISE = 1, 2  # streams of random numbers of an iteration
_PICTURED = 32  # series on which the loss of a picture is taken


class SeriesTrainer(AdamTrainer[SeriesConfig]):
    """A model, its series and its optimiser between two iterations (see `AdamTrainer`).

    Args:
        config: of the run.
        state: where it stands; None for the beginning.

    Raises:
        ValueError: the state belongs to a run of another structure, or data and model do not go together.
    """

    picture_share = 0.15
    tolerated_rise = 1e3  # a direct fit's loss rises whenever its horizon does
    structure_is = "series, model or seed"
    largest_loss = LARGEST_LOSS

    def __init__(self, config: SeriesConfig, state: TrainState | None = None) -> None:
        self.data = prepared(config)
        self.model: SeriesModel = build_model(config, self.data)
        state = initial_state(config, self.model) if state is None else state
        super().__init__(config, self.model, state, structure(config))

    def learning_rate(self) -> float:
        """A cosine over the run."""
        return annealed(self.config.lr, self.config.lr_end, self.iteration / self.config.iterations)

    def step(self) -> Step:
        """A batch of series, or the one that is fitted, and what the model makes of it."""
        size = min(self.config.batch, len(self.data.train))
        chosen = self.rng(_BATCH).choice(self.data.train, size, replace=False)
        judged = self._judge(chosen)
        solutions = () if judged.solution is None else (judged.solution,)
        nothing = {} if solutions else {"nfe_forward": 0.0, "nfe_backward": 0.0}
        return Step(judged.loss, judged.loss.item(), judged.row | nothing, solutions)

    def draw(self, dear: bool) -> Drawn:
        """The series that is shown, and the loss on the first of those for testing."""
        arrays, scalars = picture.draw(self.model, self.config, self.data)
        with torch.no_grad():
            judged = self._judge(self.data.test[:_PICTURED])
        nfe = 0.0 if judged.solution is None else float(judged.solution.stats.nfe)
        return Drawn(cast("dict[str, np.ndarray]", arrays), scalars, judged.loss.item(), nfe)

    def draw_dear(self, drawn: Drawn) -> Kept:
        """The errors over all series for testing."""
        found = picture.errors(self.model, self.config, self.data)
        count = sum(p.numel() for p in self.model.parameters())
        return Kept({}, {**found, "parameters": count})

    def tell(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """Iteration, loss and errors in a sentence."""
        said = [f"Iteration {self.iteration}: loss {shown['loss']:.3g}"]
        for name, words in (("rmse_inside", "off inside"), ("rmse_beyond", "off beyond")):
            value = self.kept.scalars.get(name)
            if isinstance(value, float):
                said.append(f"{value:.3g} {words}")
        return {"message": ", ".join(said) + "."}

    def _judge(self, chosen: np.ndarray) -> Judged:
        config, data, model = self.config, self.data, self.model
        if isinstance(model, LatentODE):
            given = data.given(chosen, config.observations)
            noise = torch.randn(
                len(chosen), model.latent, generator=torch.Generator().manual_seed(self.seed_of(_NOISE))
            )
            return judge_latent(model, config, given, noise, data.width)
        if isinstance(model, RecurrentPredictor):
            return judge_recurrent(model, config, data.given(chosen, config.observations))
        horizon = horizon_of(config, data, self.iteration)
        return judge_direct(model, config, picture.given_of(config, data), horizon)


def advance(
    config: SeriesConfig,
    state: TrainState | None,
    budget: float,
    *,
    most: int | None = None,
    clock: Clock = time.time,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run on series; see `node_core.training.trainer.advance_run`."""
    if state is not None and budget == 0:
        # Asked for the picture alone: its errors may be of another number of observations, or of another solver.
        state = replace(state, kept=Kept())
    return advance_run(SeriesTrainer, history_of, config, state, budget, clock, most)


def answer(config: SeriesConfig, state: TrainState) -> Snapshot:
    """What a model with these weights says of the series that is shown, with the observations in `config.edited`.

    Nothing is trained: a latent ODE or a recurrent net reads the observations anew, a direct fit says what it said
    before. One encoding and two solves, whatever is asked: a few milliseconds.

    Raises:
        ValueError: the observations can't be used, or the state is that of another run.
        SolveError: the solver gave up.
    """
    if state.structure != structure(config):
        raise ValueError(
            "these weights belong to other series or to another model: ask the run that is shown."
        )
    data = prepared(config)
    model = trained(build_model(config, data), state)
    arrays, scalars = picture.draw(model, config, data)
    return Snapshot(arrays, {**scalars, "iteration": state.iteration})


def keep(config: SeriesConfig, state: TrainState, rows: Sequence[Row]) -> bytes:
    """What a page keeps of a run, for a server that forgets it.

    Raises:
        ValueError: the model is too large for that.
    """
    return with_history(functools.partial(save, config, state), rows)


def resume(config: SeriesConfig, raw: bytes) -> tuple[SeriesConfig, TrainState, tuple[Row, ...]]:
    """The configuration, state and history of a run that a page of `config` has kept; `raw` may be anybody's.

    Series of the user's own come out of the file: the page has lost them with its server.

    Raises:
        ValueError: it can't be read, or is of another run.
    """
    found, state, rows = load(raw)
    if not needs_reset(found, config):
        wanted = config
    elif found.data == "own":
        wanted = found
    else:
        raise ValueError("it was trained with other settings than those of this page.")
    count = sum(p.numel() for p in build_model(wanted, prepared(wanted)).parameters())
    if len(state.parameters) != count:
        raise ValueError(f"{REFUSED}: it has {len(state.parameters)} weights, its model {count}.")
    return wanted, at_its_last_row(state, rows), rows


def train(config: SeriesConfig, every: int = 10, state: TrainState | None = None) -> Iterator[Snapshot]:
    """Iterate over a whole run: a snapshot at the start, then one every `every` iterations, and at the end.

    Raises:
        DivergedError: as `advance`.
        ValueError: `every` is not positive, or the series can't be had.
    """
    return run_to_the_end(SeriesTrainer(config, state), every)


def trained_model(config: SeriesConfig, state: TrainState) -> tuple[SeriesModel, Prepared]:
    """The model of a configuration with the weights of a state, and its data."""
    data = prepared(config)
    return trained(build_model(config, data), state), data


def initial_state(config: SeriesConfig, model: SeriesModel | None = None) -> TrainState:
    """The state before the first iteration: random weights, or those of the checkpoint `config.start`.

    Raises:
        ValueError: there is no such checkpoint, or it is of another model.
    """
    if config.start:
        return started(config)
    built = build_model(config, prepared(config)) if model is None else model
    return fresh_state(built, structure(replace(config)))
