"""What the classifiers share: lifting into more dimensions, the head, seeds, counts, copying of weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from node_core.fields.mlp.mlp import MLPField
from node_core.models.depth import Frame

MAX_AUGMENT = 16
_HEAD_PART = 1_000_000  # far past any number of layers
Head = Literal["linear", "identity"]


@dataclass(frozen=True)
class ParameterCounts:
    """Trainable numbers of a model: in its block(s) and in its head."""

    block: int
    head: int

    @property
    def total(self) -> int:
        """Block and head together."""
        return self.block + self.head


def count_parameters(modules: Iterable[nn.Module]) -> int:
    """Number of trainable values in some modules."""
    return sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad)


def part_seed(seed: int, part: int) -> int:
    """Seed of one part of a model: parts of one model, and models of different seeds, don't share numbers.

    Raises:
        ValueError: seed is negative.
    """
    if seed < 0:
        raise ValueError(f"seed = {seed}: choose a whole number from 0.")
    return int(np.random.SeedSequence([seed, part]).generate_state(1)[0])


def seeded_linear(inputs: int, outputs: int, seed: int) -> nn.Linear:
    """nn.Linear, uniform in +-1/sqrt(inputs) as usual, without touching torch's global generator."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    generator = torch.Generator().manual_seed(seed)
    bound = inputs**-0.5
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            draw = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(bound * (2 * draw - 1))
    return layer


class BlockClassifier(Frame):
    """x -> [x, 0] -> block(s) -> head: the frame of `ODENet`, `ResNet` and `RKNet`.

    Args:
        dim: coordinates of a point.
        n_classes: outputs of the head.
        hidden: widths of the block's hidden layers.
        augment: extra coordinates, zero at the start (Dupont et al. 2019).
        activation: of the block, see `MLPField`.
        time_dependent: whether the block is told the time (depth).
        blocks: number of blocks with weights of their own.
        head: "linear" (logits), or "identity": the first `dim` coordinates, to regress the flow map.
        seed: of all weights. The first block and the head of two models with equal seed and sizes are equal.

    Raises:
        ValueError: a size is out of range.
    """

    def __init__(
        self,
        dim: int,
        n_classes: int,
        hidden: tuple[int, ...],
        *,
        augment: int,
        activation: str,
        time_dependent: bool,
        blocks: int,
        head: Head,
        seed: int,
    ) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"dim = {dim}: points need at least one coordinate.")
        if not 0 <= augment <= MAX_AUGMENT:
            raise ValueError(f"augment = {augment}: choose 0 to {MAX_AUGMENT} extra dimensions.")
        if head not in ("linear", "identity"):
            raise ValueError(f"head = {head!r}: choose 'linear' or 'identity'.")
        if head == "linear" and n_classes < 2:
            raise ValueError(f"n_classes = {n_classes}: a classifier needs at least two classes.")
        if head == "identity" and n_classes != dim:
            raise ValueError(f"n_classes = {n_classes}: with head='identity' it must equal dim = {dim}.")
        self.dim, self.n_classes, self.augment = dim, n_classes, augment
        self.fields = nn.ModuleList(
            MLPField(dim + augment, hidden, activation, time_dependent, part_seed(seed, k))
            for k in range(blocks)
        )
        self.head: nn.Linear | None = None
        if head == "linear":
            self.head = seeded_linear(dim + augment, n_classes, part_seed(seed, _HEAD_PART))

    @property
    def field(self) -> MLPField:
        """The (first) block as a vector field f(t, y) on (..., dim + augment)."""
        field = super().field
        assert isinstance(field, MLPField)
        return field

    def lift(self, x: Tensor) -> Tensor:
        """Points (n, dim) with `augment` zeros appended: (n, dim + augment).

        Raises:
            ValueError: x has another shape.
        """
        if x.dim() != 2 or x.shape[1] != self.dim:
            raise ValueError(f"x has shape {tuple(x.shape)}: give points as rows of {self.dim} coordinates.")
        return torch.cat([x, x.new_zeros(len(x), self.augment)], 1) if self.augment else x

    def read(self, y: Tensor) -> Tensor:
        """The head: final states (..., dim + augment) to logits (..., n_classes)."""
        return y[..., : self.dim] if self.head is None else self.head(y)

    def parameter_counts(self) -> ParameterCounts:
        """Trainable numbers in block(s) and head."""
        head = [] if self.head is None else [self.head]
        return ParameterCounts(count_parameters(self.fields), count_parameters(head))


def check_end(t1: float) -> None:
    """Refuse an end time at which no flow from 0 can end.

    Raises:
        ValueError: t1 is not positive and finite.
    """
    if not 0 < t1 < math.inf:
        raise ValueError(f"t1 = {t1}: choose a positive end time.")


def copy_weights(source: BlockClassifier, target: BlockClassifier) -> None:
    """Give `target` the weights of `source`: both then compute with the same block and head.

    A single block fills every block of the target: a ResNet with separate weights can start as an ODE-Net.

    Raises:
        ValueError: blocks or heads differ in shape, or several blocks meet a different number of blocks.
    """
    if len(source.fields) not in (1, len(target.fields)):
        raise ValueError(
            f"{len(source.fields)} blocks cannot be copied to {len(target.fields)}: give equal depths, "
            "or a source with one shared block."
        )
    shapes = [
        [tuple(p.shape) for p in (*m.field.parameters(), *_head_parameters(m))] for m in (source, target)
    ]
    if shapes[0] != shapes[1] or source.field.activation != target.field.activation:
        raise ValueError(
            f"the models differ: {source.field} and {target.field}; give both the same dim, augment, hidden, "
            "activation, time_dependent and head."
        )
    for k, field in enumerate(target.fields):
        field.load_state_dict(source.fields[min(k, len(source.fields) - 1)].state_dict())
    if target.head is not None and source.head is not None:
        target.head.load_state_dict(source.head.state_dict())


def _head_parameters(model: BlockClassifier) -> list[nn.Parameter]:
    return [] if model.head is None else list(model.head.parameters())
