"""Training of a flow: one iteration, a chunk of them for a live run, and the iterator over a whole run.

As with classifiers (`node_core.training.train`), what is random in iteration i is drawn from (seed, i) and the state
holds the rest: however a run is cut into chunks, it is the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from node_core.cnf.continuous import CNF, Flowed
from node_core.cnf.flow import Flow
from node_core.solution import SolveError
from node_core.training import cnf_picture
from node_core.training.adam import adam_step
from node_core.training.build import adopt
from node_core.training.chunk import check_loss, gave_up, run_chunk, run_to_the_end
from node_core.training.cnf_build import (
    build_flow,
    forward_cross_entropy,
    learning_rate,
    reverse_kl,
    seed_of,
    target_of,
)
from node_core.training.cnf_checkpoint import history_of, started
from node_core.training.cnf_config import CNFConfig, cnf_structure
from node_core.training.snapshot import Row, Snapshot
from node_core.training.state import TrainState

# Nats, past which a run has exploded and its state is not worth going on from. Flows begin below 16, whatever the
# target; E_q[log q - log p] can begin anywhere, as p may be tiny where the noise is.
LARGEST_LOSS = {"likelihood": 25.0, "forward_kl": 25.0, "reverse_kl": 1e3}
_SAMPLES, _NOISE = 1, 2  # streams of random numbers of an iteration


class FlowTrainer:
    """A flow, its target and its optimiser between two iterations; made anew for each chunk.

    Args:
        config: of the run.
        state: where it stands; None for the beginning.

    Raises:
        ValueError: the state belongs to a run of another structure, or the target can't be had.
    """

    picture_share = (
        0.15  # of wall time; densities are what people watch, and must not fall behind the particles
    )

    def __init__(self, config: CNFConfig, state: TrainState | None = None) -> None:
        self.config = config
        self.target = target_of(config.target)
        self.flow: Flow = build_flow(config)
        state = initial_state(config, self.flow) if state is None else state
        if state.structure != cnf_structure(config):
            raise ValueError("the run was begun with another target, flow or seed: reset it to begin anew.")
        self.state = state
        self._flat, self._mean, self._square = (
            torch.tensor(a) for a in (state.parameters, state.moment_1, state.moment_2)
        )
        self._parameters = list(self.flow.parameters())
        adopt(self.flow, self._flat)
        self.iteration = state.iteration
        self.row: Mapping[str, float] = state.row

    def iterate(self) -> Row:
        """One iteration: samples, solve, loss, gradient, Adam. Returns its history row.

        Raises:
            DivergedError: the loss is not a number, or the solver gave up; the weights are as before.
        """
        config = self.config
        if isinstance(self.flow, CNF):
            self.flow.noise_seed = seed_of(config, self.iteration, _NOISE)
        try:
            loss, extra, flowed = self._loss()
        except SolveError as error:
            raise gave_up(self, error) from error
        total = loss
        if flowed is not None and flowed.kinetic is not None and flowed.jacobian is not None:
            kinetic, jacobian = flowed.kinetic.mean(), flowed.jacobian.mean()
            total = loss + config.kinetic * kinetic + config.jacobian * jacobian
            extra |= {"kinetic": kinetic.item(), "jacobian": jacobian.item()}
        value = loss.item()
        check_loss(self, value if math.isfinite(total.item()) else math.nan, LARGEST_LOSS[config.objective])
        gradients = torch.autograd.grad(total, self._parameters, allow_unused=True, materialize_grads=True)
        gradient = torch.cat([g.reshape(-1) for g in gradients])
        if not bool(torch.isfinite(gradient).all()):
            check_loss(self, math.nan, math.inf)
        rate = learning_rate(config, self.iteration)
        adam_step(self._flat, self._mean, self._square, gradient, self.iteration, rate)
        self.iteration += 1
        self.row = {"iteration": self.iteration, "loss": value, **extra, **_costs(flowed)}
        return self.row

    def snapshot(self, *, grid: bool = True, rows: tuple[Row, ...] = (), now: float = 0.0) -> Snapshot:
        """The picture of the present weights; `grid=False` shows the last densities and grid lines again.

        Raises:
            DivergedError: the loss of the present weights is not a number, or the solver gave up.
        """
        try:
            kept = self.state.logs
            drawn = cnf_picture.draw(
                self.flow, self.config, self.target, lattice=grid or "lattice" not in kept
            )
            if "lattice" in drawn.arrays:
                kept = {"lattice": drawn.arrays["lattice"]}
            self.state = replace(self.state, logs=kept)
            movie, cost = self.state.grid, self.state.grid_cost
            if grid or movie is None:
                started = time.perf_counter()
                movie = cnf_picture.movie(self.flow, self.target)
                cost = time.perf_counter() - started
                self.state = replace(self.state, grid=movie, grid_time=now + cost, grid_cost=cost)
        except SolveError as error:
            raise gave_up(self, error) from error
        check_loss(self, drawn.loss, LARGEST_LOSS[self.config.objective])
        shown = self.row or {"loss": drawn.loss, "nfe_forward": 0.0, "nfe_backward": 0.0}
        scalars = drawn.scalars | {
            "iteration": self.iteration,
            "loss": shown["loss"],
            "nfe_forward": shown["nfe_forward"] or None,  # nothing solved yet, or a flow without a solver
            "nfe_backward": shown["nfe_backward"] or None,
            "message": f"Iteration {self.iteration}: loss {shown['loss']:.3f} nats.",
        }
        arrays = {**kept, **drawn.arrays} | {"grid": movie[-1], "movie": movie}
        return Snapshot(arrays, scalars, rows, finished=self.iteration >= self.config.iterations)

    def export(self) -> TrainState:
        """The state for the next chunk."""
        flat, mean, square = (t.numpy().copy() for t in (self._flat, self._mean, self._square))
        return replace(
            self.state,
            iteration=self.iteration,
            parameters=flat,
            moment_1=mean,
            moment_2=square,
            row=self.row,
        )

    def _loss(self) -> tuple[Tensor, dict[str, float], Flowed | None]:
        config, flow, target = self.config, self.flow, self.target
        seed = seed_of(config, self.iteration, _SAMPLES)
        if config.objective == "likelihood":
            x = torch.from_numpy(target.sample(config.batch, seed))
            log_q, flowed = _log_prob(flow, x)
            return -log_q.mean(), {}, flowed
        if config.objective == "forward_kl":
            with torch.no_grad():
                x = flow.sample(config.batch, seed)
            log_q, flowed = _log_prob(flow, x)
            loss, share = forward_cross_entropy(target, x, log_q)
            return loss, {"effective_share": share}, flowed
        z = flow.base.sample(config.batch, seed)
        there = flow.forward(z)
        log_q = flow.base.log_prob(z) - there[1]
        return reverse_kl(target, there[0], log_q), {}, there if isinstance(there, Flowed) else None


def advance(
    config: CNFConfig,
    state: TrainState | None,
    budget: float,
    *,
    clock: Callable[[], float] = time.time,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run (see `node_core.training.live`).

    Args:
        config: of the run; what changed in it since the last chunk holds from the next iteration.
        state: what the chunk before returned, or None.
        budget: seconds to iterate; at least one iteration if positive, none if 0.
        clock: seconds; the same clock for all chunks, because the densities are drawn for at most a share of them.

    Returns:
        The snapshot (its rows: one an iteration, and first those that led to a pre-trained flow) and the state.

    Raises:
        DivergedError: (a ValueError) the loss is not a number, or the solver gave up.
        ValueError: the target can't be had, or the state belongs to a run of another structure.
    """
    if state is not None and budget == 0:
        # Asked for the picture alone: the solver may be another than that of the last one.
        state = replace(state, grid=None, logs={})
    snapshot, after = run_chunk(lambda: FlowTrainer(config, state), budget, clock)
    if state is None and config.start:
        snapshot = replace(snapshot, rows=(*history_of(config.start), *snapshot.rows))
    return snapshot, after


def train(config: CNFConfig, every: int = 10, state: TrainState | None = None) -> Iterator[Snapshot]:
    """Iterate over a whole run: a snapshot at the start, then one every `every` iterations, and at the end.

    Raises:
        DivergedError: as `advance`.
        ValueError: `every` is not positive, or the target can't be had.
    """
    return run_to_the_end(FlowTrainer(config, state), every)


def trained_flow(config: CNFConfig, state: TrainState) -> Flow:
    """The flow of a configuration with the weights of a state."""
    flow = build_flow(config)
    adopt(flow, torch.tensor(state.parameters))
    return flow


def initial_state(config: CNFConfig, flow: Flow | None = None) -> TrainState:
    """The state before the first iteration: random weights, or those of the pre-trained flow `config.start`.

    Raises:
        ValueError: there is no such flow, or it is of another structure.
    """
    if config.start:
        return started(config)
    flow = build_flow(config) if flow is None else flow
    flat = torch.cat([p.detach().reshape(-1) for p in flow.parameters()]).numpy()
    return TrainState(0, flat, np.zeros_like(flat), np.zeros_like(flat), cnf_structure(config))


def _log_prob(flow: Flow, x: Tensor) -> tuple[Tensor, Flowed | None]:
    """Log q(x), and the solve of a continuous flow."""
    back = flow.inverse(x)
    return flow.base.log_prob(back[0]) + back[1], back if isinstance(back, Flowed) else None


def _costs(flowed: Flowed | None) -> dict[str, float]:
    if flowed is None:
        return {"nfe_forward": 0.0, "nfe_backward": 0.0}
    solution = flowed.solution
    return {
        "nfe_forward": float(solution.stats.nfe),
        "nfe_backward": float(solution.backward_stats.nfe),
        "accepted": float(solution.steps.n_accepted),
        "rejected": float(solution.steps.n_rejected),
    }
