"""How the way back of a continuous adjoint is solved, where not as the way forth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from node_core.arguments.steps import check_steps
from node_core.arguments.tolerances import check_tolerances
from node_core.gradients.names import BACKWARD, CONTINUOUS
from node_core.solvers.controllers import Controller
from node_core.solvers.methods import method_named
from node_core.solvers.problem import Settings


@dataclass(frozen=True)
class Backward:
    """Method and tolerances of the backward solve of "adjoint", "adjoint_seminorm" and "interpolated".

    What is None is as in the forward solve. What is solved backward is [z, a, dL/dtheta], with a scaled so that the
    largest entry of dL/dys is 1: tolerances are relative to that, and errors are measured by their root mean square.

    Args:
        method: name of a method; rtol, atol: of an adaptive one; dt: the step of one with fixed steps.
    """

    method: str | None = None
    rtol: float | None = None
    atol: float | None = None
    dt: float | None = None


def check_backward(
    backward: Any, gradient: str, forward: Settings, judge: Controller, times: tuple[float, ...], y0: Tensor
) -> Settings | None:
    """Return how to solve backward; None: as forward.

    Args:
        judge: the controller of adaptive methods.

    Raises:
        ValueError: it makes no sense, with what to pass instead.
    """
    if backward is None:
        return None
    if not isinstance(backward, Backward):
        raise ValueError(
            f"backward is {type(backward).__name__}: pass node_core.Backward(method=..., rtol=..., atol=...)"
        )
    if gradient not in BACKWARD:
        raise ValueError(
            f"backward={backward} says how to solve backward, but gradient={gradient!r} solves nothing backward: leave "
            f"it out, or take one of {', '.join(map(repr, BACKWARD))}"
        )
    method = forward.method if backward.method is None else method_named(backward.method)
    if method.family == "scipy" and gradient not in CONTINUOUS:
        raise ValueError(
            f"backward: gradient={gradient!r} has an error norm of its own, which SciPy does not take: leave out "
            f"method={method.name!r}, or take gradient='adjoint'"
        )
    same = method.adaptive == forward.method.adaptive
    settings = replace(
        forward,
        method=method,
        rtol=forward.rtol if backward.rtol is None else backward.rtol,
        atol=forward.atol if backward.atol is None else backward.atol,
        norm=None,
        dt=forward.dt if backward.dt is None and same else backward.dt,
        dt0=forward.dt0 if same else None,
        controller=judge if method.adaptive else None,
    )
    if not method.adaptive:
        for name, value in (("rtol", backward.rtol), ("atol", backward.atol)):
            if value is not None:
                raise ValueError(
                    f"backward: method={method.name!r} takes equal steps: pass dt instead of {name}"
                )
    try:
        dt = check_steps(method, judge.name, settings.dt, settings.dt0, None, None, times, settings.limits)
        rtol, atol = check_tolerances(settings.rtol, settings.atol, y0, method, nested=False)
    except ValueError as error:
        raise ValueError(f"backward: {error}") from None
    return replace(settings, rtol=rtol, atol=atol, dt=dt)
