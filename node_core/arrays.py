"""NumPy's arrays in, NumPy's arrays out: `odeint(f, np.array([1.0, 0.0]), ts)` with an f of arrays, as for SciPy.

A single trajectory of a few numbers is all overhead, and NumPy's is a fraction of torch's. The state is solved as one
flat vector of float64, whatever its shape. There is no graph, so that there are no gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_core.fields.own import is_autonomous, own_method
from node_core.solution import Crossings, Solution
from node_core.solvers.array_calls import wrong_shape
from node_core.solvers.dual import carries_tangent

Array = NDArray[np.float64]
Function = Callable[[Any, Any], Any]
NO_GRADIENT = (
    "y0 is a NumPy array, which has no gradients: pass torch.from_numpy(y0), and an f that computes with tensors "
    "instead"
)


class ArrayState:
    """A state of NumPy's, as the flat tensor that is solved for.

    Args:
        y0: floats or whole numbers, of any shape.

    Attributes:
        tensor: the same numbers in float64, shape (y0.size,).

    Raises:
        ValueError: y0 holds something else.
    """

    def __init__(self, y0: NDArray[Any]) -> None:
        if y0.dtype.kind not in "fiu" or y0.dtype.itemsize > 8:
            raise ValueError(
                f"y0 is an array of {y0.dtype}: an ODE is solved in real numbers, pass y0.astype(float), or the real "
                "and the imaginary half side by side"
            )
        self.shape = y0.shape
        self.tensor = torch.from_numpy(np.array(y0, dtype=np.float64).reshape(-1))

    def refuse(self, gradient: str, params: Any, record_adjoint: bool, batch: str, ts: Any) -> None:
        """Refuse what arrays cannot do.

        Raises:
            ValueError: a gradient is asked for, or a batch with steps of its own for each row.
        """
        times = ts if isinstance(ts, (list, tuple)) else (ts,)
        moves = any(isinstance(t, Tensor) and (t.requires_grad or carries_tangent(t)) for t in times)
        for asked, name in (
            (gradient != "backprop", f"gradient={gradient!r}"),
            (params is not None, "params"),
            (record_adjoint, "record_adjoint=True"),
            (moves, "ts with gradients"),
        ):
            if asked:
                raise ValueError(f"{name} asks for derivatives, but {NO_GRADIENT}")
        if batch == "per_sample":
            raise ValueError(
                "batch='per_sample' works on tensors, but y0 is a NumPy array: pass torch.from_numpy(y0), and an f "
                "that computes with tensors; or solve row by row"
            )

    def field(self, f: Any) -> ArrayField:
        """f on the flat state.

        Raises:
            ValueError: f is a module of torch's.
        """
        if isinstance(f, torch.nn.Module):
            raise ValueError(
                f"f is a module, {type(f).__name__}, which computes with tensors, but y0 is a NumPy array: pass "
                "torch.from_numpy(y0)"
            )
        return ArrayField(f, self.shape)

    def event(self, event: Function) -> Function:
        """The event function on the flat state."""

        def value(t: Tensor, y: Tensor) -> Any:
            found = event(float(t), y.detach().numpy().reshape(self.shape))
            return found.item() if isinstance(found, np.ndarray) and found.size == 1 else found

        return value

    def tolerance(self, value: Any) -> Any:
        """Tolerances of the entries as those of the flat state; one for all stays one."""
        if not isinstance(value, (list, tuple, np.ndarray)) or np.ndim(value) == 0:
            return value
        try:
            return np.broadcast_to(np.asarray(value, dtype=np.float64), self.shape).reshape(-1)
        except (TypeError, ValueError):
            return value  # which is refused as it is

    def norm(self, norm: Any) -> Any:
        """The norm of errors of the flat state."""
        if not callable(norm) or isinstance(norm, type):
            return norm

        def value(error: Tensor) -> Any:
            found = norm(error.numpy().reshape(self.shape))
            return found.item() if isinstance(found, np.ndarray) and found.size == 1 else found

        return value

    def jacobian(self, jacobian: Function | None) -> Function | None:
        """df/dy of the flat state."""
        if jacobian is None or len(self.shape) == 1:
            return jacobian
        size = self.tensor.numel()

        def flat(t: float, y: Array) -> Array:
            matrix = np.asarray(jacobian(t, y.reshape(self.shape)))
            if matrix.size != size * size:
                raise ValueError(
                    f"the Jacobian has shape {matrix.shape}: return df_i/dy_j with shape "
                    f"{(*self.shape, *self.shape)}"
                )
            return matrix.reshape(size, size)

        return flat

    def restore(self, solution: Solution) -> Solution:
        """The solution in arrays."""
        arrays: dict[str, Any] = {
            "ts": solution.ts.numpy(),
            "ys": solution.ys.numpy().reshape(-1, *self.shape),
        }
        if solution.t_event is not None and solution.y_event is not None:
            arrays["t_event"] = float(solution.t_event)
            arrays["y_event"] = solution.y_event.numpy().reshape(self.shape)
        arrays["events"] = tuple(
            Crossings(one.t.numpy(), one.y.numpy().reshape(-1, *self.shape))  # type: ignore[arg-type]
            for one in solution.events
        )
        if solution.dense is not None:
            arrays["dense"] = ArrayDense(solution.dense, self.shape)
        return replace(solution, **arrays)


class ArrayField:
    """A field of arrays on the flat state.

    Args:
        f: f(t, y) with t a float and y an array of `shape`.

    Attributes:
        function: the same for arrays alone, as it is called in a solve; it is f itself where y is flat anyway.
    """

    accepts_float_time = True
    accepts_numpy = True

    def __init__(self, f: Function, shape: tuple[int, ...]) -> None:
        def flat(t: float, y: Array) -> Array:
            dy = np.asarray(f(t, y.reshape(shape)))
            if dy.shape != shape:
                raise ValueError(wrong_shape(dy.shape, shape))
            return dy.reshape(-1)

        self.function = f if len(shape) == 1 else flat
        self.autonomous = is_autonomous(f)
        own = own_method(f, "jacobian") if getattr(f, "accepts_numpy", False) and len(shape) == 1 else None
        if own is not None:
            self.jacobian = own

    def __call__(self, t: Any, y: Any) -> Any:
        """Return f(t, y)."""
        if isinstance(y, Tensor):
            return torch.from_numpy(np.array(self.function(float(t), y.detach().numpy()), dtype=np.float64))
        return self.function(t, y)


class ArrayDense:
    """Dense output in arrays."""

    def __init__(self, inner: Callable[..., Tensor], shape: tuple[int, ...]) -> None:
        self._inner, self._shape = inner, shape

    def __call__(self, times: Sequence[float], t: Tensor | None = None) -> Array:
        """Return y at each time, shape (times, \\*y0.shape)."""
        if t is not None:
            raise ValueError(f"t asks for derivatives, but {NO_GRADIENT}")
        values: Array = self._inner(times).numpy()
        return values.reshape(-1, *self._shape)
