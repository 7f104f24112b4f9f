"""ODE-Net (Chen et al. 2018): the depth of the network is the time of an ODE; and its sibling RK-Net."""

from __future__ import annotations

from node_core.models.classifier import BlockClassifier, Head, check_end
from node_core.models.depth import Classified, Continuous
from node_core.settings import SolverSettings

__all__ = ["LOOSE", "MAX_RK_STEPS", "Classified", "ODENet", "RKNet"]

MAX_RK_STEPS = 1000
LOOSE = SolverSettings(rtol=1e-3, atol=1e-3)
"""As accurate as a classifier needs it."""


class ODENet(BlockClassifier, Continuous):
    """logits = head(y(t1)) with dy/dt = f(t, y), y(0) = [x, 0].

    Args:
        dim: coordinates of a point.
        n_classes: number of classes.
        hidden: widths of the field's 1 to 3 hidden layers.
        augment: extra coordinates that start at zero.
        activation: "tanh", "softplus" or "elu".
        time_dependent: whether f sees t.
        t1: end time.
        solver: how the ODE is solved.
        head: "linear", or "identity" to regress the flow map itself (n_classes = dim).
        seed: of the weights.

    Raises:
        ValueError: a size or setting is out of range.
    """

    def __init__(
        self,
        dim: int,
        n_classes: int,
        hidden: tuple[int, ...] = (32, 32),
        augment: int = 0,
        activation: str = "tanh",
        time_dependent: bool = False,
        t1: float = 1.0,
        solver: SolverSettings = LOOSE,
        head: Head = "linear",
        seed: int = 0,
    ) -> None:
        check_end(t1)
        super().__init__(
            dim,
            n_classes,
            hidden,
            augment=augment,
            activation=activation,
            time_dependent=time_dependent,
            blocks=1,
            head=head,
            seed=seed,
        )
        self.t1, self.solver = t1, solver


class RKNet(ODENet):
    """The ODE-Net with `steps` fixed steps of the classical Runge-Kutta method: discretise, then optimise.

    Its gradient is that of the discrete network, exact, by backpropagation (RK-Net of Chen et al. 2018).

    Args:
        dim: coordinates of a point.
        n_classes: number of classes.
        hidden: widths of the block's hidden layers.
        steps: Runge-Kutta steps over [0, t1], 1 to 1000.
        augment: extra coordinates that start at zero.
        activation: "tanh", "softplus" or "elu".
        time_dependent: whether the block sees t.
        t1: end time.
        head: as for `ODENet`.
        seed: of the weights.

    Raises:
        ValueError: a size or setting is out of range.
    """

    def __init__(
        self,
        dim: int,
        n_classes: int,
        hidden: tuple[int, ...] = (32, 32),
        steps: int = 4,
        augment: int = 0,
        activation: str = "tanh",
        time_dependent: bool = False,
        t1: float = 1.0,
        head: Head = "linear",
        seed: int = 0,
    ) -> None:
        if not 1 <= steps <= MAX_RK_STEPS:
            raise ValueError(f"steps = {steps}: choose 1 to {MAX_RK_STEPS}.")
        super().__init__(
            dim,
            n_classes,
            hidden,
            augment,
            activation,
            time_dependent,
            t1,
            SolverSettings("rk4", dt=t1 / steps),
            head=head,
            seed=seed,
        )
        self.steps = steps
