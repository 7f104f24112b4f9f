"""Convolutional classifiers of images: ODE-Net, RK-Net and ResNet with one stem and one head (Table 1 of the paper).

    image -> conv, down-sampling -> block(s) -> norm, relu, mean over the pixels, linear -> logits

Their way through the depth is that of the nets on points (`node_core.models.depth`). A ResNet of no layers is stem and
head alone, the row that the paper's table has not.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from node_core.models.classifier import check_end, count_parameters, part_seed, seeded_linear
from node_core.models.depth import Continuous, Frame, Layered
from node_core.models.images.blocks import Conv, ConvField, DownSampling, ResidualBlock, norm
from node_core.models.images.sizes import MAX_CHANNELS, MIN_CHANNELS, Counts, halvings
from node_core.models.odenet import LOOSE, MAX_RK_STEPS
from node_core.models.resnet import MAX_LAYERS
from node_core.settings import SolverSettings

_STEM, _HEAD = 1_000_000, 2_000_000  # parts of the seed, far past any number of layers


class ConvClassifier(Frame):
    """Stem, blocks and head; equal seeds give nets of any depth the same stem and head.

    Args:
        side: pixels of the images along a side, 8 to 64.
        n_classes: outputs.
        channels: c, a multiple of 4 from 4 to 128, of 32 from 64 on.
        fields: the blocks.
        seed: of stem and head.

    Raises:
        ValueError: a size is out of range.
    """

    def __init__(
        self, side: int, n_classes: int, channels: int, fields: Iterable[nn.Module], seed: int
    ) -> None:
        super().__init__()
        if not 7 <= side <= 64:
            raise ValueError(f"side = {side}: give images of 7 to 64 pixels along a side.")
        if n_classes < 2:
            raise ValueError(f"n_classes = {n_classes}: a classifier needs at least two classes.")
        self.side, self.n_classes, self.channels = side, n_classes, channels
        generator = torch.Generator().manual_seed(part_seed(seed, _STEM))
        first = Conv(1, channels, generator, padding=0, bias=True)
        downs = [DownSampling(channels, part_seed(seed, _STEM + 1 + k)) for k in range(halvings(side))]
        self.stem = nn.Sequential(first, *downs)
        self.fields = nn.ModuleList(fields)
        self.norm = norm(channels)
        self.head = seeded_linear(channels, n_classes, part_seed(seed, _HEAD))

    def lift(self, x: Tensor) -> Tensor:
        """Images (n, side, side) to states (n, channels, height, width), see `sizes.state_side`.

        Raises:
            ValueError: x has another shape.
        """
        if x.shape[1:] != (self.side, self.side):
            raise ValueError(
                f"x has shape {tuple(x.shape)}: give images of {self.side} x {self.side} pixels, (n, side, side)."
            )
        return self.stem(x[:, None])

    def read(self, y: Tensor) -> Tensor:
        """The head: states (n, channels, height, width) to logits (n, n_classes)."""
        return self.head(functional.relu(self.norm(y)).mean((-2, -1)))

    def parameter_counts(self) -> Counts:
        """Trainable numbers of stem, block(s) and head."""
        return Counts(
            count_parameters([self.stem]),
            count_parameters(self.fields),
            count_parameters([self.norm, self.head]),
        )


class ConvODENet(ConvClassifier, Continuous):
    """The paper's ODE-Net: one `ConvField`, solved from 0 to t1.

    Args:
        side, n_classes, channels: as for `ConvClassifier`.
        t1: end time.
        solver: how the ODE is solved.
        seed: of the weights.

    Raises:
        ValueError: a size or setting is out of range.
    """

    def __init__(
        self,
        side: int,
        n_classes: int = 10,
        channels: int = 64,
        t1: float = 1.0,
        solver: SolverSettings = LOOSE,
        seed: int = 0,
    ) -> None:
        check_end(t1)
        _check_channels(channels)
        super().__init__(side, n_classes, channels, [ConvField(channels, part_seed(seed, 0))], seed)
        self.t1, self.solver = t1, solver


class ConvRKNet(ConvODENet):
    """The paper's RK-Net: the same with `steps` fixed steps of the classical Runge-Kutta method.

    Args:
        side, n_classes, channels: as for `ConvClassifier`.
        steps: 1 to 1000.
        t1: end time.
        seed: of the weights.

    Raises:
        ValueError: a size or setting is out of range.
    """

    def __init__(
        self,
        side: int,
        n_classes: int = 10,
        channels: int = 64,
        steps: int = 2,
        t1: float = 1.0,
        seed: int = 0,
    ) -> None:
        if not 1 <= steps <= MAX_RK_STEPS:
            raise ValueError(f"steps = {steps}: choose 1 to {MAX_RK_STEPS}.")
        check_end(t1)
        super().__init__(side, n_classes, channels, t1, SolverSettings("rk4", dt=t1 / steps), seed)
        self.steps = steps


class ConvResNet(ConvClassifier, Layered):
    """The paper's ResNet: L layers y + f_l(y) with weights of their own, each a step of length 1.

    Args:
        side, n_classes, channels: as for `ConvClassifier`.
        layers: L, 0 to 1000; of 0, stem and head alone.
        seed: of the weights.

    Raises:
        ValueError: a size is out of range.
    """

    def __init__(
        self, side: int, n_classes: int = 10, channels: int = 64, layers: int = 6, seed: int = 0
    ) -> None:
        if not 0 <= layers <= MAX_LAYERS:
            raise ValueError(f"layers = {layers}: choose 0 to {MAX_LAYERS}.")
        _check_channels(channels)
        blocks = [ResidualBlock(channels, part_seed(seed, k)) for k in range(layers)]
        super().__init__(side, n_classes, channels, blocks, seed)
        self.layers, self.shared, self.t1 = layers, False, float(max(1, layers))


def _check_channels(channels: int) -> None:
    groups = 32 if channels >= 64 else 4
    if not MIN_CHANNELS <= channels <= MAX_CHANNELS or channels % groups:
        raise ValueError(
            f"channels = {channels}: choose a multiple of {groups} from {MIN_CHANNELS} to {MAX_CHANNELS}."
        )
