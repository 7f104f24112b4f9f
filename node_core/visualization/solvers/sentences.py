"""What to see in a race, in words that follow its parameters, its reference and what its methods did."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from node_core.studies.solvers.race_config import RaceResult

Parameters = Mapping[str, float]


def race_sentence(result: RaceResult) -> str:
    """What the system does at these parameters, and which method ends closest to it and which farthest."""
    problem = result.config.problem
    tell = _TELL.get(problem.system)
    look = problem.resolve().look_for if tell is None else tell(dict(problem.parameters), result)
    return f"{look} {_outcome(result)}".strip()


def critical_sentence(result: RaceResult) -> str:
    """The longest stable step of each fixed-step method, where that comes from, and whether the race's is longer."""
    found, dt = result.critical, result.config.dt
    if found is None or not found.steps:
        return ""
    labels = {lane.method: lane.label for lane in result.lanes}
    rates = ", ".join(dict.fromkeys(_eigenvalue(rate) for rate in found.rates))
    where = f"eigenvalues of ∂f/∂y: {rates}"
    if found.at:
        place = ", ".join(f"{value:.3g}" for value in found.at)
        where += (
            f" at the equilibrium ({', '.join(result.state_names)}) = ({place}); elsewhere they are others"
        )
    if not found.decays:
        return f"No step is critical: nothing decays ({where})."
    limits = "; ".join(f"{labels[name]} {_limit(name, h, result)}" for name, h in found.steps)
    long = [labels[name] for name, h in found.steps if dt > h * (1 + 1e-9)]
    over = f" h = {dt:g} is too long for {' and '.join(long)}." if long else ""
    return f"Stable: {limits} ({where}).{over}"


def _limit(method: str, h: float, result: RaceResult) -> str:
    if h == 0:
        return "with no step, since nothing is damped"
    if math.isinf(h):
        return "with any step"
    formulas = {"linear_spiral": " = −2a/(a² + b²)", "linear_decay": " = 2/λ"}
    formula = formulas.get(result.config.problem.system, "") if method == "euler" else ""
    return f"below h = {h:.3g}{formula}"


def _eigenvalue(rate: complex) -> str:
    """An eigenvalue, a pair of them as one."""
    real, imaginary = f"{rate.real:.4g}".replace("-", "−"), f"{abs(rate.imag):.3g}"
    if rate.imag == 0:
        return real
    return f"±{imaginary}i" if rate.real == 0 else f"{real} ± {imaginary}i"


def _outcome(result: RaceResult) -> str:
    """The explosions; else the best and the worst of the final errors, where they differ."""
    exploded = [lane for lane in result.lanes if lane.exploded_at is not None]
    if exploded:
        told = ", ".join(f"{lane.label} at t = {lane.exploded_at:.3g}" for lane in exploded)
        return f"Exploded: {told}."
    known = sorted(
        (lane for lane in result.lanes if math.isfinite(lane.final_error)), key=lambda lane: lane.final_error
    )
    if len(known) < 2 or known[0].final_error == known[-1].final_error:
        return ""
    best, worst = known[0], known[-1]
    return (
        f"At the end {best.label} is closest to the truth ({best.final_error:.2g} away), {worst.label} farthest "
        f"({worst.final_error:.2g})."
    )


def _spiral(p: Parameters, result: RaceResult) -> str:
    way = "inwards" if p["a"] < 0 else "outwards" if p["a"] > 0 else "on a circle"
    if p["b"] == 0:
        way = {"inwards": "straight to the origin", "outwards": "straight outwards"}.get(way, "nowhere")
        return f"The path goes {way}: without b nothing turns."
    if p["a"] == 0:
        return "The path should close on a circle; Euler winds outwards, with any step."
    if p["a"] > 0:
        return f"The path winds {way}, for a > 0: the solution itself grows."
    most = -2 * p["a"] / (p["a"] ** 2 + p["b"] ** 2)
    return f"The path should wind {way}; Euler winds outwards with a step over −2a/(a² + b²) = {most:.3g}."


def _pendulum(p: Parameters, result: RaceResult) -> str:
    kept = (
        "Without friction its energy stays: a method that changes it tips the pendulum over or lets it sink."
        if p["damping"] == 0
        else "Friction takes its energy, and it comes to rest."
    )
    return f"Where the pendulum lingers, near the upper equilibrium, adaptive steps grow. {kept}"


def _van_der_pol(p: Parameters, result: RaceResult) -> str:
    if p["mu"] == 0:
        return "With μ = 0 this is the harmonic oscillator: the path should close on a circle."
    if p["mu"] < 2:
        return "A gentle cycle: the smaller μ, the rounder it is and the more alike the steps are."
    jumps = "Long slow stretches end in sudden jumps: steps crowd at the jumps"
    return (
        f"{jumps}, and a method that is not for stiff problems stays slow everywhere."
        if p["mu"] >= 50
        else f"{jumps}."
    )


def _lorenz(p: Parameters, result: RaceResult) -> str:
    sigma, rho, beta = p["sigma"], p["rho"], p["beta"]
    if rho <= 1:
        return "For ρ ≤ 1 the origin attracts: there is no chaos, and methods stay together."
    # the two other rest points lose their stability there (Sparrow 1982, section 2.3)
    limit = sigma * (sigma + beta + 3) / (sigma - beta - 1) if sigma > beta + 1 else math.inf
    if rho <= limit or sigma == 0 or beta == 0:
        return (
            "Chaos need not last here: where a rest point is stable, the path may settle on it after a while."
        )
    return "No rest point is stable here: where there is chaos, two methods agree a while and then part for good."


def _fitzhugh_nagumo(p: Parameters, result: RaceResult) -> str:
    v = result.reference_y[:, 0] if result.reference_y.size else np.empty(0)
    spikes = int(np.count_nonzero((v[:-1] < 0.5) & (v[1:] >= 0.5)))
    if spikes == 0:
        return "The nerve cell does not fire here: it goes to rest, and adaptive steps grow."
    count = "once" if spikes == 1 else f"{spikes} times"
    return f"The nerve cell fires {count}: between the spikes the steps are long, at each rise and fall of v short."


def _struck(p: Parameters, result: RaceResult) -> str:
    look, over = result.config.problem.resolve().look_for, p["strike"] + p["width"]
    short = p["width"] * p["omega"] <= 0.5  # else a right solution need not swing behind the blow
    if any(result.config.problem.y0) or not short or not result.reference_t.size:
        return look
    told = []
    for lane in result.lanes:
        behind = np.flatnonzero(lane.step_t >= over)
        if not behind.size:
            continue
        t = lane.step_t[behind[0]]
        true = np.array([np.interp(t, result.reference_t, values) for values in result.reference_y.T])
        share = _swing(lane.step_y[behind[0]], p) / _swing(true, p)
        if share < 0.01:
            told.append(f"{lane.label} is not hit at all")
        elif abs(share - 1) > 0.1:
            told.append(f"{lane.label} is hit {share:.2g} times as hard")
    return f"{look} {', '.join(told)}." if told else look


def _swing(y: np.ndarray, p: Parameters) -> float:
    """The root of the oscillator's energy, which a blow at rest sets."""
    return float(np.hypot(p["omega"] * y[0], y[1]))


_TELL: dict[str, Callable[[Parameters, RaceResult], str]] = {
    "linear_spiral": _spiral,
    "pendulum": _pendulum,
    "van_der_pol": _van_der_pol,
    "lorenz": _lorenz,
    "fitzhugh_nagumo": _fitzhugh_nagumo,
    "struck_oscillator": _struck,
}
