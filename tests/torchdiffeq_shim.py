"""torchdiffeq's names over `node_core.odeint`: what its users call, and nothing else.

Not part of the library: the tests go through it, so that what `docs/coming-from-torchdiffeq.md` says of each name is
seen to hold. An option that has no name here is refused (`perturb`).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from node_core import Backward
from node_core import odeint as solve
from node_core.solvers.methods import METHODS

# Their names of methods; theirs that are ours go through as they are.
NAMES = {"rk4": "rk4_38", "heun2": "heun", "explicit_midpoint": "midpoint"}
SCIPY = {
    "LSODA": "scipy_lsoda",
    "Radau": "scipy_radau",
    "RK45": "dopri5",
    "DOP853": "dopri8",
    "RK23": "bosh3",
}
# What needs no name here: outputs between fixed steps are interpolated at the method's order, time is float64.
NEEDLESS = ("interp", "dtype")
OPTIONS = {
    "step_size": "dt",
    "first_step": "dt0",
    "max_step": "max_step",
    "min_step": "min_step",
    "norm": "norm",
    "max_num_steps": "max_steps",
    "jump_t": "jumps",
}


def odeint(
    func: Any,
    y0: Any,
    t: Tensor,
    *,
    rtol: float = 1e-7,
    atol: float = 1e-9,
    method: str | None = None,
    options: dict[str, Any] | None = None,
    event_fn: Any = None,
) -> Any:
    """torchdiffeq.odeint."""
    return _solved(func, y0, t, rtol, atol, method, options, event_fn, gradient="backprop")


def odeint_adjoint(
    func: Any,
    y0: Any,
    t: Tensor,
    *,
    rtol: float = 1e-7,
    atol: float = 1e-9,
    method: str | None = None,
    options: dict[str, Any] | None = None,
    event_fn: Any = None,
    adjoint_rtol: float | None = None,
    adjoint_atol: float | None = None,
    adjoint_method: str | None = None,
    adjoint_options: dict[str, Any] | None = None,
    adjoint_params: Any = None,
) -> Any:
    """torchdiffeq.odeint_adjoint."""
    back = dict(adjoint_options or {})
    gradient = "adjoint_seminorm" if back.pop("norm", None) == "seminorm" else "adjoint"
    asked = _method(adjoint_method, back) if adjoint_method is not None else None
    backward = Backward(asked, adjoint_rtol, adjoint_atol, back.pop("step_size", None))
    _refuse(back)
    changed = None if backward == Backward() else backward
    more = {"gradient": gradient, "backward": changed, "params": adjoint_params}
    return _solved(func, y0, t, rtol, atol, method, options, event_fn, **more)


def odeint_event(
    func: Any,
    y0: Any,
    t0: Tensor,
    *,
    event_fn: Any,
    reverse_time: bool = False,
    odeint_interface: Any = odeint,
    **more: Any,
) -> Any:
    """torchdiffeq.odeint_event: the gradients that it adds are in every event here."""
    t = torch.stack((t0.reshape(()), t0.detach().reshape(()) + (-1.0 if reverse_time else 1.0)))
    return odeint_interface(func, y0, t, event_fn=event_fn, **more)


def _solved(
    func: Any,
    y0: Any,
    t: Tensor,
    rtol: float,
    atol: float,
    method: str | None,
    options: dict[str, Any] | None,
    event_fn: Any,
    **more: Any,
) -> Any:
    given = dict(options or {})
    name = _method(method, given)
    adaptive = name not in METHODS or METHODS[name].adaptive
    steps: dict[str, Any] = {"rtol": rtol, "atol": atol} if adaptive else {}
    steps |= {ours: given.pop(theirs) for theirs, ours in OPTIONS.items() if theirs in given}
    if len(t) == 1 and name in METHODS:
        return _stacked(y0)  # nothing is to be solved
    if steps.get("max_step") == math.inf:
        del steps["max_step"]
    grid = given.pop("grid_constructor", None)
    _refuse(given)
    if not adaptive and "dt" not in steps:
        steps["dt"] = "ts" if grid is None else grid(func, y0, t)
    if event_fn is not None:
        end = math.inf if t[1] > t[0] else -math.inf
        sol = solve(
            func, y0, torch.stack((t[0], t[0].new_tensor(end))), method=name, event=event_fn, **steps, **more
        )
        return sol.t_event, _stacked(y0, sol.y_event)
    sol = solve(func, y0, t, method=name, **steps, **more)
    return sol.ys


def _method(method: str | None, options: dict[str, Any]) -> str:
    if method == "scipy_solver":
        solver = options.pop("solver", "LSODA")
        return SCIPY.get(solver, solver)
    return NAMES.get(method or "dopri5", method or "dopri5")


def _refuse(options: dict[str, Any]) -> None:
    unknown = [name for name in options if name not in NEEDLESS]
    if unknown:
        raise ValueError(f"options {', '.join(unknown)} have no name here")


def _stacked(*states: Any) -> Any:
    if isinstance(states[0], tuple):
        return tuple(map(_stacked, *states))
    return torch.stack(states)
