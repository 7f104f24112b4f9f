"""What the studies of a controller show: charts, and the one sentence that follows from their numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from node_core.models.control.plant import Plant
from node_core.studies.control.energy_config import EnergyResult, Way
from node_core.studies.control.gradient_config import GradientResult
from node_core.studies.control.horizon_config import Course, HorizonResult
from node_core.studies.control.rivals_config import Rival, RivalsResult
from node_core.studies.control.robustness_config import DELAY, NOISE, RobustnessResult
from node_core.visualization.style import REFERENCE_COLOUR, Floats, lane_colour
from node_core.visualization.training_curves import Curve, CurvesInfo

LABELS = {"net": "the net", "lqr": "LQR", "ilqr": "iLQR"}
COLOURS = {"net": lane_colour(0), "lqr": lane_colour(1), "ilqr": lane_colour(2)}
CURRICULUM = {"fixed": "fixed from the first", "growing": "growing"}
MODES = {
    "backprop": "through the solver",
    "adjoint": "adjoint",
    "adjoint_seminorm": "adjoint with a seminorm",
    "interpolated": "interpolated adjoint",
    "checkpointed": "checkpointed",
}
ENOUGH = 0.9  # of the starts: what counts as holding still
EARLY = 20  # iterations whose gradients are compared


class StudyInfo(NamedTuple):
    """Charts side by side, and what they say."""

    charts: tuple[CurvesInfo, ...]
    sentence: str


def horizon_info(result: HorizonResult) -> StudyInfo:
    """A fixed horizon against a growing one: gradient norm and success against the iteration."""
    norms, shares = [], []
    for k, course in enumerate(result.courses):
        label, colour = CURRICULUM[course.curriculum], lane_colour(k)
        norms.append(Curve(label, colour, False, course.iteration, course.gradient_norm))
        shares.append(Curve(label, colour, False, course.looked, 100.0 * course.success))
    charts = (
        CurvesInfo("iteration", "gradient norm", True, tuple(norms), ""),
        CurvesInfo("iteration", "success (%)", False, tuple(shares), ""),
    )
    return StudyInfo(charts, _said_of_horizons(*result.courses))


def _said_of_horizons(*courses: Course) -> str:
    by_name = {course.curriculum: course for course in courses}
    fixed, growing = by_name["fixed"], by_name["growing"]
    early = {name: float(np.median(course.gradient_norm[:EARLY])) for name, course in by_name.items()}
    ends = {
        name: float(course.success[-1]) if course.success.size else 0.0 for name, course in by_name.items()
    }
    times = early["fixed"] / early["growing"] if early["growing"] > 0 else np.inf
    stopped = "".join(
        f" With the horizon {CURRICULUM[course.curriculum]} it broke off: {course.failed}"
        for course in (fixed, growing)
        if course.failed
    )
    return (
        f"After {growing.iteration.size} iterations a growing horizon brings {ends['growing']:.0%} of the held-out "
        f"starts to the target, the same horizon fixed from the first {ends['fixed']:.0%}. At first (median of {EARLY} "
        f"iterations) the gradient of the fixed one is {_times(times)} as long as that of the growing one.{stopped}"
    )


def gradient_info(result: GradientResult) -> StudyInfo:
    """How wrong each mode is, and how long the true gradient is, against the horizon."""
    horizons = np.array(result.config.horizons)
    axis = f"horizon T ({result.config.run.of_plant().time})"
    errors = tuple(
        Curve(MODES[mode], lane_colour(k), False, horizons, result.error[k])
        for k, mode in enumerate(result.config.modes)
    )
    norm = Curve("‖true gradient‖", REFERENCE_COLOUR, False, horizons, result.norm)
    charts = (
        CurvesInfo(axis, "relative error of the gradient", True, errors, ""),
        CurvesInfo(axis, "gradient norm", True, (norm,), ""),
    )
    return StudyInfo(charts, _said_of_gradients(result, horizons))


def _said_of_gradients(result: GradientResult, horizons: Floats) -> str:
    parts = []
    for k, mode in enumerate(result.config.modes):
        last = result.error[k, -1]
        parts.append(f"{MODES[mode]} {'gave up' if np.isnan(last) else f'{last:.1g}'}")
    unit = result.config.run.of_plant().time
    growth = result.norm[-1] / result.norm[0] if result.norm[0] > 0 else np.inf
    return (
        f"At T = {horizons[-1]:g} {unit} the gradient is wrong by, of its own length: {', '.join(parts)} (tolerance "
        f"{result.config.run.rtol:g}). From T = {horizons[0]:g} {unit} on, the true one has become "
        f"{_times(growth)} as long."
    )


def rivals_info(result: RivalsResult) -> StudyInfo:
    """Net, LQR and iLQR by the distance of the start from the target: success and cost."""
    plant = result.config.run.of_plant()
    title = f"distance of the start ({_unit(plant)})"
    success, cost = [], []
    for rival in result.rivals:
        label, colour = LABELS[rival.name], COLOURS[rival.name]
        success.append(Curve(label, colour, False, result.distances, 100.0 * rival.success))
        finite = np.where(np.isfinite(rival.cost), rival.cost, np.nan)
        cost.append(Curve(label, colour, False, result.distances, finite))
    charts = (
        CurvesInfo(title, "success (%)", False, tuple(success), ""),
        CurvesInfo(title, "cost J", True, tuple(cost), ""),
    )
    return StudyInfo(charts, _said_of_rivals(result, _unit(plant)))


def _said_of_rivals(result: RivalsResult, unit: str) -> str:
    reach = {rival.name: _reach(rival, result.distances) for rival in result.rivals}
    parts = [
        f"{LABELS[name]} from {'nowhere' if far is None else f'as far as {far:.2g} {unit}'}"
        for name, far in reach.items()
    ]
    said = f"Without a gap, the target is reached by {', '.join(parts)}."
    by_name = {rival.name: rival for rival in result.rivals}
    if "net" in by_name and "ilqr" in by_name:
        both = (by_name["net"].success == 1) & (by_name["ilqr"].success == 1)
        if both.any():
            ratio = float(np.median(by_name["net"].cost[both] / by_name["ilqr"].cost[both]))
            said += f" Where both reach it, the net pays {ratio:.2f} times what iLQR does, which plans each start anew."
    return said


def _reach(rival: Rival, distances: Floats) -> float | None:
    """The farthest start up to which it always succeeds."""
    failed = np.flatnonzero(rival.success < 1)
    count = int(failed[0]) if failed.size else len(distances)
    return float(distances[count - 1]) if count else None


def robustness_info(result: RobustnessResult) -> StudyInfo:
    """Success against what was changed, of controllers that were made for the plant as it was."""
    curves = [
        Curve(LABELS[name], COLOURS[name], False, result.values, 100.0 * row)
        for name, row in zip(result.names, result.success, strict=True)
    ]
    usual = Curve(
        "as it was trained", REFERENCE_COLOUR, True, np.full(2, result.usual), np.array([0.0, 100.0])
    )
    chart = CurvesInfo(_changed(result), "success (%)", False, (*curves, usual), "")
    return StudyInfo((chart,), _said_of_robustness(result))


def _said_of_robustness(result: RobustnessResult) -> str:
    parts = []
    for name, row in zip(result.names, result.success, strict=True):
        held = result.values[row >= ENOUGH]
        span = "at none of these values" if not held.size else f"from {held.min():.3g} to {held.max():.3g}"
        parts.append(f"{LABELS[name]} {span}")
    return f"{_changed(result)}: {ENOUGH:.0%} of the starts succeed with {', and with '.join(parts)}."


def _changed(result: RobustnessResult) -> str:
    what, plant = result.config.what, result.config.run.of_plant()
    if what == DELAY:
        return f"Delay of what the controller sees ({plant.time})"
    if what == NOISE:
        return "Noise in what the controller sees (of each state's scale)"
    constants = {p.name: p.unit for p in plant.parameters}
    return f"{what.capitalize()} ({constants[what]})" if constants.get(what) else what.capitalize()


def energy_info(result: EnergyResult) -> StudyInfo:
    """The plant's energy along each way (where it has none, the distance from its target), and its first control."""
    plant = result.config.run.of_plant()
    ways, axis = result.ways, f"t ({plant.time})"
    if result.level is not None and all(way.energy is not None for way in ways):
        unit = "J" if plant.key in ("pendulum", "cart_pole") else ""
        curves = [_along(way, np.asarray(way.energy)) for way in ways]
        ends = np.array([0.0, max(way.ts[-1] for way in ways)])
        curves.append(Curve("at the target", REFERENCE_COLOUR, True, ends, np.full(2, result.level)))
        first = CurvesInfo(axis, f"energy ({unit})" if unit else "energy", False, tuple(curves), "")
    else:
        curves = [_along(way, np.linalg.norm(np.asarray(plant.deviation(way.x)), axis=-1)) for way in ways]
        first = CurvesInfo(axis, "distance from the target", False, tuple(curves), "")
    control = plant.controls[0]
    controls = tuple(_along(way, way.u[:, 0]) for way in ways)
    second = CurvesInfo(axis, f"{control.name} ({control.unit})", False, controls, "")
    return StudyInfo((first, second), _said_of_energy(ways, plant.time))


def _along(way: Way, values: Floats) -> Curve:
    return Curve(LABELS[way.name], COLOURS[way.name], False, way.ts, values)


def _said_of_energy(ways: tuple[Way, ...], unit: str) -> str:
    parts = []
    for way in ways:
        when = f"arrives after {way.arrival:.1f} {unit}" if np.isfinite(way.arrival) else "does not arrive"
        parts.append(f"{LABELS[way.name]} {when} and uses full control for {way.effort:.2g} {unit} in sum")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _unit(plant: Plant) -> str:
    """The unit of the state that a typical start has off its target."""
    start = plant.tasks[0].start
    off = int(np.argmax([abs(x - state.target) for x, state in zip(start, plant.states, strict=True)]))
    return plant.states[off].unit or "1"


def _times(ratio: float) -> str:
    return (
        f"{ratio:.1f} times" if ratio < 10 else f"{ratio:,.0f} times" if np.isfinite(ratio) else "infinitely"
    )
