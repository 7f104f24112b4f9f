"""What a live picture of series shows: one series, what a model makes of it, and how its state moves.

Names (see also `node_core.runs.snapshot`); times and values are the data's own, n, m, K, ... numbers of them, D values:

    observed_t (n,), observed_x (n, D)      what the model was given (NaN: not observed)
    left_t (m,), left_x (m, D)              what was observed beside that: left out, or still to come
    curve_t (K,)                            equal times from before the first observation to after the last
    curve (K, D), low, high (K, D)          what the model says: mean and band. A latent ODE's band is +-2 standard
                                            deviations of the curves of 20 samples of z0, for all others +-2 standard
                                            deviations of the noise; scalars["band"] is "posterior" or "noise"
    samples (S, K, D)                       curves of the first 8 of them; only of a latent ODE
    linear, spline (K, D)                   straight lines and a smoothing spline through the same observations
    truth_t (k,), truth (k, D)              the series without noise, where it is known
    path (K, 2)                             the state in the plane of its coordinates plane_x, plane_y; that of a
                                            direct fit is the data's own plane (only where D > 1)
    path_samples (S, K, 2)                  of the samples; only of a latent ODE
    field_x, field_v (g, 2)                 where the plane was asked, and dz/dt there per unit of the data's time; the
                                            other coordinates are as in the middle of the path. No GRU has one
    forward_{t,dt,error_ratio,accepted} (k,)    the solver's steps, times of the data; recurrent nets have none

Of events, observed_x and left_x are counts over the width of their interval, and curve, low, high, truth rates.

Scalars: series (the name of the one shown), shown, n_shown (how many there are to be shown), n_observed, n_edited, dim,
t0, split (from here on nothing was learned), t1, band, log, phase ("latent", "state", "data", or "" without a plane).
Dear ones: parameters; rmse_inside and rmse_beyond, the errors of the mean over all series for testing, from each one's
first observation on, before and after the split: compared with the truth where it is known, else with what was observed
and not given; in the data's unit (`log`: in that of the logarithm), null where there is nothing to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from node_core.models.series.baselines import Baseline, recalled
from node_core.models.series.latent import LatentODE
from node_core.models.series.mechanistic import DirectFit
from node_core.models.series.observed import Observed
from node_core.models.series.recurrent import RecurrentPredictor
from node_core.runs.snapshot import Scalar
from node_core.solution import Solution
from node_core.training.picture import log_arrays
from node_core.training.series.build import SeriesModel, solver_of
from node_core.training.series.config import SeriesConfig
from node_core.training.series.data import Floats, Prepared

REACH = 0.25  # of the window, on both sides of it
INSIDE, OUTSIDE = 121, 30  # times of the curve within the window, and on each side
SAMPLES, SENT = 20, 8
CELLS = 15
MOST_TESTED = 200
SAME = 5e-5  # models' times so near to one another are one: edited ones have been in the data's unit and back


@dataclass(frozen=True)
class Curve:
    """What a model says of one series at K times, in the models' units.

    Args:
        ts: (K,) times.
        values: (K, D); low, high: its band.
        samples: (S, K, D), none for models without.
        path: (K, coordinates) of the state, samples' paths (S, K, coordinates).
        solution: of the solve forward.
    """

    ts: Tensor
    values: Tensor
    low: Tensor
    high: Tensor
    samples: Tensor
    path: Tensor
    paths: Tensor
    solution: Solution | None


def index_of(config: SeriesConfig, data: Prepared) -> int:
    """Which window is shown."""
    return int(data.shown[config.shown % len(data.shown)])


def given_of(config: SeriesConfig, data: Prepared) -> Observed:
    """What the model is given of the window that is shown: (1, T, D).

    Raises:
        ValueError: the edited observations can't be used, or there are none.
    """
    i = index_of(config, data)
    if config.edited:
        return data.edited(i, config.edited)
    given = data.given(np.array([i]), config.observations)
    if not given.n_values:
        split = data.times(i, np.array([data.split]))[0]
        raise ValueError(
            f"{data.names[i]} has no observation up to {split:g}, where the learned part ends: show another series, or "
            "keep a smaller share for the end."
        )
    return given


@torch.no_grad()
def curve_of(model: SeriesModel, config: SeriesConfig, data: Prepared, given: Observed) -> Curve:
    """Encode (or not), and solve on both sides of where the window begins.

    What explodes outside of the data is no reason to stop a training: where a solver gave up, the curve is NaN.
    """
    reach = REACH * data.end
    before = torch.linspace(0.0, -reach, OUTSIDE + 1, dtype=torch.float64)
    after = torch.cat(
        (
            torch.linspace(0.0, data.end, INSIDE, dtype=torch.float64),
            torch.linspace(data.end, data.end + reach, OUTSIDE + 1, dtype=torch.float64)[1:],
        )
    )
    solver, solution = solver_of(config), None
    ts = torch.cat((before.flip(0)[:-1], after))
    if isinstance(model, LatentODE):
        posterior = model.encode(given, 0.0)
        draw = torch.randn(SAMPLES, model.latent, generator=torch.Generator().manual_seed(config.seed))
        z0 = torch.cat((posterior.mean, posterior.sample(draw)))
        back, there = (model.decode(z0, side, solver, "return") for side in (before, after))
        x = _joined(_filled(back.values, before), _filled(there.values, after))
        z = _joined(_filled(back.z, before), _filled(there.z, after))
        spread = 2.0 * x[1:].std(0)
        return Curve(
            ts, x[0], x[0] - spread, x[0] + spread, x[1 : SENT + 1], z[0], z[1 : SENT + 1], there.solution
        )
    none = torch.empty(0)
    if isinstance(model, DirectFit):
        solution = model.solve(after, solver, "return")
        past = _filled(model.solve(before, solver, "return").ys, before)
        x = _joined(past, _filled(solution.ys, after))[0]
        path = x
    else:
        spacing = data.split / max(1, min(config.observations, given.n_values))
        found, states = model.predict(given, 0.0, ts.clamp(min=0.0), spacing)
        outside = ts < 0  # a net that foresees has nothing to say of what came before
        x, path = found[0].masked_fill(outside[:, None], float("nan")), states[0]
    spread = torch.full_like(x, 2.0 * config.noise)
    return Curve(ts, x, x - spread, x + spread, none, path, none, solution)


def draw(
    model: SeriesModel, config: SeriesConfig, data: Prepared
) -> tuple[dict[str, NDArray[np.floating]], dict[str, Scalar]]:
    """Arrays and scalars of the picture but for the dear ones.

    Raises:
        SolveError: the solver gave up.
        ValueError: the edited observations can't be used.
    """
    i, given = index_of(config, data), given_of(config, data)
    curve = curve_of(model, config, data, given)
    arrays = _curve_arrays(curve, data, i)
    arrays |= _observation_arrays(given, data, i)
    arrays |= _baseline_arrays(curve.ts, given, data, i)
    phase, plane = _plane_arrays(model, config, data, i, curve)
    if curve.solution is not None:
        log = log_arrays("forward", curve.solution.steps)
        log["forward_t"] = data.times(i, log["forward_t"].astype(float)).astype(np.float32)
        log["forward_dt"] = log["forward_dt"] * np.float32(data.unit)
        arrays |= log
    first, split, last = (float(t) for t in data.times(i, np.array([0.0, data.split, data.end])))
    scalars: dict[str, Scalar] = {
        "series": data.names[i],
        "shown": config.shown % len(data.shown),
        "n_shown": len(data.shown),
        "n_observed": given.n_values,
        "n_edited": given.n_values if config.edited else 0,
        "dim": data.series.dim,
        "t0": first,
        "split": split,
        "t1": last,
        "band": "posterior" if isinstance(model, LatentODE) else "noise",
        "log": config.log,
        "phase": phase,
        "status": "ok",
    }
    return {**arrays, **plane}, scalars


@torch.no_grad()
def errors(model: SeriesModel, config: SeriesConfig, data: Prepared) -> dict[str, Scalar]:
    """`rmse_inside` and `rmse_beyond` over the series for testing; of a direct fit, over the one it is fitted to.

    Raises:
        SolveError: the solver gave up.
    """
    rows, given = tested(config, data)
    return rmse(predict(model, config, data, given, data.observed.times), config, data, rows, given)


def tested(config: SeriesConfig, data: Prepared) -> tuple[Tensor, Observed]:
    """Which windows are tested, (B,), and what a model is given of them."""
    if config.direct:
        return torch.tensor([index_of(config, data)]), given_of(config, data)
    chosen = data.test[:MOST_TESTED]
    return torch.from_numpy(chosen), data.given(chosen, config.observations)


def rmse(
    predicted: Tensor, config: SeriesConfig, data: Prepared, rows: Tensor, given: Observed
) -> dict[str, Scalar]:
    """Errors of what was said of windows `rows` at all times of the data, (B, T, D) in the models' units."""
    ts = data.observed.times
    # a net that only foresees knows nothing before the first observation: nobody is asked there
    first = torch.where(given.mask.any(-1), given.times, torch.inf).amin(1)
    asked = (ts >= first.unsqueeze(1) - 1e-9).unsqueeze(-1)
    # without a truth, what was observed and not given is what there is to compare with
    held = data.observed.mask[rows] & ~(data.ranks[rows] < config.observations).unsqueeze(-1)
    truth = data.truth[rows]
    target = torch.where(truth.isnan(), torch.where(held, data.observed.values[rows], torch.nan), truth)
    if data.width:
        predicted, target = (u.exp() / data.unit for u in (predicted, data.truth[rows]))
    std = torch.from_numpy(data.scale.std).to(predicted.dtype)
    off = torch.where(asked, predicted - target, torch.nan) * std
    late = ts > data.split + 1e-9
    return {"rmse_inside": _rms(off[:, ~late]), "rmse_beyond": _rms(off[:, late])}


@torch.no_grad()
def predict(model: SeriesModel, config: SeriesConfig, data: Prepared, given: Observed, ts: Tensor) -> Tensor:
    """What a model says of a batch at times ts (T,), at or after 0: (B, T, D), posterior means of a latent ODE.

    Raises:
        SolveError: the solver gave up.
    """
    solver = solver_of(config)
    if isinstance(model, RecurrentPredictor):
        spacing = data.split / max(1, min(config.observations, given.n_values))
        return model.predict(given, 0.0, ts, spacing)[0]
    starts = float(ts[0]) > 0.0 or len(ts) < 2
    asked = torch.cat((ts.new_zeros(1), ts + 1e-9 * (float(ts[0]) == 0.0))) if starts else ts
    if isinstance(model, DirectFit):
        return model.solve(asked, solver).ys[-len(ts) :].transpose(0, 1)
    return model.decode(model.encode(given, 0.0).mean, asked, solver).values[-len(ts) :].transpose(0, 1)


def _rms(off: Tensor) -> float | None:
    seen = off[~off.isnan()]
    return float(seen.square().mean().sqrt()) if seen.numel() else None


def _filled(values: Tensor, ts: Tensor) -> Tensor:
    """Values at the first of the times (k, ...) with NaN at the others (T, ...)."""
    missing = len(ts) - len(values)
    return (
        torch.cat((values, values.new_full((missing, *values.shape[1:]), torch.nan))) if missing else values
    )


def _joined(back: Tensor, there: Tensor) -> Tensor:
    """Both sides of the start as one row of times a sample: (S, K, ...)."""
    return torch.cat((back.flip(0)[:-1], there)).transpose(0, 1)


def _curve_arrays(curve: Curve, data: Prepared, i: int) -> dict[str, NDArray[np.floating]]:
    t = curve.ts.numpy()
    parts = {"curve": curve.values, "low": curve.low, "high": curve.high}
    if len(curve.samples):
        parts["samples"] = curve.samples
    arrays: dict[str, NDArray[np.floating]] = {"curve_t": data.times(i, t)}
    arrays |= {name: data.to_data(i, t, part.double().numpy()) for name, part in parts.items()}
    known = ~data.truth[i].isnan().any(-1)
    if bool(known.any()):
        when = data.observed.times[known].numpy()
        arrays["truth_t"] = data.times(i, when)
        arrays["truth"] = data.to_data(i, when, data.truth[i][known].double().numpy())
    return arrays


def _observation_arrays(given: Observed, data: Prepared, i: int) -> dict[str, NDArray[np.floating]]:
    """What was given, and what else was observed of the window."""
    t, values, mask = given.times.numpy(), given.values[0].double(), given.mask[0]
    seen = mask.any(-1).numpy()
    every = data.observed.mask[i].clone()
    if len(t):
        apart = data.observed.times.unsqueeze(1) - given.times[torch.from_numpy(seen)]
        same = (apart.abs() < SAME).any(1)
        every &= ~same.unsqueeze(-1)
    rest = every.any(-1)

    def values_of(when: Floats, u: Tensor, observed: Tensor) -> NDArray[np.floating]:
        found = u.numpy()
        found = found / (data.width * data.unit) if data.width else data.to_data(i, when, found)
        return np.where(observed.numpy(), found, np.nan)

    other = data.observed.times[rest].numpy()
    return {
        "observed_t": data.times(i, t[seen]),
        "observed_x": values_of(t[seen], values[torch.from_numpy(seen)], mask[torch.from_numpy(seen)]),
        "left_t": data.times(i, other),
        "left_x": values_of(other, data.observed.values[i][rest].double(), every[rest]),
    }


def _baseline_arrays(ts: Tensor, given: Observed, data: Prepared, i: int) -> dict[str, NDArray[np.floating]]:
    """What straight lines and a smoothing spline make of the same observations; of events they know nothing."""
    if data.width or not len(given.times):
        return {}
    x = torch.where(given.mask[0], given.values[0], torch.nan).numpy()
    names: dict[str, Baseline] = {"linear": "linear", "spline": "smoothing"}
    t = ts.numpy()
    return {key: data.to_data(i, t, recalled(name, given.times.numpy(), x, t)) for key, name in names.items()}


@torch.no_grad()
def _plane_arrays(
    model: SeriesModel, config: SeriesConfig, data: Prepared, i: int, curve: Curve
) -> tuple[str, dict[str, NDArray[np.floating]]]:
    """What the plane is, the path in it, and the field there."""
    coordinates = curve.path.shape[-1]
    if coordinates < 2:
        return "", {}
    x, y = config.plane_x % coordinates, config.plane_y % coordinates
    if x == y:
        y = (x + 1) % coordinates
    chosen = [x, y]
    arrays: dict[str, NDArray[np.floating]] = {}
    path, paths = curve.path, curve.paths
    field = _field_of(model)
    if field is not None:
        seen = path[~path.isnan().any(-1)]
        points = _lattice(seen, chosen)
        slopes = field(0.0, points)
        arrays |= _pushed(data, i, points, slopes, chosen, isinstance(model, DirectFit))
    if isinstance(model, DirectFit):
        arrays["path"] = data.to_data(i, curve.ts.numpy(), path.double().numpy())[:, chosen]
        return "data", arrays
    arrays["path"] = path[:, chosen].numpy()
    if len(paths):
        arrays["path_samples"] = paths[..., chosen].numpy()
    return "latent" if isinstance(model, LatentODE) else "state", arrays


def _field_of(model: SeriesModel) -> nn.Module | None:
    """What moves the state, if anything does."""
    if isinstance(model, RecurrentPredictor):
        return None if model.between is None else model.between.field
    return model.field


def _lattice(path: Tensor, chosen: list[int]) -> Tensor:
    """Points of a plane around the path (CELLS^2, coordinates); the other coordinates are the path's means."""
    low, high = path[:, chosen].amin(0), path[:, chosen].amax(0)
    margin = (0.15 * (high - low)).clamp(min=0.1)
    sides = [
        torch.linspace(float(a), float(b), CELLS) for a, b in zip(low - margin, high + margin, strict=True)
    ]
    points = path.mean(0).repeat(CELLS * CELLS, 1)
    points[:, chosen] = torch.cartesian_prod(*sides)
    return points


def _pushed(
    data: Prepared, i: int, points: Tensor, slopes: Tensor, chosen: list[int], to_data: bool
) -> Mapping[str, NDArray[np.floating]]:
    """Points and slopes per unit of the data's time; in the data's own coordinates if wanted."""
    at, slope = points.double().numpy(), slopes.double().numpy()
    if to_data:
        tiny = 1e-6
        when = np.zeros(len(at))
        moved = data.to_data(i, when, at + tiny * slope)
        at = data.to_data(i, when, at)
        slope = (moved - at) / tiny
    return {"field_x": at[:, chosen], "field_v": slope[:, chosen] / data.unit}
