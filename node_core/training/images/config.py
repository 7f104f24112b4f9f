"""The frozen configuration of a classifier of images: which net, which images, how it is trained.

Nothing here imports torch: pages make these, workers use them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from node_core.checks import check_choice, check_fields, check_number, check_whole
from node_core.data.images import ImageData, image_set
from node_core.models.images.sizes import (
    MAX_CHANNELS,
    MIN_CHANNELS,
    Counts,
    conv_counts,
    dense_counts,
    mlp_counts,
)
from node_core.solvers.methods import METHODS
from node_core.training.limits import MAX_FIXED_STEPS, MAX_ITERATIONS, check_solver, check_start, digest_of

ModelName = Literal["mlp", "resnet", "rknet", "odenet"]
KindName = Literal["dense", "conv"]
DeviceName = Literal["cpu", "cuda"]

MAX_PARAMETERS = 2_000_000


@dataclass(frozen=True)
class ImagesConfig:
    """Everything that determines the training of a classifier of images.

    The fields up to `start` are its structure: a change means a new run. Those in `LIVE_FIELDS` may change while it
    goes on.

    Args:
        data: the images.
        model: "mlp" (one hidden layer, on the pixels); "resnet" (`layers` blocks; of 0, stem and head alone);
            "rknet" (one block, `steps` fixed steps of Runge-Kutta 4); "odenet" (one block, an adaptive solver).
        kind: of the blocks: "dense", on the pixels themselves, or "conv", as in the paper.
        hidden: width of the MLP's hidden layer, or of a dense block's (the paper's MLP has 300), 1 to 1024.
        channels: of the convolutional nets (the paper's have 64).
        layers: L of the ResNet, 0 to 100.
        seed: of weights, order and noise.
        start: name of a pre-trained checkpoint in assets/architectures/checkpoints to begin with; "" for random
            weights.
        steps: of the RK-Net.
        method, rtol, atol, dt, gradient: of the ODE-Net, as in `odeint`; adaptive methods ignore dt.
        lr: Adam's learning rate at the start.
        lr_end: what is left of it at `iterations`, by a cosine.
        noise: standard deviation of what is added to the training images' brightness (0 to 1), against learning them
            by heart.
        batch: images an iteration.
        iterations: where the run is finished; `iterations_of` makes them from epochs.
        device: "cpu" or "cuda".

    Raises:
        ValueError: a value is out of range or two don't go together; the sentence names the remedy.
    """

    data: ImageData = field(default_factory=ImageData)
    model: ModelName = "odenet"
    kind: KindName = "dense"
    hidden: int = 64
    channels: int = 16
    layers: int = 6
    seed: int = 0
    start: str = ""
    steps: int = 2
    method: str = "dopri5"
    rtol: float = 1e-3
    atol: float = 1e-3
    dt: float = 0.25
    gradient: str = "backprop"
    lr: float = 0.005
    lr_end: float = 0.02
    noise: float = 0.1
    batch: int = 128
    iterations: int = 440
    device: DeviceName = "cpu"

    def __post_init__(self) -> None:
        check_choice("model", self.model, get_args(ModelName))
        check_choice("kind", self.kind, get_args(KindName))
        check_choice("device", self.device, get_args(DeviceName))
        check_fields(self, whole=_WHOLE, ranges=_RANGES)
        check_number("lr", self.lr, 0, 100, above=True)
        check_start(self.start)
        check_solver(self.method, self.gradient)
        groups = 32 if self.channels >= 64 else 4
        if self.channels % groups:
            raise ValueError(f"channels = {self.channels}: choose a multiple of {groups}.")

    @property
    def is_adaptive(self) -> bool:
        """Whether the ODE-Net's solver chooses its steps."""
        return METHODS[self.method].adaptive


_WHOLE: dict[str, tuple[int, int]] = {
    "hidden": (1, 1024),
    "channels": (MIN_CHANNELS, MAX_CHANNELS),
    "layers": (0, 100),
    "seed": (0, 2**32 - 1),
    "steps": (1, 100),
    "batch": (1, 20_000),
    "iterations": (1, MAX_ITERATIONS),
}
_RANGES: dict[str, tuple[float, float]] = {
    "rtol": (1e-6, 0.5),
    "atol": (1e-7, 0.5),
    "dt": (1 / MAX_FIXED_STEPS, 1),
    "lr_end": (0, 1),
    "noise": (0, 1),
}
_NAMES = tuple(entry.name for entry in fields(ImagesConfig))
STRUCTURE = _NAMES[: _NAMES.index("steps")]
LIVE_FIELDS = tuple(name for name in _NAMES[_NAMES.index("steps") :] if name != "device")
"""Fields that a message may change while the run goes on."""


@functools.lru_cache(maxsize=64)
def structure(config: ImagesConfig) -> str:
    """Digest of what a running state belongs to."""
    values = {name: getattr(config, name) for name in STRUCTURE} | {"data": config.data.digest}
    return digest_of(values.items())


def needs_reset(old: ImagesConfig, new: ImagesConfig) -> bool:
    """Whether a run of `old` can't go on as `new`: its images, net or seed would be others."""
    return structure(old) != structure(new)


def counts_of(config: ImagesConfig) -> Counts:
    """Parameters of the net, in closed form; the images tell its size.

    Raises:
        ValueError: the images can't be had, or the net has more than `MAX_PARAMETERS`.
    """
    data = image_set(config.data)
    pixels = data.side**2
    if config.model == "mlp":
        counts = mlp_counts(pixels, config.hidden, data.n_classes)
    elif config.kind == "dense":
        blocks = config.layers if config.model == "resnet" else 1
        counts = dense_counts(pixels, config.hidden, data.n_classes, blocks)
    else:
        residual = config.layers if config.model == "resnet" else 0
        continuous = 0 if config.model == "resnet" else 1
        counts = conv_counts(
            data.side, config.channels, data.n_classes, residual=residual, continuous=continuous
        )
    if counts.total > MAX_PARAMETERS:
        raise ValueError(
            f"the net has {counts.total:,} parameters, more than {MAX_PARAMETERS:,}: take fewer layers, channels or "
            "hidden units."
        )
    return counts


def iterations_of(config: ImagesConfig, epochs: int) -> int:
    """Iterations of so many epochs; what is left of an epoch after its last whole batch is left out.

    Raises:
        ValueError: the images can't be had, or there are no epochs.
    """
    check_whole("epochs", epochs, 1, MAX_ITERATIONS)
    return epochs * iterations_an_epoch(config)


def iterations_an_epoch(config: ImagesConfig) -> int:
    """Whole batches in the training images, at least one."""
    return max(1, len(image_set(config.data).train) // config.batch)
