"""Vector-Jacobian products of a field at the stages of a solve: what an exact discrete gradient asks for.

A reverse sweep over the stages k_i = f(t_i, y_i) of a Runge-Kutta step needs, from the last stage to the
first, g^T df/dy at (t_i, y_i), and at the end the sum over the stages of g_i^T df/dtheta. `Linearization` is
that protocol; `AutogradLinearization` serves any torch callable, and a field with a closed form brings its
own (`MLPField.linearize`).
"""

from typing import Protocol

from torch import Tensor

Time = float | Tensor


class Linearization(Protocol):
    """A field linearised at the stages (t_i, y_i), i = 0 .. n_stages - 1.

    Each stage takes at most one cotangent, the stages in any order; ask for the gradients after the sweep.
    """

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T df/dy at stage i, shape of y_i; remembers what g adds to the gradients below. Once a stage."""
        ...

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta over the stages visited so far, in the order of the parameters."""
        ...

    def time_gradients(self) -> Tensor:
        """g_i^T df/dt of every stage, summed over the batch that shares t_i: shape (n_stages,), or
        (n_stages, ..., 1) for per-sample times. Zero at stages not visited.
        """
        ...
