"""What no flow of its own space can map, asked and answered. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_choice, check_whole

Floats = NDArray[np.float64]
FlowData = Literal["sign_flip", "annulus"]
FLOW_NETS: dict[str, str] = {
    "plain": "ODE-Net",
    "augmented": "ODE-Net, one more dimension",
    "resnet": "ResNet of 3 layers",
}


@dataclass(frozen=True)
class FlowsConfig:
    """Nets that were trained beforehand for as many iterations each, on data that no flow of its own space maps.

    Args:
        data: "sign_flip" (-1 to +1 and back, on a line) or "annulus" (a ball in a shell).
        shown: paths that are kept, 2 to 200.

    Raises:
        ValueError: other data, or a number out of range.
    """

    data: FlowData = "sign_flip"
    shown: int = 60

    def __post_init__(self) -> None:
        check_choice("data", self.data, get_args(FlowData))
        check_whole("shown", self.shown, 2, 200)


@dataclass(frozen=True)
class FlowNet:
    """What one net does to the data.

    Attributes:
        name: key of `FLOW_NETS`.
        parameters: trainable numbers; iterations: of its training; nfe: of its forward pass (a layer counts as one).
        accuracy, loss: on all points.
        swapped: of the pairs of two classes on a line, the share that ends in the other order (nan in more dimensions,
            where there is no order). The sign flip asks for all of them, and a flow of the line can't give one.
        ts, paths: (time,), (time, n, dim) of some points; labels: their classes, (n,).
    """

    name: str
    parameters: int
    iterations: int
    nfe: int
    accuracy: float
    loss: float
    swapped: float
    ts: Floats
    paths: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class FlowsResult:
    """The nets of a `FlowsConfig`, judged on so many points."""

    config: FlowsConfig
    nets: tuple[FlowNet, ...]
    points: int

    def net(self, name: str) -> FlowNet:
        """The net of this name."""
        return next(net for net in self.nets if net.name == name)
