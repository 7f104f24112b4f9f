"""Vector-Jacobian products of a field at the stages of a solve: what an exact discrete gradient asks for.

A reverse sweep over the stages k_i = f(t_i, y_i) of a Runge-Kutta step needs, from the last stage to the
first, g^T df/dy at (t_i, y_i), and at the end the sum over the stages of g_i^T df/dtheta. `Linearization` is
that protocol: `StagewiseLinearization` serves whatever has a vector-Jacobian product, and an `MLPField` brings one
that treats many stages at once.
"""

from collections.abc import Callable, Sequence
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


class WritingLinearization(Linearization, Protocol):
    """A `Linearization` that can write its products where the reverse sweep wants them."""

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T df/dy at stage i, in `out` if given."""
        ...


class StagewiseLinearization:
    """A `WritingLinearization` by one vector-Jacobian product a stage, so that its memory is that of one evaluation.

    Args:
        vjp: (t, y, g) -> (g^T df/dy, [g^T df/dtheta for each parameter]).
        ts, ys: the stages' times and states.
    """

    def __init__(
        self,
        vjp: Callable[[float, Tensor, Tensor], tuple[Tensor, Sequence[Tensor]]],
        ts: Sequence[float],
        ys: Tensor,
    ) -> None:
        self._vjp, self._ts, self._ys = vjp, ts, ys
        self._gradients: list[Tensor] | None = None

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T df/dy at stage i."""
        gy, found = self._vjp(self._ts[i], self._ys[i], g)
        if self._gradients is None:
            self._gradients = list(found)
        else:
            self._gradients = [total + new for total, new in zip(self._gradients, found, strict=True)]
        return gy if out is None else out.copy_(gy)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta over the stages visited."""
        if self._gradients is None:
            raise RuntimeError("no stage took a cotangent: call vjp before parameter_gradients")
        return tuple(self._gradients)
