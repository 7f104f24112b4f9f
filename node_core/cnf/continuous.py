"""The continuous normalizing flow: densities moved by an ODE.

    dz/dt = f(t, z),    d log p(z(t)) / dt = -tr df/dz,    z(t0) from the base,    x = z(t1)
    log p(x) = log p_base(z(t0)) - integral over t0..t1 of tr df/dz dt

(Chen et al. 2018, section 4; FFJORD, Grathwohl et al. 2019.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from node_core.cnf.bases import Base, StandardNormal
from node_core.cnf.divergence import Divergence, Field
from node_core.cnf.field import AugmentedField, augmented
from node_core.cnf.flow import Extent, Flow, grid_points
from node_core.cnf.tape import Pool
from node_core.fields.own import own_word
from node_core.settings import SolverSettings
from node_core.solution import Solution


class Flowed(NamedTuple):
    """Points at the other end.

    Attributes:
        points: (n, dim).
        log_det: log |det d points / d start|, (n,).
        kinetic, jacobian: the integrals over time of |f|^2 and of |df/dz|^2 a path (n,), if the flow has penalties.
        solution: every step of the solve.
    """

    points: Tensor
    log_det: Tensor
    kinetic: Tensor | None
    jacobian: Tensor | None
    solution: Solution


@dataclass(frozen=True)
class Trajectory:
    """Paths through the flow.

    Attributes:
        ts: the times (time,), from t0 to t1 or back.
        z: positions (time, n, dim).
        log_prob: log p(z(t)) under the density at that time (time, n).
        divergence: tr df/dz there, exact (time, n): log_prob falls by its integral.
        solution: every step of the solve.
    """

    ts: Tensor
    z: Tensor
    log_prob: Tensor
    divergence: Tensor
    solution: Solution


class CNF(Flow):
    """A continuous normalizing flow.

    Args:
        field: f(t, z) for z (n, dim): an nn.Module (its parameters are trained) or any callable. `MLPField` and
            `HypernetworkField` have closed-form traces and gradients.
        base: the density at t0; a standard normal of the field's dimension if None.
        t0, t1: times of the noise and of the data.
        divergence: how the trace is found.
        solver: how the ODE is solved.
        penalties: whether `forward` and `inverse` also integrate |f|^2 and |df/dz|^2.
        noise_seed: of the trace estimator's noise. None: every solve draws its own, from torch's global generator
            (`torch.manual_seed` makes a run repeatable). A number: every solve has the same noise, for comparisons;
            who trains so must set `noise_seed` anew for each step, or the loss fits the noise.

    Raises:
        ValueError: no base for a field of unknown dimension, t0 = t1, a base of another dimension than the field, or
            a base, divergence or solver that is none.
    """

    def __init__(
        self,
        field: Field,
        base: Base | None = None,
        *,
        t0: float = 0.0,
        t1: float = 1.0,
        divergence: Divergence | None = None,
        solver: SolverSettings | None = None,
        penalties: bool = False,
        noise_seed: int | None = None,
    ) -> None:
        dim = getattr(field, "dim", None)
        if base is None:
            if not isinstance(dim, int):
                raise ValueError("the field has no attribute dim: pass a base, such as StandardNormal(2).")
            base = StandardNormal(dim)
        if not isinstance(getattr(base, "dim", None), int):
            raise ValueError(f"base = {base!r}: give a density with samples, such as StandardNormal(2).")
        if isinstance(dim, int) and base.dim != dim:
            raise ValueError(f"the base has dim = {base.dim}, the field {dim}: give both the same dimension.")
        if not (math.isfinite(t0) and math.isfinite(t1) and t0 != t1):
            raise ValueError(f"t0 = {t0}, t1 = {t1}: a flow needs time, such as t0 = 0, t1 = 1.")
        if not isinstance(divergence, Divergence | None):
            raise ValueError(
                f"divergence = {divergence!r}: give an object, such as Divergence('hutchinson')."
            )
        if not isinstance(solver, SolverSettings | None):
            raise ValueError(f"solver = {solver!r}: give an object, such as SolverSettings('rk4', dt=0.1).")
        super().__init__(base)
        self.field = field
        self.t0, self.t1 = float(t0), float(t1)
        self.divergence = divergence or Divergence()
        self.solver = solver or SolverSettings()
        self.penalties = penalties
        self.noise_seed = noise_seed
        self._pool = Pool()

    def forward(self, z: Tensor) -> Flowed:  # type: ignore[override]
        """Noise to data."""
        return self._flow(z, self.t0, self.t1)

    def inverse(self, x: Tensor) -> Flowed:  # type: ignore[override]
        """Data to noise."""
        return self._flow(x, self.t1, self.t0)

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density at x (n, dim): (n,); differentiable.

        All points share their steps by default, and a step's error is held to the tolerance in the mean over all of
        them: one point's log density then depends on the others, and is up to sqrt(n) times less exact than the
        tolerance says where they are calm. With `SolverSettings(batch="per_sample")` each point has steps, and a log
        density, of its own (adaptive explicit methods, exact traces, gradients by "backprop").
        """
        found = self.inverse(x)
        return self.base.log_prob(found.points) + found.log_det

    def sample(self, n: int, seed: int | None = None) -> Tensor:
        """N points (n, dim), the same for the same seed, else fresh (see `Flow`); the trace is not computed."""
        return self._solve(self.field, self._noise(n, seed), [self.t0, self.t1]).ys[-1]

    def sample_with_log_prob(self, n: int, seed: int | None = None) -> tuple[Tensor, Tensor]:
        """N points (n, dim), as `sample`, and their log densities (n,) from one solve."""
        z = self._noise(n, seed)
        found = self.forward(z)
        return found.points, self.base.log_prob(z) - found.log_det

    def trajectory(
        self, start: Tensor, times: int | Sequence[float] = 33, *, backward: bool = False
    ) -> Trajectory:
        """Positions and log densities along the paths; outside of autograd.

        Args:
            start: noise (n, dim) at t0, or with `backward` data at t1.
            times: how many equal times, or the times themselves from one end to the other.
            backward: go from data to noise.

        Raises:
            ValueError: times that do not run from one end of the flow to the other.
        """
        self.check_points("start", start)
        ends = (self.t1, self.t0) if backward else (self.t0, self.t1)
        ts = self._times(times, ends)
        with torch.no_grad():
            field = self.augmented_field(start)
            solution = self._solve(field, field_state(start, field), ts)
            z, delta = solution.ys[..., : self.dim], solution.ys[..., self.dim]
            if backward:
                log_prob = self.base.log_prob(z[-1]) + (delta - delta[-1])
            else:
                log_prob = self.base.log_prob(z[0]) + delta
            exact = Divergence()
            divergence = torch.stack(
                [
                    exact.measure(self.field, self._time(t, y), y, None).divergence
                    for t, y in zip(ts, z, strict=True)
                ]
            )
        return Trajectory(solution.ts, z, log_prob, divergence, solution)

    def density_grid(self, extent: Extent, cells: int = 64, t: float | None = None) -> Tensor:
        """The density p_t (at t1 if None) at a grid's midpoints, (cells, cells), row 0 at the bottom; no gradient.

        Raises:
            ValueError: t outside of the flow's time, or an extent or number of cells that makes no sense.
        """
        with torch.no_grad():
            points, _ = grid_points(extent, cells, self._dtype())
            return self.log_prob_at(points, self.t1 if t is None else t).exp().view(cells, cells)

    def log_prob_at(self, x: Tensor, t: float) -> Tensor:
        """The log density p_t at x (n, dim), t from t0 to t1: (n,).

        Raises:
            ValueError: t outside of the flow's time.
        """
        if not min(self.t0, self.t1) <= t <= max(self.t0, self.t1):
            raise ValueError(
                f"t = {t}: this flow runs from {self.t0:g} to {self.t1:g}, choose a time within."
            )
        if t == self.t0:
            return self.base.log_prob(x)
        found = self._flow(x, t, self.t0)
        return self.base.log_prob(found.points) + found.log_det

    def density_movie(self, extent: Extent, cells: int, ts: Sequence[float]) -> Tensor:
        """The density at several times, (time, cells, cells), row 0 at the bottom; no gradient."""
        return torch.stack([self.density_grid(extent, cells, t) for t in ts])

    def augmented_field(self, z: Tensor) -> AugmentedField:
        """The field of one solve from z (n, dim), with its noise drawn.

        Raises:
            ValueError: an estimated trace with steps for each point.
        """
        if self.solver.batch == "per_sample" and not self.divergence.exact:
            raise ValueError(
                "batch='per_sample' solves points apart, but the noise of an estimated trace is drawn for all of them: "
                "take Divergence('exact'), or SolverSettings(batch='shared')"
            )
        noise = self.divergence.draw(z.detach(), self.noise_seed)
        return augmented(self.field, self.divergence, noise, self.penalties, self._pool)

    def _flow(self, start: Tensor, t_start: float, t_end: float) -> Flowed:
        self.check_points("the start", start)
        field = self.augmented_field(start)
        solution = self._solve(field, field_state(start, field), [t_start, t_end])
        end = solution.ys[-1]
        kinetic = jacobian = None
        if self.penalties:
            # Both grow along the path, whichever way it is run.
            sign = 1.0 if t_end > t_start else -1.0
            kinetic, jacobian = sign * end[:, self.dim + 1], sign * end[:, self.dim + 2]
        # d log p = -tr df/dz, and log p falls by what the volume grows.
        return Flowed(end[:, : self.dim], -end[:, self.dim], kinetic, jacobian, solution)

    def _solve(self, field: Any, start: Tensor, ts: Sequence[float]) -> Solution:
        return self.solver.solve(field, start, ts, dense=False)

    def _time(self, t: float, like: Tensor) -> float | Tensor:
        return t if own_word(self.field, "accepts_float_time") else like.new_tensor(t)

    def _times(self, times: int | Sequence[float], ends: tuple[float, float]) -> list[float]:
        start, end = ends
        if isinstance(times, int):
            if times < 2:
                raise ValueError(f"times = {times}: choose at least 2.")
            return [start + (end - start) * k / (times - 1) for k in range(times - 1)] + [end]
        ts = [float(t) for t in times]
        if len(ts) < 2 or (ts[0], ts[-1]) != ends:
            raise ValueError(f"times must run from {start:g} to {end:g}, not {ts}.")
        return ts


def field_state(start: Tensor, field: AugmentedField) -> Tensor:
    """[start, 0] or [start, 0, 0, 0]: the state an augmented field begins with."""
    return torch.nn.functional.pad(start, (0, 3 if field.penalties else 1))
