"""Training of a flow: one iteration, a chunk of them for a live run, and the iterator over a whole run."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from node_core.cnf.continuous import CNF, Flowed
from node_core.cnf.flow import Flow
from node_core.cnf.matching import flow_matching_loss, spread_times
from node_core.runs.chunk import Clock, run_to_the_end
from node_core.runs.snapshot import Row, Scalar, Snapshot
from node_core.runs.state import Kept, TrainState
from node_core.training.adam import annealed
from node_core.training.checkpoint import REFUSED, with_history
from node_core.training.flow import picture
from node_core.training.flow.build import (
    build_flow,
    forward_cross_entropy,
    reverse_kl,
    target_of,
)
from node_core.training.flow.checkpoint import history_of, read_flow, save_flow, started
from node_core.training.flow.config import MATCHING, TEACHER, CNFConfig, cnf_needs_reset, cnf_structure
from node_core.training.flow.pairs import own_pairs, sampled_pairs
from node_core.training.trainer import AdamTrainer, Drawn, Step, advance_run, fresh_state, trained

# Nats, past which a run has exploded and its state is not worth going on from. Flows begin below 16, whatever the
# target; E_q[log q - log p] can begin anywhere, as p may be tiny where the noise is. What flow matching minimises is a
# squared distance, at first that of noise and data.
LARGEST_LOSS = {"likelihood": 25.0, "forward_kl": 25.0, "reverse_kl": 1e3, **dict.fromkeys(MATCHING, 1e3)}
_SAMPLES, _NOISE, _BASE, _TIMES = 1, 2, 3, 4  # streams of random numbers of an iteration


class FlowTrainer(AdamTrainer[CNFConfig]):
    """A flow, its target and its optimiser between two iterations (see `AdamTrainer`).

    Args:
        config: of the run.
        state: where it stands; None for the beginning.

    Raises:
        ValueError: the state belongs to a run of another structure, or the target can't be had.
    """

    picture_share = 0.15  # densities are what people watch, and must not fall behind the particles
    tolerated_rise = 0.5  # nats
    structure_is = "target, flow or seed"

    def __init__(self, config: CNFConfig, state: TrainState | None = None) -> None:
        self.target = target_of(config.target)
        self.flow: Flow = build_flow(config)
        state = initial_state(config, self.flow) if state is None else state
        super().__init__(config, self.flow, state, cnf_structure(config))
        if config.objective != "reflow":
            self.carried = {}
        elif TEACHER not in self.carried:  # from here on it learns from itself, as it is now
            self.carried = {TEACHER: state.parameters.copy()}

    @property
    def largest_loss(self) -> float:
        """By the objective."""
        return LARGEST_LOSS[self.config.objective]

    def learning_rate(self) -> float:
        """A cosine over the run."""
        return annealed(self.config.lr, self.config.lr_end, self.iteration / self.config.iterations)

    def step(self) -> Step:
        """Samples, their solve, the loss and the penalties."""
        config = self.config
        if config.objective in MATCHING:
            return self._match()
        self._draw_noise()
        loss, row, flowed = self._loss()
        if flowed is None:  # a flow without a solver
            return Step(loss, loss.item(), row | {"nfe_forward": 0.0, "nfe_backward": 0.0})
        total = loss
        if flowed.kinetic is not None and flowed.jacobian is not None:
            kinetic, jacobian = flowed.kinetic.mean(), flowed.jacobian.mean()
            total = loss + config.kinetic * kinetic + config.jacobian * jacobian
            row |= {"kinetic": kinetic.item(), "jacobian": jacobian.item()}
        return Step(total, loss.item(), row, (flowed.solution,))

    def draw(self, dear: bool) -> Drawn:
        """Particles and numbers; the grid lines, three quarters of all moving points, as seldom as the densities."""
        self._draw_noise()
        fresh = dear or "lattice" not in self.arrays
        drawn = picture.draw(self.flow, self.config, self.target, lattice=fresh)
        if fresh:
            self.arrays = {"lattice": drawn.arrays["lattice"]}
        if self.config.objective in MATCHING:  # whose own loss tells nothing of the likelihood
            return replace(drawn, row={**drawn.row, "nll": drawn.loss})
        return drawn

    def draw_dear(self, drawn: Drawn) -> Kept:
        """The densities."""
        movie = picture.movie(self.flow, self.target)
        return Kept({"movie": movie, "grid": movie[-1]})

    def tell(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """Iteration and loss in a sentence."""
        if self.config.objective not in MATCHING:
            return {"message": f"Iteration {self.iteration}: loss {shown['loss']:.3f} nats."}
        words = f"{drawn.loss:.3f} nats"
        if "matching" in shown:
            words = f"squared error of the velocity {shown['matching']:.3f}, {words}"
        return {"message": f"Iteration {self.iteration}: {words}.", "loss": None, "nll": drawn.loss}

    def _match(self) -> Step:
        """Pairs, the velocities between them, and no solve."""
        flow, config = self.flow, self.config
        assert isinstance(flow, CNF)
        if config.objective == "reflow":
            pairs = own_pairs(config, self.carried[TEACHER], self.rng(_BASE))
        else:
            pairs = sampled_pairs(
                config, self.target, flow.base, (self.seed_of(_SAMPLES), self.seed_of(_BASE))
            )
        loss = flow_matching_loss(flow, pairs, spread_times(config.batch, self.rng(_TIMES)))
        value = loss.item()
        return Step(loss, value, {"matching": value, "nfe_forward": 0.0, "nfe_backward": 0.0})

    def _draw_noise(self) -> None:
        """The trace estimator's noise for what is done at this iteration, however the run is cut into chunks."""
        if isinstance(self.flow, CNF):
            self.flow.noise_seed = self.seed_of(_NOISE)

    def _loss(self) -> tuple[Tensor, dict[str, float], Flowed | None]:
        config, flow, target = self.config, self.flow, self.target
        seed = self.seed_of(_SAMPLES)
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
    most: int | None = None,
    clock: Clock = time.time,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run of a flow; see `node_core.training.trainer.advance_run`."""
    if state is not None and budget == 0:
        # Asked for the picture alone: the solver may be another than that of the last one.
        state = replace(state, kept=Kept(), arrays={})
    return advance_run(FlowTrainer, history_of, config, state, budget, clock, most)


def keep(config: CNFConfig, state: TrainState, rows: Sequence[Row]) -> bytes:
    """What a page keeps of a run, for a server that forgets it; its densities can be drawn again.

    Raises:
        ValueError: the flow is too large for that.
    """
    return with_history(functools.partial(save_flow, config, replace(state, kept=Kept())), rows)


def resume(config: CNFConfig, raw: bytes) -> tuple[CNFConfig, TrainState, tuple[Row, ...]]:
    """The configuration, state and history of a run that a page of `config` has kept; `raw` may be anybody's.

    A drawing or a picture of the user's own comes out of the file: the page has lost it with its server.

    Raises:
        ValueError: it can't be read, or is of another run.
    """
    found = read_flow(raw)
    if not cnf_needs_reset(found.config, config):
        wanted = config
    elif found.config.target.name in ("drawn", "image"):
        wanted = found.config
    else:
        raise ValueError("it was trained with other settings than those of this page.")
    count = sum(p.numel() for p in build_flow(wanted).parameters())
    if len(found.state.parameters) != count:
        raise ValueError(f"{REFUSED}: it has {len(found.state.parameters)} weights, its flow {count}.")
    return wanted, found.state, found.rows


def train(config: CNFConfig, every: int = 10, state: TrainState | None = None) -> Iterator[Snapshot]:
    """Iterate over a whole run: a snapshot at the start, then one every `every` iterations, and at the end.

    Raises:
        DivergedError: as `advance`.
        ValueError: `every` is not positive, or the target can't be had.
    """
    return run_to_the_end(FlowTrainer(config, state), every)


def trained_flow(config: CNFConfig, state: TrainState) -> Flow:
    """The flow of a configuration with the weights of a state."""
    return trained(build_flow(config), state)


def initial_state(config: CNFConfig, flow: Flow | None = None) -> TrainState:
    """The state before the first iteration: random weights, or those of the pre-trained flow `config.start`.

    Raises:
        ValueError: there is no such flow, or it is of another structure.
    """
    if config.start:
        return started(config)
    return fresh_state(build_flow(config) if flow is None else flow, cnf_structure(config))


def _log_prob(flow: Flow, x: Tensor) -> tuple[Tensor, Flowed | None]:
    """Log q(x), and the solve of a continuous flow."""
    back = flow.inverse(x)
    return flow.base.log_prob(back[0]) + back[1], back if isinstance(back, Flowed) else None
