"""Vector-Jacobian products of a field at the stages of a solve: what an exact discrete gradient asks for.

A reverse sweep over the stages k_i = f(t_i, y_i) of a Runge-Kutta step needs, from the last stage to the
first, g^T df/dy at (t_i, y_i), and at the end the sum over the stages of g_i^T df/dtheta. `Linearization` is
that protocol; `AutogradLinearization` serves any torch callable, and a field with a closed form brings its
own (`MLPField.linearize`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
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


class AutogradLinearization:
    """Linearization of any torch callable f(t, y), by autograd, one stage's graph at a time.

    f           f(t, y) -> dy/dt with y's shape
    params      the tensors of `parameter_gradients`; those f does not use get zeros; may be empty
    ts, ys      stage times (floats or tensors) and stage states, equally many
    times       also record g^T df/dt: f then receives each t as a tensor that requires grad, otherwise as
                given

    A stage's graph is built in `vjp` and freed there: the memory is that of one evaluation, not of all
    stages. Raises ValueError if the numbers of times and states differ.
    """

    def __init__(
        self,
        f: Callable[[Time, Tensor], Tensor],
        params: Sequence[Tensor],
        ts: Sequence[Time] | Tensor,
        ys: Sequence[Tensor] | Tensor,
        times: bool = False,
    ) -> None:
        if len(ts) != len(ys):
            raise ValueError(
                f"got {len(ts)} stage times for {len(ys)} stage states; give one time per state."
            )
        self._f = f
        self._params = tuple(params)
        self._ts = ts
        self._ys = ys
        self._times = times
        self._visited: set[int] = set()
        self._gradients: list[Tensor | None] = [None] * len(self._params)
        self._time_gradients: dict[int, Tensor] = {}

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T df/dy at stage i (zeros where f does not depend on y). Raises RuntimeError if i was visited."""
        if i in self._visited:
            raise RuntimeError(f"stage {i} already took its cotangent; linearise again for another one.")
        self._visited.add(i)
        y = self._ys[i].detach().requires_grad_()
        t = self._time(i)
        # Parameters that are frozen cannot be asked for; their gradient is zero by definition here.
        wanted = [k for k, p in enumerate(self._params) if p.requires_grad]
        leaves: list[Tensor] = [y, *(self._params[k] for k in wanted)]
        if self._times:
            assert isinstance(t, Tensor)
            leaves.append(t)
        with torch.enable_grad():
            value = self._f(t, y)
        if not value.requires_grad:
            return torch.zeros_like(y)
        found = torch.autograd.grad(value, leaves, g, allow_unused=True)
        for k, gradient in zip(wanted, found[1:], strict=False):
            if gradient is not None:
                # Out of place: autograd may hand out tensors that alias g.
                total = self._gradients[k]
                self._gradients[k] = gradient if total is None else total + gradient
        if self._times and found[-1] is not None:
            self._time_gradients[i] = found[-1]
        return found[0] if found[0] is not None else torch.zeros_like(y)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta over the stages visited so far, one tensor a parameter."""
        return tuple(
            torch.zeros_like(p) if g is None else g
            for p, g in zip(self._params, self._gradients, strict=True)
        )

    def time_gradients(self) -> Tensor:
        """g_i^T df/dt, stacked over the stages. Raises ValueError unless built with times=True."""
        if not self._times:
            raise ValueError("time gradients were not recorded; build the linearization with times=True.")
        shapes = [t.shape if isinstance(t := self._ts[i], Tensor) else () for i in range(len(self._ts))]
        return torch.stack(
            [self._time_gradients.get(i, self._ys[i].new_zeros(shape)) for i, shape in enumerate(shapes)]
        )

    def _time(self, i: int) -> Time:
        t = self._ts[i]
        if not self._times:
            return t
        if isinstance(t, Tensor):
            return t.detach().to(self._ys[i].dtype).requires_grad_()
        return self._ys[i].new_tensor(t).requires_grad_()
