"""Training of a classifier of images: one iteration, a chunk of them for a live run, the iterator over a whole run."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from node_core.data.images import image_set
from node_core.models.depth import Layered
from node_core.runs.chunk import Clock, run_to_the_end
from node_core.runs.snapshot import Row, Scalar, Snapshot
from node_core.runs.state import Kept, TrainState
from node_core.settings import SolverSettings
from node_core.training.adam import annealed
from node_core.training.checkpoint import at_its_last_row, with_history
from node_core.training.images import picture
from node_core.training.images.build import ask, build_model, device_of, inputs, solver_of, wrong
from node_core.training.images.checkpoint import history_of, load, save, started
from node_core.training.images.config import ImagesConfig, iterations_an_epoch, needs_reset, structure
from node_core.training.picture import log_arrays
from node_core.training.trainer import AdamTrainer, Drawn, Step, advance_run, fresh_state

LARGEST_LOSS = 100.0  # nats; it begins near 2.3
_NOISE, _ORDER = 1, 2  # streams of random numbers


class ImageTrainer(AdamTrainer[ImagesConfig]):
    """A net, its images and its optimiser between two iterations (see `AdamTrainer`).

    A row of its history has `loss` and `accuracy` of the batch, `seconds` of processor time since the start, the
    solver's costs, and `test_accuracy` where a picture is drawn. The picture's scalars have `test_error` (a share of
    all test images) and `parameters`.

    Args:
        config: of the run.
        state: where it stands; None for the beginning.

    Raises:
        ValueError: the state belongs to a run of another structure, the images can't be had, or there is no GPU.
    """

    picture_share = 0.1
    tolerated_rise = 1.0  # nats; a net that knows the training images by heart may rise on the test's
    structure_is = "images, net or seed"
    largest_loss = LARGEST_LOSS

    def __init__(self, config: ImagesConfig, state: TrainState | None = None) -> None:
        self.device = device_of(config)
        self.data = image_set(config.data)
        self.model = build_model(config)
        state = initial_state(config, self.model) if state is None else state
        super().__init__(config, self.model, state, structure(config))
        self._x = inputs(config, self.data.x)
        self._labels = torch.from_numpy(self.data.labels).to(self.device)
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0))
        self._plane: picture.Plane | None = None

    def learning_rate(self) -> float:
        """A cosine from lr to lr * lr_end."""
        return annealed(self.config.lr, self.config.lr_end, self.iteration / self.config.iterations)

    def iterate(self) -> Row:
        """One iteration, and the processor time it took."""
        before, started = self.row.get("seconds", 0.0), time.process_time()
        super().iterate()
        self.row = {**self.row, "seconds": before + time.process_time() - started}
        return self.row

    def step(self) -> Step:
        """A batch with noise, its logits, its loss."""
        chosen = torch.from_numpy(self._batch()).to(self.device)
        x, labels = self._x[chosen], self._labels[chosen]
        if self.config.noise > 0:
            noise = self.rng(_NOISE).standard_normal(tuple(x.shape), dtype=np.float32)
            x = x + inputs(self.config, self.config.noise * noise).view_as(x)
        answer = ask(self.model, x, self._solver())
        loss = functional.cross_entropy(answer.logits, labels)
        row = {"accuracy": float((answer.logits.argmax(1) == labels).float().mean())}
        if answer.solution is None:  # a layer is an evaluation; an MLP has none
            nfe = float(self.config.layers) if isinstance(self.model, Layered) else 0.0
            row |= dict.fromkeys(("nfe_forward", "nfe_backward"), nfe)
            return Step(loss, loss.item(), row)
        return Step(loss, loss.item(), row, (answer.solution,))

    def after(self, step: Step) -> None:
        """The solver's steps are shown beside the picture."""
        if step.solutions:
            steps, back = step.solutions[0].steps, step.solutions[0].backward_steps
            self.arrays = log_arrays("forward", steps) | log_arrays("backward", back)

    def draw(self, dear: bool) -> Drawn:
        """Test images on their way; in the plane of the last picture, or in a new one."""
        kept = self.kept.arrays
        before = kept.get("plane")
        old = None if dear or before is None else picture.Plane(kept["centre"], before)
        drawn, self._plane = picture.draw(self.model, self.config, self.data, old, before)
        return drawn

    def draw_dear(self, drawn: Drawn) -> Kept:
        """The plane, its frame, and the error on all test images."""
        assert self._plane is not None
        rest = self.data.test[picture.SHOWN :]
        count = int((drawn.arrays["predicted"] != drawn.arrays["labels"]).sum())
        if len(rest):
            chosen = torch.from_numpy(rest).to(self.device)
            count += wrong(self.model, self._x[chosen], self._labels[chosen], self._solver())
        before = cast("list[float] | None", self.kept.scalars.get("extent"))
        extent = picture.frame_of(drawn.arrays["trajectories"], before)
        plane: dict[str, np.ndarray] = {"plane": self._plane.axes, "centre": self._plane.centre}
        return Kept(plane, {"extent": extent, "test_error": count / len(self.data.test)})

    def tell(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """Epoch, loss and error in a sentence."""
        epoch = self.iteration / iterations_an_epoch(self.config)
        error = cast(float, self.kept.scalars["test_error"])
        n = len(self.data.test)
        return {
            "message": f"Epoch {epoch:.1f}: loss {shown['loss']:.3g}, {error:.1%} of {n:,} test images wrong.",
            "seconds": shown.get("seconds", 0.0),
            "epoch": epoch,
        }

    def _solver(self) -> SolverSettings | None:
        return solver_of(self.config) if self.config.model in ("odenet", "rknet") else None

    def _batch(self) -> np.ndarray:
        """Indices of the iteration's images: every epoch goes through them in a new order."""
        train, size = self.data.train, self.config.batch
        epoch, k = divmod(self.iteration, iterations_an_epoch(self.config))
        if self._order[0] != epoch:
            rng = np.random.default_rng((self.config.seed, epoch, _ORDER))
            self._order = (epoch, rng.permutation(train))
        return self._order[1][k * size : (k + 1) * size]


def advance(
    config: ImagesConfig, state: TrainState | None, budget: float, *, clock: Clock = time.time
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run of a classifier of images; see `node_core.training.trainer.advance_run`."""
    return advance_run(ImageTrainer, history_of, config, state, budget, clock)


def keep(config: ImagesConfig, state: TrainState, rows: Sequence[Row]) -> bytes:
    """What a page keeps of a run, for a server that forgets it.

    Raises:
        ValueError: the net is too large for that, or learns from other images than the digits.
    """
    return with_history(functools.partial(save, config, state), rows)


def resume(config: ImagesConfig, raw: bytes) -> tuple[ImagesConfig, TrainState, tuple[Row, ...]]:
    """The configuration, state and history of a run that a page of `config` has kept; `raw` may be anybody's.

    Raises:
        ValueError: it can't be read, or is of another run.
    """
    kept, state, rows = load(raw)
    if needs_reset(kept, config):
        raise ValueError("it was trained with other settings than those of this page.")
    return config, at_its_last_row(state, rows), rows


def train(config: ImagesConfig, every: int = 10, state: TrainState | None = None) -> Iterator[Snapshot]:
    """Iterate over a whole run: a snapshot at the start, then one every `every` iterations, and at the end.

    Raises:
        DivergedError: as `advance`.
        ValueError: `every` is not positive, or the images can't be had.
    """
    return run_to_the_end(ImageTrainer(config, state), every)


def initial_state(config: ImagesConfig, model: nn.Module | None = None) -> TrainState:
    """The state before the first iteration: random weights, or those of the checkpoint `config.start`.

    Raises:
        ValueError: there is no such checkpoint, or it is of another net.
    """
    if config.start:
        return started(config)
    return fresh_state(build_model(config) if model is None else model, structure(config))
