"""Training of a classifier: one iteration, a chunk of them for a live run, and the iterator over a whole run."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from node_core.data.toy import USER_SETS
from node_core.fields.mlp.mlp import MLPField
from node_core.models.classifier import BlockClassifier
from node_core.models.odenet import ODENet
from node_core.models.resnet import ResNet
from node_core.runs.chunk import Clock, run_to_the_end
from node_core.runs.snapshot import Row, Scalar, Snapshot
from node_core.runs.state import Kept, TrainState
from node_core.solution import Solution
from node_core.training.checkpoint import with_history
from node_core.training.classifier import picture, regularizers
from node_core.training.classifier.build import accuracy_of, build_model, dataset, loss_of, solver_of
from node_core.training.classifier.checkpoint import load, pretrained, pretrained_history, save, with_picture
from node_core.training.classifier.config import TrainConfig, needs_reset, structure
from node_core.training.picture import log_arrays
from node_core.training.trainer import AdamTrainer, Drawn, Step, advance_run, fresh_state

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


class Trainer(AdamTrainer[TrainConfig]):
    """A classifier, its data and its optimiser between two iterations (see `AdamTrainer`).

    Args:
        config: of the run.
        state: where it stands; None for the beginning.

    Raises:
        ValueError: the state belongs to a run of another structure, or the data can't be had.
    """

    picture_share = 0.05  # all of a snapshot may take 15 %
    tolerated_rise = 0.25  # nats, or squared distance
    structure_is = "model, data or seed"
    largest_loss = LARGEST_LOSS

    def __init__(self, config: TrainConfig, state: TrainState | None = None) -> None:
        self.data = dataset(config.data)
        self.model = build_model(config)
        state = initial_state(config, self.model) if state is None else state
        super().__init__(config, self.model, state, structure(config))
        self._x = torch.from_numpy(self.data.x[self.data.train])
        self._y = torch.from_numpy(self.data.labels[self.data.train])
        self._targets: Tensor | None = None
        if config.loss == "flow_map":
            assert self.data.targets is not None
            self._targets = torch.from_numpy(self.data.targets[self.data.train])

    def step(self) -> Step:
        """A batch, its flow, its loss and penalties."""
        config = self.config
        chosen = self._batch()
        x, labels, targets = self._x, self._y, self._targets
        if chosen is not None:
            x, labels = x[chosen], labels[chosen]
            targets = None if targets is None else targets[chosen]
        end = regularizers.random_end(config.t1, config.steer, self.rng(_END))
        flow = self._flow(x, end)
        outputs = self.model.read(flow.final)
        loss = loss_of(outputs, labels, targets)
        row = {"accuracy": accuracy_of(outputs, labels, targets)}
        total = loss
        for name, penalty in self._penalties(flow).items():
            total = total + getattr(config, name) * penalty
            row[name] = penalty.item()
        if flow.solution is None:  # a layer is an evaluation
            row |= dict.fromkeys(("nfe_forward", "nfe_backward"), float(config.layers))
        return Step(total, loss.item(), row, () if flow.solution is None else (flow.solution,))

    def after(self, step: Step) -> None:
        """The solver's steps are shown beside the picture."""
        if step.solutions:
            solution = step.solutions[0]
            forward, backward = solution.steps, solution.backward_steps
            self.arrays = log_arrays("forward", forward) | log_arrays("backward", backward)

    def draw(self, dear: bool) -> Drawn:
        """Points, paths, weights and numbers."""
        return picture.draw(self.model, self.config, self.data)

    def draw_dear(self, drawn: Drawn) -> Kept:
        """The boundary, in a frame that shows where the paths lead; frame and boundary change together."""
        before = cast("list[float] | None", self.kept.scalars.get("extent"))
        frame = picture.frame_of(self.data, drawn.arrays["trajectories"], before)
        fresh = picture.boundary(self.model, self.config, self.data, frame)
        if fresh is None and self.kept.arrays:
            return self.kept
        return Kept({} if fresh is None else {"grid": fresh}, {"extent": list(frame)})

    def tell(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """Iteration, loss and accuracy in a sentence."""
        loss, accuracy = shown["loss"], drawn.row["train_accuracy"]
        return {"message": f"Iteration {self.iteration}: loss {loss:.3g}, {accuracy:.0%} correct."}

    def _batch(self) -> Tensor | None:
        n = len(self._x)
        if self.config.batch >= n:
            return None
        return torch.from_numpy(self.rng(_BATCH).choice(n, self.config.batch, replace=False))

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
        solution = model.solve(x, ts, solver_of(config, end))
        return Flow(solution.ys[-1], nodes, solution.ys[1:-1], weights, solution)

    def _penalties(self, flow: Flow) -> dict[str, Tensor]:
        """Kinetic energy and Jacobian norm of the batch, those that have a weight."""
        config, fields = self.config, cast("list[MLPField]", list(self.model.fields))
        if config.kinetic == 0 and config.jacobian == 0:
            return {}
        probe = None
        dim = flow.final.shape[1]
        if dim > regularizers.EXACT_DIM:
            probe = regularizers.rademacher(len(flow.final), dim, self.rng(_PROBE))
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


def advance(
    config: TrainConfig,
    state: TrainState | None,
    budget: float,
    *,
    most: int | None = None,
    clock: Clock = time.time,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run of a classifier; see `node_core.training.trainer.advance_run`."""
    return advance_run(Trainer, pretrained_history, config, state, budget, clock, most)


def keep(config: TrainConfig, state: TrainState, rows: Sequence[Row]) -> bytes:
    """What a page keeps of a run, for a server that forgets it.

    Raises:
        ValueError: the net is too large for that, together with points of its own.
    """
    return with_history(functools.partial(save, config, state), rows)


def resume(config: TrainConfig, raw: bytes) -> tuple[TrainConfig, TrainState, tuple[Row, ...]]:
    """The configuration, state and history of a run that a page of `config` has kept; `raw` may be anybody's.

    Points of the user's own come out of the file: the page has lost them with its server.

    Raises:
        ValueError: it can't be read, or is of another run.
    """
    found = load(raw)
    if not needs_reset(found.config, config):
        return config, found.state, found.rows
    if found.config.data.name in USER_SETS:
        return found.config, found.state, found.rows
    raise ValueError("it was trained with other settings than those of this page.")


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
    return fresh_state(build_model(config) if model is None else model, structure(config))
