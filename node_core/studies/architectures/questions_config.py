"""What is asked of trained nets: hard images, other solvers, missing layers, a drawn digit. Loads no torch."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole
from node_core.data.strokes import Strokes, check_strokes
from node_core.runs.state import TrainState
from node_core.solvers.methods import METHODS, method_named
from node_core.training.images.config import ImagesConfig
from node_core.training.limits import MAX_FIXED_STEPS

Floats = NDArray[np.float64]
MAX_ENTRIES = 30
MAX_NETS = 8
RTOLS = (0.5, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
FIXED = (("euler", 1.0), ("euler", 0.25), ("midpoint", 0.25), ("rk4", 1.0), ("rk4", 0.25))


@dataclass(frozen=True)
class Net:
    """A trained net.

    Args:
        train: its training.
        weights: its parameters as float32 bytes (`weights_of` a live run's state); b"" to train it here to its end
            (three seconds for a dense net), or to take those of the checkpoint `train.start`.

    Raises:
        ValueError: the bytes are no whole numbers of float32 (their count is checked where the net is made).
    """

    train: ImagesConfig
    weights: bytes = b""

    def __post_init__(self) -> None:
        if len(self.weights) % 4:
            raise ValueError(
                f"{len(self.weights)} bytes of weights are no float32 numbers: give a run's state."
            )


def weights_of(state: bytes | TrainState) -> bytes:
    """The weights of a run: of its state, or of the bytes that `LiveRuns.state` gives (written by our own workers)."""
    found: TrainState = pickle.loads(state) if isinstance(state, bytes) else state
    return found.parameters.astype("<f4").tobytes()


@dataclass(frozen=True)
class HardestConfig:
    """How many evaluations each test image needs when it takes steps of its own.

    Args:
        net: an ODE-Net with an adaptive explicit method.
        rtol: tolerance (relative and absolute), 1e-6 to 0.5; at that of the training all images take much the same few
            steps, a finer one tells them apart.
        images: at most so many, the first of the test part, 1 to 2000.
        kept: so many of the hardest and of the easiest are shown, 1 to 40.

    Raises:
        ValueError: another net, or a number out of range.
    """

    net: Net
    rtol: float = 1e-5
    images: int = 360
    kept: int = 12

    def __post_init__(self) -> None:
        check_odenet(self.net.train)
        method = METHODS[self.net.train.method]
        if not (method.adaptive and method.family == "explicit"):
            raise ValueError(
                f"method = {method.name!r}: images take steps of their own by an adaptive explicit method, such as "
                "'dopri5'."
            )
        check_number("rtol", self.rtol, 1e-6, 0.5)
        check_whole("images", self.images, 1, 2000)
        check_whole("kept", self.kept, 1, 40)


@dataclass(frozen=True)
class HardestResult:
    """Test images, from the one that needs the most evaluations to the one that needs the fewest.

    Attributes:
        nfe, accepted, rejected: of each image, (n,).
        loss: its cross entropy; error: whether it is put into the wrong class.
        labels, predicted: (n,).
        hardest, easiest: their pixels, brightness 0 to 1, (kept, side, side).
        by_digit: mean NFE of each digit, (10,), nan where none is shown.
        correlation: of NFE and loss, by their ranks (Spearman); nan where all are alike.
        sentence: what that says.
    """

    nfe: Floats
    accepted: Floats
    rejected: Floats
    loss: Floats
    error: NDArray[np.bool_]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    hardest: NDArray[np.float32]
    easiest: NDArray[np.float32]
    by_digit: Floats
    correlation: float
    sentence: str


@dataclass(frozen=True)
class SwapConfig:
    """An ODE-Net or RK-Net, judged with other tolerances and solvers than it was trained with.

    Args:
        net: the net.
        rtols: tolerances (relative and absolute) of dopri5, each 1e-6 to 1.
        fixed: (method, dt) of fixed-step explicit methods, dt up to 1.

    Raises:
        ValueError: another net, a method or number that can't be, or too many.
    """

    net: Net
    rtols: tuple[float, ...] = RTOLS
    fixed: tuple[tuple[str, float], ...] = FIXED

    def __post_init__(self) -> None:
        if self.net.train.model not in ("odenet", "rknet"):
            raise ValueError(f"a {self.net.train.model} has no solver to swap: take an ODE-Net or an RK-Net.")
        for rtol in self.rtols:
            check_number("rtol", rtol, 1e-6, 1.0)
        for name, dt in self.fixed:
            method = method_named(name)
            if method.adaptive or method.family != "explicit":
                raise ValueError(f"method {name!r}: compare fixed-step explicit methods such as 'rk4'.")
            check_number("dt", dt, 1 / MAX_FIXED_STEPS, 1.0)
        if not 1 <= len(self.rtols) + len(self.fixed) <= MAX_ENTRIES:
            raise ValueError(f"{len(self.rtols) + len(self.fixed)} solvers: choose 1 to {MAX_ENTRIES}.")


@dataclass(frozen=True)
class SwapEntry:
    """One solver on all test images.

    Attributes:
        method: its name; rtol, dt: its tolerance or step, the other one is nan.
        error: share of the test images put into the wrong class; nan where the solver gave up.
        nfe: evaluations of the block; seconds: processor time.
        trained: whether the net was trained with it.
    """

    method: str
    rtol: float
    dt: float
    error: float
    nfe: int
    seconds: float
    trained: bool = False


@dataclass(frozen=True)
class SwapResult:
    """The entries: the training's own solver first, then other tolerances and fixed steps; `images` were judged."""

    entries: tuple[SwapEntry, ...]
    images: int


@dataclass(frozen=True)
class LayersConfig:
    """A ResNet of 2 layers or more, judged with each of its layers removed, and with each passed twice.

    Raises:
        ValueError: another net.
    """

    net: Net

    def __post_init__(self) -> None:
        train = self.net.train
        if train.model != "resnet" or train.layers < 2:
            raise ValueError(
                f"a {train.model} of {train.layers} layers: layers are removed from a ResNet of 2 or more."
            )


@dataclass(frozen=True)
class LayersResult:
    """Errors, 0 to 1, on all `images` test images.

    Attributes:
        whole: of the net as it is.
        removed, repeated: without each layer, and with each twice, (L,).
        moved: how far each layer moves the state, |step| / |state|, mean over the images, (L,).
        images: test images.
    """

    whole: float
    removed: Floats
    repeated: Floats
    moved: Floats
    images: int


@dataclass(frozen=True)
class DigitConfig:
    """A drawn digit, put to several nets that were trained on the same images.

    Args:
        nets: 1 to 8.
        strokes: lines of the pen, each of points (x, y) in the square from 0 to 1, y downwards.
        others: test images whose paths are shown beside, 0 to 360.

    Raises:
        ValueError: nets of different images, an empty or endless drawing, or a number out of range.
    """

    nets: tuple[Net, ...]
    strokes: Strokes
    others: int = 150

    def __post_init__(self) -> None:
        if not 1 <= len(self.nets) <= MAX_NETS:
            raise ValueError(f"{len(self.nets)} nets: give 1 to {MAX_NETS}.")
        if len({net.train.data.digest for net in self.nets}) > 1:
            raise ValueError("the nets were trained on different images: give nets of the same data.")
        check_strokes(self.strokes)
        check_whole("others", self.others, 0, 360)


@dataclass(frozen=True)
class DigitAnswer:
    """What a net makes of the drawing.

    Attributes:
        probabilities: of the ten digits, (10,).
        answer: the most probable one.
        nfe: evaluations of the block for this image alone.
        ts: depth from 0 to 1, (time,).
        path: the drawing's hidden state in a plane, (time, 2).
        others: those of test images, (time, n, 2); labels: their digits (n,).
        jumps: whether the path is one of layers, not a curve.
    """

    probabilities: Floats
    answer: int
    nfe: int
    ts: Floats
    path: NDArray[np.float32]
    others: NDArray[np.float32]
    labels: NDArray[np.int64]
    jumps: bool


@dataclass(frozen=True)
class DigitResult:
    """The drawing as the nets see it, brightness 0 to 1, (side, side); and their answers, in their order."""

    image: NDArray[np.float32]
    answers: tuple[DigitAnswer, ...]


def check_odenet(train: ImagesConfig) -> None:
    """Refuse what is no ODE-Net.

    Raises:
        ValueError: another model.
    """
    if train.model != "odenet":
        raise ValueError(f"a {train.model} takes no steps of its own choice: take an ODE-Net.")
