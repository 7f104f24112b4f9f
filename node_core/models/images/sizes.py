"""How large the nets of images are, in closed form: pixels of the state and numbers of parameters. Loads no torch."""

from __future__ import annotations

from typing import NamedTuple

MIN_CHANNELS, MAX_CHANNELS = 4, 128
_FEW_PIXELS = 12  # up to so many along a side, the image is halved once; else twice


class Counts(NamedTuple):
    """Trainable numbers of a net: before its block(s), in them, and in the head."""

    stem: int
    block: int
    head: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


def halvings(side: int) -> int:
    """How often the stem halves images of so many pixels along a side: once for 8 x 8, twice for 14 x 14 and more."""
    return 1 if side <= _FEW_PIXELS else 2


def state_side(side: int) -> int:
    """Pixels of the state along a side: 3 of 8, 3 of 14, 7 of 28."""
    side -= 2  # the stem's first convolution has no padding
    for _ in range(halvings(side + 2)):
        side = -(-side // 2)
    return side


def dense_field(dim: int, hidden: int) -> int:
    """An `MLPField` of one hidden layer without time: (d + 1) h + (h + 1) d."""
    return (dim + 1) * hidden + (hidden + 1) * dim


def mlp_counts(dim: int, hidden: int, n_classes: int) -> Counts:
    """An `MLP` of one hidden layer: (d + 1) h + (h + 1) k; the paper's has h = 300 (LeCun et al. 1998)."""
    return Counts(0, (dim + 1) * hidden, (hidden + 1) * n_classes)


def dense_counts(dim: int, hidden: int, n_classes: int, blocks: int) -> Counts:
    """Dense blocks on the pixels themselves, and a linear head."""
    return Counts(0, blocks * dense_field(dim, hidden), (dim + 1) * n_classes)


def conv_field(channels: int) -> int:
    """A `ConvField`: two convolutions of c + 1 channels (time is one) with biases, three norms."""
    return 2 * (9 * (channels + 1) * channels + channels) + 3 * 2 * channels


def residual_block(channels: int) -> int:
    """A `ResidualBlock`: two convolutions without biases, two norms."""
    return 2 * 9 * channels**2 + 2 * 2 * channels


def conv_counts(side: int, channels: int, n_classes: int, *, residual: int, continuous: int) -> Counts:
    """A convolutional net: a convolution and `halvings` down-samplings, blocks, norm, pooling and a linear head.

    Args:
        side: pixels of the image along a side.
        channels: c.
        n_classes: outputs.
        residual: number of residual blocks.
        continuous: number of fields.
    """
    down = residual_block(channels) + channels**2  # and the shortcut
    return Counts(
        stem=10 * channels + halvings(side) * down,
        block=residual * residual_block(channels) + continuous * conv_field(channels),
        head=2 * channels + (channels + 1) * n_classes,
    )
