"""Training: one iteration, a chunk of them for a live run, and the iterator over a whole run.

A run is deterministic: what is random in iteration i is drawn from (seed, i), and the state holds the rest. How it is
cut into chunks changes nothing but how often the boundary's picture is drawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from node_core.fields.mlp import MLPField
from node_core.models.classifier import BlockClassifier
from node_core.models.odenet import ODENet
from node_core.models.resnet import ResNet
from node_core.solution import Solution, SolveError, StepLog
from node_core.training import picture, regularizers
from node_core.training.adam import adam_step
from node_core.training.build import accuracy_of, adopt, build_model, dataset, loss_of, solver_of
from node_core.training.checkpoint import pretrained, pretrained_history, with_picture
from node_core.training.chunk import check_loss, gave_up, run_chunk, run_to_the_end
from node_core.training.config import TrainConfig, structure
from node_core.training.snapshot import Row, Snapshot
from node_core.training.state import Floats32, TrainState

LARGEST_LOSS = 100.0  # past it nothing is learned any more; the loss begins near 1
_BATCH, _END, _PROBE = 1, 2, 3  # streams of random numbers of an iteration


@dataclass(frozen=True)
class Flow:
    """A batch on its way: final states, and the states at the quadrature's nodes.

    Args:
        final: (n, dim).
        nodes: node times; node_states: (nodes, n, dim); weights: of the nodes. Empty without a regulariser.
        solution: the ODE-Net's solve; None for the ResNet.
    """

    final: Tensor
    nodes: list[float]
    node_states: Tensor
    weights: list[float]
    solution: Solution | None


class Trainer:
    """A model, its data and its optimiser between two iterations; made anew for each chunk.

    The weights are views of one flat vector, so that Adam is five operations whatever the number of layers.

    Args:
        config: of the run.
        state: where it stands; None for the beginning.

    Raises:
        ValueError: the state belongs to a run of another structure, or the data can't be had.
    """

    picture_share = picture.GRID_SHARE

    def __init__(self, config: TrainConfig, state: TrainState | None = None) -> None:
        self.config = config
        self.data = dataset(config.data)
        self.model = build_model(config)
        state = initial_state(config, self.model) if state is None else state
        if state.structure != structure(config):
            raise ValueError("the run was begun with another model, data or seed: reset it to begin anew.")
        self.state = state
        self._flat, self._m, self._v = (
            torch.tensor(a) for a in (state.parameters, state.moment_1, state.moment_2)
        )
        self._parameters = list(self.model.parameters())
        adopt(self.model, self._flat)
        self._x = torch.from_numpy(self.data.x[self.data.train])
        self._y = torch.from_numpy(self.data.labels[self.data.train])
        self._targets: Tensor | None = None
        if config.loss == "flow_map":
            assert self.data.targets is not None
            self._targets = torch.from_numpy(self.data.targets[self.data.train])
        self.iteration = state.iteration
        self.row: dict[str, float] = dict(state.row)
        self.logs: Mapping[str, Floats32] = state.logs

    def iterate(self) -> Row:
        """One iteration: batch, solve, loss, gradient, Adam. Returns its history row.

        Raises:
            DivergedError: the loss is not a number, or the solver gave up; the weights are as before.
        """
        config = self.config
        chosen = self._batch()
        x, labels, targets = self._x, self._y, self._targets
        if chosen is not None:
            x, labels = x[chosen], labels[chosen]
            targets = None if targets is None else targets[chosen]
        end = regularizers.random_end(config.t1, config.steer, self._rng(_END))
        flow = self._flow(x, end)
        outputs = self.model.read(flow.final)
        loss = loss_of(outputs, labels, targets)
        penalties = self._penalties(flow)
        total = loss
        for name, penalty in penalties.items():
            total = total + getattr(config, name) * penalty
        value = loss.item()
        check_loss(self, total.item(), LARGEST_LOSS)
        gradients = torch.autograd.grad(total, self._parameters)
        self._update(torch.cat([g.reshape(-1) for g in gradients]))
        self.iteration += 1
        self.row, self.logs = self._record(value, accuracy_of(outputs, labels, targets), flow.solution)
        self.row |= {name: penalty.item() for name, penalty in penalties.items()}
        return self.row

    def snapshot(self, *, grid: bool = True, rows: tuple[Row, ...] = (), now: float = 0.0) -> Snapshot:
        """The picture of the present weights; `grid=False` shows the last boundary again.

        Raises:
            DivergedError: the loss of the present weights is not a number, or the solver gave up.
        """
        try:
            drawn = picture.draw(self.model, self.config, self.data, self.logs)
        except SolveError as error:
            raise gave_up(self, error) from error
        check_loss(self, drawn.loss, LARGEST_LOSS)
        if grid or self.state.grid is None:
            self._draw_boundary(drawn.arrays["trajectories"], now)
        boundary, frame = self.state.grid, self.state.frame
        shown = self.row or {"loss": drawn.loss, "nfe_forward": drawn.nfe, "nfe_backward": 0.0}
        scalars = drawn.scalars | {
            "iteration": self.iteration,
            "loss": shown["loss"],
            "nfe_forward": shown["nfe_forward"],
            "nfe_backward": shown["nfe_backward"],
            "message": f"Iteration {self.iteration}: loss {shown['loss']:.3g}, {drawn.accuracy:.0%} correct.",
        }
        if frame is not None:
            scalars["extent"] = list(frame)
        arrays = drawn.arrays if boundary is None else drawn.arrays | {"grid": boundary}
        if rows:
            last = {**rows[-1], "train_accuracy": drawn.accuracy, "test_accuracy": drawn.test_accuracy}
            rows = (*rows[:-1], last)
        return Snapshot(arrays, scalars, rows, finished=self.iteration >= self.config.iterations)

    def _draw_boundary(self, paths: np.ndarray, now: float) -> None:
        """Draw the boundary in a frame that shows where the paths lead; frame and picture change together."""
        started = time.perf_counter()
        frame = picture.frame_of(self.data, paths, self.state.frame)
        fresh = picture.boundary(self.model, self.config, self.data, frame)
        cost = time.perf_counter() - started
        self.state = replace(self.state, grid_time=now + cost, grid_cost=cost)
        if fresh is not None or self.state.grid is None:
            self.state = replace(self.state, grid=fresh, frame=frame)

    def export(self) -> TrainState:
        """The state for the next chunk."""
        # NumPy copies: the flat tensors go on being changed in place.
        flat, m, v = (tensor.numpy().copy() for tensor in (self._flat, self._m, self._v))
        return replace(
            self.state,
            iteration=self.iteration,
            parameters=flat,
            moment_1=m,
            moment_2=v,
            row=self.row,
            logs=self.logs,
        )

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, self.iteration, stream))

    def _batch(self) -> Tensor | None:
        n = len(self._x)
        if self.config.batch >= n:
            return None
        return torch.from_numpy(self._rng(_BATCH).choice(n, self.config.batch, replace=False))

    def _flow(self, x: Tensor, end: float) -> Flow:
        config, model = self.config, self.model
        wanted = config.kinetic > 0 or config.jacobian > 0
        if isinstance(model, ResNet):
            ys = model.trajectory(x)
            nodes = [layer * model.step for layer in range(model.layers)]
            return Flow(ys[-1], nodes, ys[:-1], [model.step] * model.layers, None)
        assert isinstance(model, ODENet)
        nodes, weights = regularizers.nodes_and_weights(end) if wanted else ([], [])
        ts = torch.tensor([0.0, *nodes, end], dtype=torch.float64)
        try:
            solution = model.solve(x, ts, solver_of(config, end))
        except SolveError as error:
            raise gave_up(self, error) from error
        return Flow(solution.ys[-1], nodes, solution.ys[1:-1], weights, solution)

    def _penalties(self, flow: Flow) -> dict[str, Tensor]:
        """Kinetic energy and Jacobian norm of the batch, those that have a weight."""
        config, fields = self.config, cast("list[MLPField]", list(self.model.fields))
        if config.kinetic == 0 and config.jacobian == 0:
            return {}
        probe = None
        dim = flow.final.shape[1]
        if dim > regularizers.EXACT_DIM:
            probe = regularizers.rademacher(len(flow.final), dim, self._rng(_PROBE))
        # Layers with fields of their own are visited one by one, all others in one call.
        parts = [slice(k, k + 1) for k in range(len(fields))] if len(fields) > 1 else [slice(None)]
        sums: dict[str, list[Tensor]] = {}
        for k, part in enumerate(parts):
            where = (fields[k], flow.nodes[part], flow.node_states[part], flow.weights[part])
            if config.kinetic:
                sums.setdefault("kinetic", []).append(regularizers.kinetic_energy(*where))
            if config.jacobian:
                sums.setdefault("jacobian", []).append(regularizers.jacobian_norm(*where, probe))
        return {name: torch.stack(values).sum() for name, values in sums.items()}

    def _update(self, gradient: Tensor) -> None:
        """Adam."""
        adam_step(self._flat, self._m, self._v, gradient, self.iteration, self.config.lr)

    def _record(
        self, loss: float, accuracy: float, solution: Solution | None
    ) -> tuple[dict[str, float], dict[str, Floats32]]:
        row: dict[str, float] = {"iteration": self.iteration, "loss": loss, "accuracy": accuracy}
        if solution is None:
            layers = float(self.config.layers)
            return row | {"nfe_forward": layers, "nfe_backward": layers}, {}
        backward = solution.backward_steps
        row |= {
            "nfe_forward": float(solution.stats.nfe),
            "nfe_backward": float(solution.backward_stats.nfe),
            "accepted": float(solution.steps.n_accepted),
            "rejected": float(solution.steps.n_rejected),
        }
        return row, {**_log("forward", solution.steps), **_log("backward", backward)}


def advance(
    config: TrainConfig,
    state: TrainState | None,
    budget: float,
    *,
    clock: Callable[[], float] = time.time,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run (see `node_core.training.live`).

    A state is only returned when the loss of its own weights is a number, so that a run that exploded can go on from
    the state before, with a lower learning rate.

    Args:
        config: of the run; what changed in it since the last chunk holds from the next iteration.
        state: what the chunk before returned, or None.
        budget: seconds to iterate; at least one iteration if positive, none if 0.
        clock: seconds; the same clock for all chunks, because the boundary is drawn for at most a share of them.

    Returns:
        The snapshot (its rows: one an iteration; those of a pre-trained beginning come first) and the state.

    Raises:
        DivergedError: (a ValueError) the loss is not a number, or the solver gave up.
        ValueError: the data can't be had, or the state belongs to a run of another structure.
    """
    snapshot, after = run_chunk(lambda: Trainer(config, state), budget, clock)
    if state is None and config.start:  # the curves begin where the training of the checkpoint began
        snapshot = replace(snapshot, rows=(*pretrained_history(config.start), *snapshot.rows))
    return snapshot, after


def train(config: TrainConfig, every: int = 10, state: TrainState | None = None) -> Iterator[Snapshot]:
    """Iterate over a whole run: a snapshot at the start, then one every `every` iterations, and at the end.

    Raises:
        DivergedError: as `advance`.
        ValueError: `every` is not positive, or the data can't be had.
    """
    return run_to_the_end(Trainer(config, state), every)


def initial_state(config: TrainConfig, model: BlockClassifier | None = None) -> TrainState:
    """The state before the first iteration: random weights, or those of the checkpoint `config.start`.

    Raises:
        ValueError: there is no such checkpoint, or it is of another model.
    """
    if config.start:
        found = pretrained(config.start)
        state = found.state_for(config)
        # The boundary that comes along is that of the checkpoint's own points.
        return state if config.data != found.config.data else with_picture(state, config.start)
    model = build_model(config) if model is None else model
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()]).numpy()
    return TrainState(0, flat, np.zeros_like(flat), np.zeros_like(flat), structure(config))


def _log(name: str, steps: StepLog) -> dict[str, Floats32]:
    columns = {"t": steps.t, "dt": steps.dt, "error_ratio": steps.error_ratio, "accepted": steps.accepted}
    return {f"{name}_{key}": values.astype(np.float32) for key, values in columns.items()}
