"""The frozen configuration of a training run: what is learned, from what, and how; and what may change meanwhile.

Nothing here imports torch: pages make these, workers use them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Literal

from node_core.checks import check_choice, check_number, check_whole
from node_core.data.dataset import DataConfig
from node_core.data.toy import DATASETS, USER_SETS
from node_core.solvers.methods import METHODS
from node_core.training.limits import (
    ACTIVATIONS,
    MAX_FIXED_STEPS,
    MAX_ITERATIONS,
    check_hidden,
    check_solver,
    check_start,
    digest_of,
)

ModelName = Literal["odenet", "resnet", "rknet"]
LossName = Literal["cross_entropy", "flow_map"]

MODELS = ("odenet", "resnet", "rknet")
LOSSES = ("cross_entropy", "flow_map")
MAX_PARAMETERS = 50_000
"""With Adam's two moments that is 600 kB: a checkpoint stays below its 1 MB."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that determines a training run.

    The fields up to `start` are its structure: a change means a new run (`needs_reset`). Those in `LIVE_FIELDS`
    may change while it goes on, and take effect at the next iteration.

    Args:
        data: the points.
        model: "odenet"; "resnet" (L = `layers` steps of y + h f_l(y)); "rknet" (`layers` steps of Runge-Kutta 4).
        hidden: widths of the field's 1 to 3 hidden layers, each 1 to 256.
        augment: extra coordinates that start at zero, 0 to 16.
        activation: "tanh", "softplus" or "elu".
        time_dependent: whether the field sees t.
        layers: of "resnet" (1 to 200) and steps of "rknet"; live where the layers share their weights.
        shared: one block for all layers of the "resnet", or one each.
        loss: "cross_entropy", or "flow_map": the flow itself should map the points to the data's targets, without a
            head (mean squared error; the data set "sign_flip" has targets).
        seed: of weights, batches and random end times.
        start: name of a pre-trained checkpoint in assets/odenet/checkpoints to begin from; "" for random weights.
        t1: end time of the flow, 0 < t1 <= 10.
        method: solver of the ODE-Net.
        rtol: relative tolerance of adaptive methods, 1e-6 (float32 knows no less) to 0.5.
        atol: absolute tolerance, 1e-7 to 0.5.
        dt: step of fixed-step methods (adaptive ones ignore it).
        gradient: gradient mode of `odeint`.
        lr: Adam's learning rate, up to 100 (to see what happens).
        batch: points an iteration; all training points if there are no more.
        kinetic: weight of the kinetic energy (see `node_core.training.classifier.regularizers`).
        jacobian: weight of the Jacobian's squared Frobenius norm.
        steer: b / t1 with a random end time in t1 +- b while training (STEER), 0 to 0.95; not for "resnet".
        per_sample: draw the paths with steps of their own for each point (adaptive explicit methods); the training's
            batch shares its steps.
        iterations: where the run is finished.

    Raises:
        ValueError: a value is out of range or two don't go together; the sentence names the remedy.
    """

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelName = "odenet"
    hidden: tuple[int, ...] = (32, 32)
    augment: int = 0
    activation: str = "tanh"
    time_dependent: bool = False
    layers: int = 6
    shared: bool = False
    loss: LossName = "cross_entropy"
    seed: int = 0
    start: str = ""
    t1: float = 1.0
    method: str = "dopri5"
    rtol: float = 1e-3
    atol: float = 1e-3
    dt: float = 0.1
    gradient: str = "backprop"
    lr: float = 0.01
    batch: int = 256
    kinetic: float = 0.0
    jacobian: float = 0.0
    steer: float = 0.0
    per_sample: bool = False
    iterations: int = 100_000

    def __post_init__(self) -> None:
        self._check_model()
        self._check_data()
        self._check_solver()
        self._check_training()

    @property
    def dim(self) -> int:
        """Coordinates of a point, without the extra ones."""
        points = self.data.points
        return len(points[0]) if self.data.name in USER_SETS and points else DATASETS[self.data.name].dim

    @property
    def n_classes(self) -> int:
        """Classes of the data."""
        labels = self.data.labels
        return (
            max(labels) + 1 if self.data.name in USER_SETS and labels else DATASETS[self.data.name].n_classes
        )

    @property
    def blocks(self) -> int:
        """Number of fields with weights of their own."""
        return self.layers if self.model == "resnet" and not self.shared else 1

    def _check_model(self) -> None:
        check_choice("model", self.model, MODELS)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("loss", self.loss, LOSSES)
        check_hidden(self.hidden)
        check_whole("augment", self.augment, 0, 16)
        check_whole("layers", self.layers, 1, 200)
        check_whole("seed", self.seed, 0, 2**32 - 1)
        check_start(self.start)

    def _check_data(self) -> None:
        if self.data.name in USER_SETS:
            if not self.data.points:
                raise ValueError(
                    "the drawing is empty: add points of two classes, or choose one of the ready-made sets."
                )
            if len(set(self.data.labels)) < 2:
                raise ValueError("all points have the same class: add points of a second class.")
        else:
            check_choice("data set", self.data.name, (*DATASETS, *USER_SETS))
        if self.loss == "flow_map" and self.data.name != "sign_flip":
            raise ValueError(
                f"loss = 'flow_map' needs targets, which data set {self.data.name!r} has not: take 'sign_flip', or "
                "loss = 'cross_entropy'."
            )
        count = sum(math.prod(shape) for shape in parameter_shapes(self).values())
        if count > MAX_PARAMETERS:
            raise ValueError(
                f"the model has {count} parameters, more than {MAX_PARAMETERS}: take fewer layers or narrower ones, "
                "or shared weights."
            )

    def _check_solver(self) -> None:
        method = check_solver(self.method, self.gradient)
        check_number("t1", self.t1, 0, 10, above=True)
        check_number("rtol", self.rtol, 1e-6, 0.5)
        check_number("atol", self.atol, 1e-7, 0.5)
        check_number("dt", self.dt, self.t1 / MAX_FIXED_STEPS, 10)
        if self.per_sample and not (method.adaptive and method.family == "explicit"):
            raise ValueError(
                f"per_sample = True needs an adaptive explicit method such as 'dopri5', not {self.method!r}."
            )

    def _check_training(self) -> None:
        check_number("lr", self.lr, 0, 100, above=True)
        check_whole("batch", self.batch, 1, 20_000)
        check_number("kinetic", self.kinetic, 0, 100)
        check_number("jacobian", self.jacobian, 0, 100)
        check_number("steer", self.steer, 0, 0.95)
        check_whole("iterations", self.iterations, 1, MAX_ITERATIONS)
        if self.steer > 0 and self.model == "resnet":
            raise ValueError("steer > 0 needs a model with a time to end at: take 'odenet', or steer = 0.")


STRUCTURE = (
    "data",
    "model",
    "hidden",
    "augment",
    "activation",
    "time_dependent",
    "layers",
    "shared",
    "loss",
    "seed",
    "start",
)
LIVE_FIELDS = tuple(entry.name for entry in fields(TrainConfig) if entry.name not in STRUCTURE)
"""Fields that a message may change while the run goes on (see `node_core.runs.scheduler`)."""


def needs_reset(old: TrainConfig, new: TrainConfig) -> bool:
    """Whether a run of `old` can't go on as `new`: its data, weights or seed would be others.

    The number of layers is no structure where they share one block: it then only sets the step t1 / L.
    """
    return structure(old) != structure(new)


@functools.lru_cache(maxsize=64)
def structure(config: TrainConfig) -> str:
    """Digest of what a running state belongs to: the structural fields that matter for this model."""
    values = {name: getattr(config, name) for name in STRUCTURE}
    if config.model != "resnet":
        values["shared"] = True
    if config.model != "resnet" or config.shared:
        values["layers"] = 0
    return digest_of(values.items())


def parameter_shapes(config: TrainConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the model's parameters, in the order of torch's `named_parameters`."""
    dim = config.dim + config.augment
    sizes = (dim + int(config.time_dependent), *config.hidden, dim)
    shapes: dict[str, tuple[int, ...]] = {}
    for block in range(config.blocks):
        for k, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
            shapes[f"fields.{block}.weight_{k}"] = (fan_out, fan_in)
            shapes[f"fields.{block}.bias_{k}"] = (fan_out,)
    if config.loss == "cross_entropy":
        shapes |= {"head.weight": (config.n_classes, dim), "head.bias": (config.n_classes,)}
    return shapes


def is_adaptive(config: TrainConfig) -> bool:
    """Whether the ODE-Net's solver chooses its steps."""
    return METHODS[config.method].adaptive
