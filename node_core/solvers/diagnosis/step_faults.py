"""What keeps the steps of an adaptive method short: stability, a limit, rounding, or only the length of the way."""

from __future__ import annotations

import math

import numpy as np

from node_core.solution import Cause, Status
from node_core.solvers.diagnosis.scene import LATE, Finding, Scene
from node_core.solvers.diagnosis.spectrum import rates, reach
from node_core.solvers.methods import METHODS

BOUNDARY = (0.5, 6.0)  # |h lambda| over the reach of the method, where its region holds the step
SMOOTH = 0.35  # h |y''| / |y'|: below, the solution bends far slower than the step would allow
STILL = 30.0  # tolerances a step: what moves no faster needs no short steps
ROUNDED = 0.2  # roundings of y in units of the tolerance: from here on estimates of errors are noise
STIFF_METHOD = "rodas5p"


def limited(scene: Scene) -> Finding | None:
    """Whether max_step holds the steps, and not the error."""
    longest, log = scene.settings.max_step, scene.log
    late = log[-4 * LATE :]
    if not math.isfinite(longest) or not len(late):
        return None
    held = late.accepted & (np.abs(np.abs(late.dt) - longest) <= 1e-6 * longest)
    ratios = late.error_ratio[held]
    known = ratios[np.isfinite(ratios)]
    if held.mean() < 0.8 or (known.size and np.median(known) > 0.1):
        return None
    order = max(scene.settings.method.error_order, 1) + 1
    median = float(np.median(known)) if known.size else 0.0
    longer = 0.9 * max(median, 1e-8) ** (-1.0 / order)
    return Finding(
        Cause.STEP_LIMIT,
        f"max_step = {longest:g} holds the steps: their error is {median:.2g} of the tolerance, which would allow "
        f"steps {longer:.2g} times as long",
        {"max_step": longest, "error_ratio": median, "longer": longer},
        "raise max_step, or leave it out; if f has pulses that must not be missed, pass their edges as jumps=",
        {"max_step": None},
    )


def too_short(scene: Scene) -> Finding | None:
    """Whether min_step ended the solve, and nothing else."""
    shortest, refused = scene.settings.min_step, np.abs(scene.refused.dt)
    if scene.status is not Status.STEP_UNDERFLOW or not refused.size or refused[-1] > 6 * shortest:
        return None
    return Finding(
        Cause.STEP_LIMIT,
        f"min_step = {shortest:g} is longer than what the error allows: its estimate is "
        f"{float(scene.refused.error_ratio[-1]):.2g} times the tolerance for a step of {refused[-1]:.2g}",
        {"min_step": shortest, "h": float(refused[-1])},
        "lower min_step, or loosen rtol and atol",
        {"min_step": None},
    )


def stiffness(scene: Scene) -> Finding | None:
    """Whether h lambda lies where the method's region of stability ends, though the solution is smooth."""
    method = scene.settings.method
    if not (method.adaptive and math.isfinite(reach(method, -1.0))) or not scene.step:
        return None
    found = rates(scene)
    if found is None:
        return None
    damped = found[(found.real <= 1e-3 * np.abs(found)) & (np.abs(found) > 0)]
    if not damped.size:
        return None
    limits = np.array([reach(method, z / abs(z)) for z in damped])
    shares = scene.step * np.abs(damped) / limits
    worst = int(shares.argmax())
    if not BOUNDARY[0] <= shares[worst] <= BOUNDARY[1]:
        return None
    bend, moved = _bend(scene)
    if bend > SMOOTH and moved > STILL:
        return None
    z, limit = scene.step * complex(damped[worst]), float(limits[worst])
    changes = {"method": STIFF_METHOD, **({"batch": "shared"} if scene.sample is not None else {})}
    return Finding(
        Cause.STIFFNESS,
        f"the problem is stiff: h lambda of the last steps is {_complex(z)}, where the region of stability of "
        f"{method.name} ends at {limit:.3g} from 0 (lambda = {_complex(complex(damped[worst]))}, the fastest decay of "
        f"df/dy; h = {scene.step:.2g}), while the solution itself changes slowly",
        {
            "h_lambda": abs(z),
            "real": z.real,
            "imaginary": abs(z.imag),
            "limit": limit,
            "h": scene.step,
            "bend": bend,
        },
        f"take an implicit method, method={STIFF_METHOD!r}: its steps are not held by stability",
        changes,
    )


def _bend(scene: Scene) -> tuple[float, float]:
    """h |y''| / |y'| in units of the tolerance, and how many tolerances y moves in a step."""
    h, slope = scene.direction * scene.step, scene.slope
    moved = scene.in_tolerances(h * slope)
    delta = 1e-2 * h
    ahead = scene.ask(scene.t + delta, scene.y + delta * slope)
    if not np.isfinite(ahead).all() or moved == 0.0:
        return 0.0, moved
    return scene.in_tolerances(h * h * (ahead - slope) / delta) / moved, moved


def rounding(scene: Scene) -> Finding | None:
    """Whether the rounding of y, or of f, is as large as the tolerance."""
    unit = scene.ask.epsilon
    of_y = scene.in_tolerances(unit * scene.y)
    of_f = scene.step * _noise_of_f(scene)
    if max(of_y, of_f) < (ROUNDED if scene.log.n_rejected else 1.0):
        return None
    what = "y" if of_y >= of_f else "f (it subtracts large numbers from each other)"
    single = unit > 1e-10
    rtol = float(f"{100 * unit:.1g}")
    more = "give y0 more digits with y0.double(), or " if single else ""
    return Finding(
        Cause.ROUNDING,
        f"the tolerance is below what the number type can hold: the rounding of {what} alone is {max(of_y, of_f):.2g} "
        f"of what is allowed, at t = {scene.t:.6g}",
        {"rounding": max(of_y, of_f), "epsilon": unit},
        f"{more}loosen rtol and atol",
        {"rtol": rtol, "atol": rtol},
    )


def _noise_of_f(scene: Scene) -> float:
    """How much f scatters between neighbouring states, in units of the tolerance and time: its second differences."""
    step = 8 * scene.ask.epsilon * np.abs(scene.y)
    with np.errstate(all="ignore"):
        scatter = scene.ask(scene.t, scene.y + step) + scene.ask(scene.t, scene.y - step) - 2 * scene.slope
    return scene.in_tolerances(scatter) / 4 if np.isfinite(scatter).all() else 0.0


def length(scene: Scene) -> Finding | None:
    """Where nothing is wrong with the steps: how many it would take."""
    tried, log = len(scene.log), scene.log
    half = log[tried // 2 :]
    if scene.status not in (Status.MAX_STEPS, Status.TIME_LIMIT) or not tried:
        return None
    if math.isinf(scene.end):
        return _no_event(scene)
    moved, left = abs(scene.t - float(half.t[0])), abs(scene.end - scene.t)
    if moved <= 0.0:
        return None
    needed = tried + left * len(half) / moved
    way = _turns(scene)
    numbers = {"needed": needed, "attempts": float(tried), "rejected": float(log.n_rejected), **way[1]}
    evidence = (
        f"the steps are healthy, there are just many: {log.n_accepted} of {tried} attempts were accepted, the last "
        f"ones of h = {scene.step:.2g}, and at this pace the whole way takes about {needed:.2g} steps{way[0]}"
    )
    if scene.status is Status.TIME_LIMIT:
        seconds = scene.seconds * needed / tried
        remedy = f"raise time_limit (to about {1.5 * seconds:.2g} s), or loosen the tolerance"
        changes: dict[str, float | int | str] = {"time_limit": float(f"{1.5 * seconds:.2g}")}
        return Finding(Cause.LENGTH, evidence, numbers, remedy + _order(scene), changes)
    most = int(float(f"{1.3 * needed:.2g}"))
    return Finding(
        Cause.LENGTH,
        evidence,
        numbers,
        f"raise max_steps (to about {most}), or loosen the tolerance{_order(scene)}",
        {"max_steps": most},
    )


def _no_event(scene: Scene) -> Finding:
    """Where there is no end but an event, and the steps are healthy."""
    return Finding(
        Cause.NO_EVENT,
        f"the steps are healthy (the last ones of h = {scene.step:.2g}), and the event function has not crossed zero",
        {"attempts": float(len(scene.log)), "t": scene.t},
        "check the event function and its direction, raise max_steps, or give an end time",
        {"max_steps": 10 * len(scene.log)},
    )


def _turns(scene: Scene) -> tuple[str, dict[str, float]]:
    """What to say of a solution that oscillates: how many steps a turn takes."""
    found = rates(scene) if scene.step else None
    if found is None or not found.size:
        return "", {}
    fastest = found[int(np.abs(found).argmax())]
    if abs(fastest.imag) < 3 * abs(fastest.real) or abs(fastest.imag) * scene.step < 0.02:
        return "", {}
    period = 2 * math.pi / abs(fastest.imag)
    steps = period / scene.step
    return f" (it oscillates: a turn of {period:.2g} takes {steps:.2g} steps)", {
        "period": period,
        "steps_a_turn": steps,
    }


def _order(scene: Scene) -> str:
    """Whether a method of a higher order would need fewer steps."""
    method, rtol = (
        scene.settings.method,
        float(np.min(np.asarray(scene.tolerance / np.maximum(scene.sizes, 1e-300)))),
    )
    if method.family != "explicit" or method.order >= 8 or rtol > 10.0 ** -(method.order + 2):
        return ""
    return f"; at this tolerance {METHODS['dopri8'].name!r}, of order 8, needs fewer"


def _complex(z: complex) -> str:
    """A number of the complex plane, its pair not told apart."""
    if abs(z.imag) < 1e-3 * abs(z):
        return f"{z.real:.3g}"
    return f"{z.real:.3g} +- {abs(z.imag):.3g}i"
