"""The plain classifier that the others are compared with."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from node_core.models.classifier import ParameterCounts, count_parameters, part_seed, seeded_linear

_ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "softplus": nn.Softplus, "elu": nn.ELU}
MAX_WIDTH = 1024
MAX_DEPTH = 20


class MLP(nn.Module):
    """Fully connected: x -> a(W_1 x + b_1) -> ... -> logits; the last layer counts as the head.

    Args:
        dim: coordinates of a point.
        n_classes: number of classes.
        hidden: widths of 1 to 20 hidden layers.
        activation: "tanh", "softplus" or "elu".
        seed: of the weights; torch's global generator is not touched.

    Raises:
        ValueError: a size is out of range or the activation is unknown.
    """

    def __init__(
        self,
        dim: int,
        n_classes: int,
        hidden: tuple[int, ...] = (32, 32),
        activation: str = "tanh",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if dim < 1 or n_classes < 2:
            raise ValueError(
                f"dim = {dim}, n_classes = {n_classes}: give at least 1 coordinate and 2 classes."
            )
        if not 1 <= len(hidden) <= MAX_DEPTH or not all(1 <= width <= MAX_WIDTH for width in hidden):
            raise ValueError(f"hidden = {hidden}: give 1 to {MAX_DEPTH} widths, each 1 to {MAX_WIDTH}.")
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation = {activation!r}: choose one of {', '.join(_ACTIVATIONS)}.")
        self.dim, self.n_classes, self.hidden, self.activation = dim, n_classes, hidden, activation
        sizes = (dim, *hidden)
        body: list[nn.Module] = []
        for k, (inputs, outputs) in enumerate(pairwise(sizes)):
            body += [seeded_linear(inputs, outputs, part_seed(seed, k)), _ACTIVATIONS[activation]()]
        self.body = nn.Sequential(*body)
        self.head = seeded_linear(hidden[-1], n_classes, part_seed(seed, len(hidden)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_classes) of points (n, dim)."""
        if x.shape[-1] != self.dim:
            raise ValueError(f"x has shape {tuple(x.shape)}: give points as rows of {self.dim} coordinates.")
        return self.head(self.body(x))

    def parameter_counts(self) -> ParameterCounts:
        """Trainable numbers in the body (as `block`) and the head."""
        return ParameterCounts(count_parameters([self.body]), count_parameters([self.head]))
