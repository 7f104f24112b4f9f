"""The residual network whose limit is the ODE-Net: y_{l+1} = y_l + (t1 / L) f_l(t_l, y_l)."""

from __future__ import annotations

from node_core.models.classifier import BlockClassifier, Head, check_end
from node_core.models.depth import Layered

MAX_LAYERS = 1000


class ResNet(BlockClassifier, Layered):
    """L residual layers y_{l+1} = y_l + h f_l(t_l, y_l) with h = t1 / L and t_l = l h, then the head.

    With shared weights this *is* Euler's method on the ODE-Net's field, and L to infinity is the ODE; with
    separate weights each layer may jump as it likes, and paths may cross.

    Args:
        dim: coordinates of a point.
        n_classes: number of classes.
        hidden: widths of a block's hidden layers.
        layers: L, 0 (no block at all: the head alone) to 1000.
        shared: one block for all layers, or one each.
        augment: extra coordinates that start at zero.
        activation: "tanh", "softplus" or "elu".
        time_dependent: whether blocks see t_l.
        t1: the time that the L steps add up to.
        head: as for `ODENet`.
        seed: of the weights.

    Raises:
        ValueError: a size is out of range.
    """

    def __init__(
        self,
        dim: int,
        n_classes: int,
        hidden: tuple[int, ...] = (32, 32),
        layers: int = 6,
        shared: bool = False,
        augment: int = 0,
        activation: str = "tanh",
        time_dependent: bool = False,
        t1: float = 1.0,
        head: Head = "linear",
        seed: int = 0,
    ) -> None:
        if not 0 <= layers <= MAX_LAYERS:
            raise ValueError(f"layers = {layers}: choose 0 to {MAX_LAYERS}.")
        check_end(t1)
        super().__init__(
            dim,
            n_classes,
            hidden,
            augment=augment,
            activation=activation,
            time_dependent=time_dependent,
            blocks=1 if shared else layers,
            head=head,
            seed=seed,
        )
        self.layers, self.shared, self.t1 = layers, shared, t1

    def with_layers(self, layers: int) -> ResNet:
        """The same shared block, `layers` times with steps t1 / layers: the slider from network to ODE.

        Raises:
            ValueError: the weights are not shared, or layers is out of range.
        """
        if not self.shared:
            raise ValueError(
                "the layers have separate weights: only a ResNet with shared=True can be refined."
            )
        field = self.field
        other = ResNet(
            self.dim,
            self.n_classes,
            field.hidden,
            layers,
            True,
            self.augment,
            field.activation,
            field.time_dependent,
            self.t1,
            "identity" if self.head is None else "linear",
        )
        other.fields, other.head = self.fields, self.head  # the very same weights, not copies
        return other
