"""What steering costs: at every moment, and at the end. Loads no torch.

    l(x, u) = sum_i q_i d_i(x) + r sum_j (u_j / limit_j)^2,      phi(x) = final sum_i q_i d_i(x)

with d_i = ((x_i - target_i) / scale_i)^2, for an angle 2 (1 - cos theta), which is theta^2 near the top and does not
care how often the pole has turned. A trial of length T is judged by  J = (1/T) integral l dt + phi(x(T)).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from node_core.checks import check_number
from node_core.fields.base import Array, namespace_of
from node_core.models.control.plant import Components, Plant


@dataclass(frozen=True)
class Cost:
    """The cost of steering a plant.

    Args:
        plant: what is steered.
        limits: bounds of its controls.
        effort: r.
        speed: turns the weights q of the velocities, by a factor.
        final: weight of the final cost.

    Raises:
        ValueError: a weight is negative or no number, or a limit is not positive.
    """

    plant: Plant
    limits: tuple[float, ...]
    effort: float = 0.01
    speed: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        for name in ("effort", "speed", "final"):
            check_number(name, getattr(self, name), 0, 1000)
        for limit in self.limits:
            check_number("limit", limit, 0, 1e6, above=True)

    @property
    def weights(self) -> tuple[float, ...]:
        """q_i of the squared deviation, as (x_i - target_i)^2 has it near the target."""
        return tuple(
            state.weight * (self.speed if state.moving else 1.0) / state.scale**2
            for state in self.plant.states
        )

    def of_state(self, components: Components, xp: ModuleType) -> Any:
        """sum_i q_i d_i(x)."""
        total: Any = 0.0
        for state, weight, x in zip(self.plant.states, self.weights, components, strict=True):
            if weight and state.angle:
                total = total + (1.0 - xp.cos(x)) * (2.0 * weight)
            elif weight:
                away = x - state.target if state.target else x
                total = total + away * away * weight
        return total

    def of_control(self, controls: Components) -> Any:
        """r sum_j (u_j / limit_j)^2."""
        total: Any = 0.0
        for limit, u in zip(self.limits, controls, strict=True):
            total = total + u * u * (self.effort / limit**2)
        return total

    def running(self, y: Array, u: Array) -> Array:
        """l(x, u) of states (..., dim) and controls (..., controls), shape (...,)."""
        rows, controls = _last(y, self.plant.dim), _last(u, len(self.limits))
        return self.of_state(rows, namespace_of(y)) + self.of_control(controls)

    def at_end(self, y: Array) -> Array:
        """phi(x), shape (...,)."""
        return self.of_state(_last(y, self.plant.dim), namespace_of(y)) * self.final


def _last(y: Array, count: int) -> list[Any]:
    return [y[..., i] for i in range(count)]
