"""Convolutional blocks of Table 1: an ODE-Net's field, a ResNet's layer, down-sampling; as the authors have them.

They are those of examples/odenet_mnist.py in torchdiffeq, with the same parameters, but for two things. Time is not
concatenated to the state as one more channel: a convolution is linear, so its share is t conv_t(1), which depends on
no image and is taken for one of them. And GroupNorm takes 4 groups where the net is narrow: with a group a channel it
would be an instance norm, which trains badly on so few pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDE = 64
"""Channels from which GroupNorm has the authors' 32 groups."""


class Conv(nn.Module):
    """A convolution with seeded weights, uniform in +-1/sqrt(fan_in), as nn.Conv2d draws them.

    Args:
        inputs, outputs: channels.
        generator: of the weights; torch's global one is not touched.
        size: of the kernel.
        stride, padding, bias: as in nn.Conv2d.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        generator: torch.Generator,
        *,
        size: int = 3,
        stride: int = 1,
        padding: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        bound = (inputs * size * size) ** -0.5
        self.stride, self.padding = stride, padding
        self.weight = _seeded((outputs, inputs, size, size), bound, generator)
        self.bias = _seeded((outputs,), bound, generator) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, height, width) to (n, outputs, ...)."""
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class TimeConv(nn.Module):
    """conv(y) + t conv_t(1) + b: the convolution of y with t as one more channel.

    Args:
        channels: of y and of the result.
        generator: of the weights.
    """

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        bound = ((channels + 1) * 9) ** -0.5
        self.weight = _seeded((channels, channels, 3, 3), bound, generator)
        self.time_weight = _seeded((channels, 1, 3, 3), bound, generator)
        self.bias = _seeded((channels,), bound, generator)

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """(n, channels, height, width) at time t, a number or (n, 1, 1, 1)."""
        ones = functional.conv2d(y.new_ones(1, 1, *y.shape[2:]), self.time_weight, padding=1)
        return functional.conv2d(y, self.weight, self.bias, padding=1) + t * ones


class ConvField(nn.Module):
    """f(t, y) = N_3(conv_2(t, relu(N_2(conv_1(t, relu(N_1(y))))))): the ODE-Net's and the RK-Net's.

    Args:
        channels: of the state (n, channels, height, width).
        seed: of the weights.
    """

    def __init__(self, channels: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.norm_1, self.norm_2, self.norm_3 = (norm(channels) for _ in range(3))
        self.conv_1, self.conv_2 = TimeConv(channels, generator), TimeConv(channels, generator)

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """The rate of change, of the shape of y."""
        y = self.conv_1(t, functional.relu(self.norm_1(y)))
        return self.norm_3(self.conv_2(t, functional.relu(self.norm_2(y))))


class ResidualBlock(nn.Module):
    """f(y) = conv_2(relu(N_2(conv_1(relu(N_1(y)))))): what a ResNet's layer adds; it sees no time.

    Args:
        channels: of the state.
        seed: of the weights.
    """

    def __init__(self, channels: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.norm_1, self.norm_2 = norm(channels), norm(channels)
        self.conv_1, self.conv_2 = Conv(channels, channels, generator), Conv(channels, channels, generator)

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """What is added, of the shape of y."""
        return self.conv_2(functional.relu(self.norm_2(self.conv_1(functional.relu(self.norm_1(y))))))


class DownSampling(nn.Module):
    """Half the pixels along each side: shortcut(z) + conv_2(relu(N_2(conv_1(z)))) with z = relu(N_1(x)).

    conv_1 and the shortcut, a convolution with one pixel, take every second pixel.

    Args:
        channels: before and after.
        seed: of the weights.
    """

    def __init__(self, channels: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.norm_1, self.norm_2 = norm(channels), norm(channels)
        self.conv_1 = Conv(channels, channels, generator, stride=2)
        self.conv_2 = Conv(channels, channels, generator)
        self.shortcut = Conv(channels, channels, generator, size=1, stride=2, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) to (n, channels, ceil(height / 2), ceil(width / 2))."""
        x = functional.relu(self.norm_1(x))
        return self.shortcut(x) + self.conv_2(functional.relu(self.norm_2(self.conv_1(x))))


def norm(channels: int) -> nn.GroupNorm:
    """GroupNorm over 4 groups of channels; over the authors' 32 in a net of 64 channels or more."""
    return nn.GroupNorm(32 if channels >= WIDE else 4, channels)


def _seeded(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
    draw = torch.rand(shape, generator=generator, dtype=torch.float64)
    return nn.Parameter((bound * (2 * draw - 1)).float())
