"""A solve that goes on from where another one ended."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from node_core.solution import Solution, Status
from node_core.solvers.methods import METHODS


class Begun(NamedTuple):
    """Where a solve begins: the state, the output times, and the first step."""

    y0: Any
    ts: Any
    dt0: float | None


def resumed(
    sol: Solution, ts: Any, method: Any, batch: str, dt0: float | None, min_step: float | None
) -> Begun:
    """Begin at the end of a solution, with its last step size, for those of the times that lie behind that end.

    A solve that gave up goes on from its last step where it kept dense output, else from its last output.

    Raises:
        ValueError: it ended at an event, whose other side only its caller knows; or no time lies behind its end.
    """
    if sol.status is Status.EVENT:
        raise ValueError(
            "y0 is a solution that ended at an event: begin behind it with the state there, for example "
            "odeint(f, sol.y_event, [sol.t_event.item(), t1])"
        )
    ends = sol.steps.t[sol.steps.accepted] + sol.steps.dt[sol.steps.accepted]
    end, state = float(torch.as_tensor(sol.ts[-1]).detach()), sol._map(lambda y: y[-1], sol.ys)
    if not sol.status.ok and sol.dense is not None and len(ends):
        end = float(ends[-1])
        state = sol(end)
    times = torch.as_tensor(ts, dtype=None if isinstance(ts, Tensor) else torch.float64).reshape(-1)
    if len(times) == 0 or not math.isfinite(float(times[0].detach())):
        raise ValueError(
            f"ts={ts!r} holds no time to go on to: give one behind the end of the solution, t = {end:g}"
        )
    last, first = float(times[-1].detach()), float(times[0].detach())
    forward = last > first if len(times) > 1 else last > end
    behind = times > end if forward else times < end
    if not bool(behind.any()):
        raise ValueError(
            f"ts ends at {last:g}, but the solution that y0 is has reached t = {end:g}: give times behind that"
        )
    times = torch.cat((times.new_tensor([end]), times[behind]))
    own = METHODS.get(method) if isinstance(method, str) else None
    if dt0 is None and own is not None and own.adaptive and batch == "shared":
        dt0 = _last_step(sol)
        if dt0 is not None and min_step is not None and dt0 < min_step:
            dt0 = None
    return Begun(state, times, dt0)


def _last_step(sol: Solution) -> float | None:
    """The natural length of its last step: the very last is cut to end on time."""
    lengths = np.abs(sol.steps.dt[sol.steps.accepted])[-2:]
    adaptive = len(lengths) and not np.isnan(sol.steps.error_ratio).all()
    return float(lengths.max()) if adaptive else None
