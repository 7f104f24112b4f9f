"""The iterative linear-quadratic regulator with bounded controls: the best plan from a start, found step by step.

A plan u_0 ... u_{N-1}, each held for dt, is followed; around its path the plant is linear and the cost quadratic, so
that a backward recursion gives the improvement  u_k + alpha k_k + K_k (x - x_k).  A step that would leave the bounds is
cut there and its feedback dropped (Tassa, Mansard and Todorov, "Control-limited differential dynamic programming",
2014; exact for one control). What does not lower the cost is not taken, and the next recursion is more cautious.
The cost is quadratic in its residuals ((x_i - target_i) / scale_i; sin and 1 - cos of an angle), so its curvature is
taken as that of Gauss and Newton. All starts are planned together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from node_core.models.control.cost import Cost
from node_core.models.control.plant import PlantField
from node_core.models.control.policies import Policy

Floats = NDArray[np.float64]
DT = 0.04
MAX_STEPS = 1000
ALPHAS = (1.0, 0.6, 0.3, 0.1, 0.03, 0.01)
LEAST_CAUTION, MOST_CAUTION = 1e-6, 1e6
ENOUGH = 1e-6  # relative gain below which a plan counts as found


@dataclass(frozen=True, eq=False)
class Plans:
    """Plans for n starts.

    Args:
        ts: (steps + 1,).
        x: where they lead, (steps + 1, n, dim).
        u: held from each time to the next, (steps, n, controls).
        cost: J = (1/T) integral l dt + phi(x(T)), (n,), as `Controlled.total_cost` has it.
        iterations: made until none could be improved.
    """

    ts: Floats
    x: Floats
    u: Floats
    cost: Floats
    iterations: int


def ilqr(
    field: PlantField,
    cost: Cost,
    x0: Floats,
    seconds: float,
    guess: Floats | None = None,
    dt: float = DT,
    iterations: int = 100,
) -> Plans:
    """Plan for each of the starts.

    Args:
        field: the plant.
        cost: what is minimised; its limits bound the controls.
        x0: starts, (n, dim).
        seconds: length of the plan.
        guess: where to begin, (steps, n, controls); zeros if None. A plan is only the best near its guess.
        dt: how long a control is held, about.
        iterations: at most.

    Raises:
        ValueError: the plan is empty or has more than 1000 steps.
    """
    if not (seconds > 0 and dt > 0 and seconds / dt <= MAX_STEPS):
        raise ValueError(f"seconds = {seconds}, dt = {dt}: choose a plan of 1 to {MAX_STEPS} steps.")
    planner = _Planner(field, cost, np.asarray(x0, dtype=np.float64), seconds, max(1, round(seconds / dt)))
    return planner.plan(guess, iterations)


def rehearsed(
    field: PlantField, cost: Cost, x0: Floats, seconds: float, policy: Policy, dt: float = DT
) -> Floats:
    """What a policy would do from each start, as a guess for `ilqr`: an unstable plant needs one that keeps it near."""
    planner = _Planner(field, cost, np.asarray(x0, dtype=np.float64), seconds, max(1, round(seconds / dt)))
    y = np.concatenate((planner.x0, np.zeros((1, planner.n))))
    found = []
    with torch.no_grad():
        for k in range(planner.steps):
            x = torch.from_numpy(y[: planner.dim].T.copy())
            found.append(policy(k * planner.dt, x).numpy().astype(np.float64))
            y = planner.advance(y, found[-1].T)
    return np.stack(found)


def best_of(plans: Sequence[Plans]) -> Plans:
    """The cheapest of several plans for each start."""
    costs = np.stack([plan.cost for plan in plans])
    chosen, n = costs.argmin(0), np.arange(costs.shape[1])
    x, u = (np.stack([getattr(plan, name) for plan in plans])[chosen, :, n] for name in ("x", "u"))
    most = max(plan.iterations for plan in plans)
    return Plans(plans[0].ts, x.transpose(1, 0, 2), u.transpose(1, 0, 2), costs.min(0), most)


class _Planner:
    """Rollouts, derivatives and the backward recursion; columns (dim, n) inside."""

    def __init__(self, field: PlantField, cost: Cost, x0: Floats, seconds: float, steps: int) -> None:
        self.field, self.cost, self.x0 = field, cost, x0.T
        self.dt, self.steps, self.seconds = seconds / steps, steps, seconds
        self.dim, self.n = self.x0.shape
        self.limits = np.array(cost.limits)[:, None]
        self.weights = np.array(cost.weights)
        self.effort = cost.effort / np.array(cost.limits) ** 2

    def plan(self, guess: Floats | None, iterations: int) -> Plans:
        m = len(self.limits)
        u = np.zeros((self.steps, m, self.n)) if guess is None else guess.transpose(0, 2, 1).astype(float)
        u = np.clip(u, -self.limits, self.limits)
        x, best = self.follow(u)
        caution = np.ones(self.n)
        done = 0
        while done < iterations:
            done += 1
            k, gains = self.back(x, u, caution)
            x, u, better, gain = self.try_out(x, u, best, k, gains)
            caution = np.where(better < best, caution / 3.0, caution * 5.0).clip(LEAST_CAUTION, MOST_CAUTION)
            best = better
            if not bool(((gain > ENOUGH) | (caution < MOST_CAUTION) & (gain <= 0)).any()):
                break
        ts = np.linspace(0.0, self.seconds, self.steps + 1)
        return Plans(ts, x[:, : self.dim].transpose(0, 2, 1), u.transpose(0, 2, 1), best, done)

    def rates(self, y: Floats, u: Floats) -> Floats:
        """D/dt of (x, integral of l): (dim + 1, n)."""
        x = list(y[: self.dim])
        found = self.field.plant.rates(x, list(u), self.field.params, np)
        running = self.cost.of_state(x, np) + self.cost.of_control(list(u))
        return np.stack(np.broadcast_arrays(*found, running))

    def advance(self, y: Floats, u: Floats) -> Floats:
        """One step of the classical Runge-Kutta method."""
        h = self.dt
        k1 = self.rates(y, u)
        k2 = self.rates(y + h / 2 * k1, u)
        k3 = self.rates(y + h / 2 * k2, u)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + self.rates(y + h * k3, u))

    def total(self, end: Floats) -> Floats:
        """J of paths that end in (dim + 1, n)."""
        final = self.cost.of_state(list(end[: self.dim]), np) * self.cost.final
        return np.nan_to_num(end[-1] / self.seconds + final, nan=np.inf)

    def follow(self, u: Floats) -> tuple[Floats, Floats]:
        """The path of a plan, (steps + 1, dim + 1, n), and its cost."""
        y = np.concatenate((self.x0, np.zeros((1, self.n))))
        ys = [y]
        for now in u:
            ys.append(self.advance(ys[-1], now))
        return np.stack(ys), self.total(ys[-1])

    def try_out(
        self, x: Floats, u: Floats, best: Floats, k: Floats, gains: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Follow the improvement by all shares alpha at once; each start keeps its best, or what it had."""
        tries = len(ALPHAS)
        alpha = np.repeat(ALPHAS, self.n)
        wide_x, wide_u, wide_k = (np.tile(a, tries) for a in (x, u, k))
        wide_gains = np.tile(gains, tries)
        y = wide_x[0]
        ys, us = [y], []
        for i in range(self.steps):
            away = (y - wide_x[i])[: self.dim]
            now = wide_u[i] + alpha * wide_k[i] + np.einsum("mjn,jn->mn", wide_gains[i], away)
            us.append(np.clip(now, -self.limits, self.limits))
            with np.errstate(over="ignore", invalid="ignore"):
                y = self.advance(y, us[-1])
            ys.append(y)
        costs = self.total(y).reshape(tries, self.n)
        chosen = costs.argmin(0)
        columns = chosen * self.n + np.arange(self.n)
        found = costs.min(0)
        better = found < best
        gain = np.where(better, (best - found) / np.maximum(np.abs(best), 1e-12), 0.0)
        x = np.where(better, np.stack(ys)[..., columns], x)
        u = np.where(better, np.stack(us)[..., columns], u)
        return x, u, np.where(better, found, best), gain

    def back(self, x: Floats, u: Floats, caution: Floats) -> tuple[Floats, Floats]:
        """Feed-forward (steps, m, n) and feedback (steps, m, dim, n) that improve the plan."""
        a, b = self.linearised(x[:-1, : self.dim], u)
        share = self.dt / self.seconds
        slopes = self.state_slopes(x[:, : self.dim])
        v = slopes[-1].T * self.cost.final  # (n, dim)
        vv = np.zeros((self.n, self.dim, self.dim)) + np.diag(2 * self.weights * self.cost.final)
        curve_x = np.diag(2 * self.weights * share)
        curve_u = np.diag(2 * self.effort * share)
        cautious = caution[:, None, None] * share * np.diag(1.0 / self.limits[:, 0] ** 2)
        k = np.zeros_like(u)
        gains = np.zeros((self.steps, len(self.limits), self.dim, self.n))
        for i in range(self.steps - 1, -1, -1):
            at, bt = a[i].transpose(0, 2, 1), b[i].transpose(0, 2, 1)
            qx = share * slopes[i].T + (at @ v[..., None])[..., 0]
            qu = 2 * self.effort * share * u[i].T + (bt @ v[..., None])[..., 0]
            qxx, quu, qux = curve_x + at @ vv @ a[i], curve_u + bt @ vv @ b[i], bt @ vv @ a[i]
            inverse = np.linalg.inv(quu + cautious)
            step = -(inverse @ qu[..., None])[..., 0]
            gain = -inverse @ qux
            cut = np.clip(step, -self.limits.T - u[i].T, self.limits.T - u[i].T)
            gain = np.where((cut != step)[..., None], 0.0, gain)
            gt = gain.transpose(0, 2, 1)
            v = qx + ((gt @ quu + qux.transpose(0, 2, 1)) @ cut[..., None] + gt @ qu[..., None])[..., 0]
            vv = qxx + gt @ quu @ gain + gt @ qux + qux.transpose(0, 2, 1) @ gain
            vv = 0.5 * (vv + vv.transpose(0, 2, 1))
            k[i], gains[i] = cut.T, gain.transpose(1, 2, 0)
        return k, gains

    def state_slopes(self, x: Floats) -> Floats:
        """Gradient of sum q_i d_i along the path, (steps + 1, dim, n)."""
        found = np.zeros_like(x)
        for i, (state, weight) in enumerate(zip(self.field.plant.states, self.weights, strict=True)):
            away = np.sin(x[:, i]) if state.angle else x[:, i] - state.target
            found[:, i] = 2 * weight * away
        return found

    def linearised(self, x: Floats, u: Floats) -> tuple[Floats, Floats]:
        """d advance / dx (steps, n, dim, dim) and / du (steps, n, dim, m), by autograd, all steps at once."""
        flat_x, flat_u = (
            torch.from_numpy(
                np.ascontiguousarray(z.transpose(1, 0, 2)).reshape(z.shape[1], -1)
            ).requires_grad_()
            for z in (x, u)
        )
        params, plant, h = self.field.params, self.field.plant, self.dt

        def rates(rows: Sequence[Any]) -> list[Any]:
            return list(plant.rates(rows, flat_u.unbind(0), params, torch))

        def shifted(rows: Sequence[Any], by: float, slopes: Sequence[Any]) -> list[Any]:
            return [row + by * slope for row, slope in zip(rows, slopes, strict=True)]

        rows = list(flat_x.unbind(0))
        k1 = rates(rows)
        k2 = rates(shifted(rows, h / 2, k1))
        k3 = rates(shifted(rows, h / 2, k2))
        k4 = rates(shifted(rows, h, k3))
        ends = [
            y + h / 6 * (p + 2 * q + 2 * r + s) for y, p, q, r, s in zip(rows, k1, k2, k3, k4, strict=True)
        ]
        found = [torch.autograd.grad(end.sum(), (flat_x, flat_u), retain_graph=True) for end in ends]
        a, b = (torch.stack([pair[j] for pair in found]).numpy() for j in range(2))
        shape = (self.steps, self.n)
        return (
            a.reshape(self.dim, -1, *shape).transpose(2, 3, 0, 1),
            b.reshape(self.dim, -1, *shape).transpose(2, 3, 0, 1),
        )
