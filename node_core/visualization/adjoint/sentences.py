"""What to see in a gradient's way back, what went wrong with it and what helps: words that follow the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from node_core.studies.gradients.config import AdjointResult, ErrorCurve, ErrorsResult, Way
from node_core.visualization.adjoint.way_back import GAP_FLOOR

GOOD, BAD = 0.01, 0.1
"""Relative errors below which a gradient is called right, and above which it is called wrong."""
FAR = 0.05  # a gap of this share of the path's size is seen without a magnifying glass
DEARER = 3.0
GREW = 30.0
CONTINUOUS = ("adjoint", "adjoint_seminorm", "interpolated")


def watch_sentence(result: AdjointResult) -> str:
    """What the field does to a way back at these parameters."""
    task, key = result.config.task, result.config.task.field
    if key == "linear":
        same = (
            "Here a(t) = exp(Aᵀ(T − t)) a(T) does not depend on z between observations: only dL/dA suffers from a "
            "wrong z(t)"
        )
        if task.values["delta"] > 0:
            return f"{same}."
        return f"{same}; with δ = 0 nothing contracts, and nothing explodes backward."
    if key == "van_der_pol":
        mu = task.values["mu"]
        if mu < 2:
            return f"At μ = {mu:g} the cycle is gentle: it contracts little forward, and explodes little backward."
        return (
            f"At μ = {mu:g} the field contracts fast onto its slow stretches, and backward it explodes there."
        )
    return (
        "The net has learned to wind onto a ring: forward all paths come together, backward they fly apart."
    )


def remedy(result: AdjointResult) -> str:
    """What is wrong with the gradients, each kind once with its modes, and what helps."""
    if result.path.failure:
        return f"The forward solve was not finished, so that only the truth is drawn. {result.path.failure}"
    cases: dict[str, list[Way]] = {}
    for way in result.ways:
        cases.setdefault(_case(way, result), []).append(way)
    if list(cases) == ["right"]:
        worst = max(way.error for way in result.ways)
        return f"Nothing to mend: every gradient is right to {_percent(worst)} or better."
    told = [_TELL[case](ways, result) for case, ways in cases.items() if case != "right"]
    if "right" in cases:
        told.append(f"Right to {_percent(GOOD)} or better: {_labels(cases['right'])}.")
    if grown := _growth(result):
        told.append(grown)
    return " ".join(told)


def _case(way: Way, result: AdjointResult) -> str:
    """The first thing that is wrong with a way back."""
    if way.failure:
        return "too long" if "steps led only to" in way.failure else "unstable"
    if _vanished(result) and way.error > GOOD:
        return "vanished"
    if way.gap.max(initial=0.0) > FAR * _size(result) and way.error > GOOD:
        return "drifted"
    if way.error > GOOD:
        return "loose"
    forward = max(result.path.step_t.size - 1, 1)
    dearer = way.mode in CONTINUOUS and int(way.attempt_accepted.sum()) > DEARER * forward
    return "stiff" if dearer else "right"


def _size(result: AdjointResult) -> float:
    return float(np.ptp(result.path.z, axis=0).max()) or 1.0


def _vanished(result: AdjointResult) -> bool:
    """Whether the true dL/dz(0) is below what the tolerance tells from zero."""
    start = float(np.linalg.norm(result.truth.a[-1]))
    return start < result.config.rtol * float(np.linalg.norm(result.truth.a, axis=1).max())


def _growth(result: AdjointResult) -> str:
    """Said where the sensitivity itself explodes: a remedy of the solver's cannot help that."""
    size = np.linalg.norm(result.truth.a, axis=1)
    first = float(size[size > 0][0]) if (size > 0).any() else 0.0
    if first == 0 or size[-1] < GREW * first:
        return ""
    return (
        f"The true a grows {size[-1] / first:.3g} times on its way back: the gradient explodes, as it is. Put "
        "observations in between, or shorten T."
    )


def _unstable(ways: list[Way], result: AdjointResult) -> str:
    return (
        f"No way back by {_labels(ways)}: what contracts forward explodes backward. Take checkpointed, backprop or "
        "interpolated, which keep the forward states."
    )


def _drifted(ways: list[Way], result: AdjointResult) -> str:
    gap, size = max(float(way.gap.max()) for way in ways), _size(result)
    share = f"{_percent(gap / size)} of" if gap < 10 * size else f"{gap / size:.3g} times"
    return (
        f"Unstable backward: z(t) leaves the path by up to {gap:.2g} ({share} its size), "
        f"and the gradient of {_labels(ways)} follows it, {_percent(max(way.error for way in ways))} off. Take "
        "checkpointed or interpolated, a tighter tolerance, or a shorter T."
    )


def _loose(ways: list[Way], result: AdjointResult) -> str:
    worst = max(way.error for way in ways)
    return (
        f"Off by up to {_percent(worst)}, though no z(t) left its path: {_labels(ways)}. The tolerance "
        f"{result.config.rtol:g} is loose for this gradient: tighten it."
    )


def _vanishing(ways: list[Way], result: AdjointResult) -> str:
    start = float(np.linalg.norm(result.truth.a[-1]))
    return (
        f"The true dL/dz(0) has vanished: |a(0)| = {start:.1e}, which a tolerance of {result.config.rtol:g} can't tell "
        f"from zero ({_labels(ways)}). Put observations earlier, or shorten T."
    )


def _stiff(ways: list[Way], result: AdjointResult) -> str:
    count = max(int(way.attempt_accepted.sum()) for way in ways)
    return (
        f"Right, but dear: {count:,} steps back for {result.path.step_t.size - 1:,} forward ({_labels(ways)}). "
        "Checkpointed takes as many back as forward."
    )


def _long(ways: list[Way], result: AdjointResult) -> str:
    return f"Given up: {_labels(ways)}. {ways[0].failure}"


_TELL = {
    "unstable": _unstable,
    "too long": _long,
    "vanished": _vanishing,
    "drifted": _drifted,
    "loose": _loose,
    "stiff": _stiff,
}


def all_modes_sentence(result: AdjointResult) -> str:
    """How far apart the lines of the comparison end."""
    found = [way for way in result.ways if not way.failure]
    if not found:
        return "No chosen mode found a way back: only the truth is drawn."
    best, worst = (pick(found, key=lambda way: way.error_y0) for pick in (min, max))
    least, most = _percent(best.error_y0), _percent(worst.error_y0)
    ends = f"At t = 0 the modes' a are {least} ({best.label}) to {most} ({worst.label}) off the truth"
    if len(found) == 1:
        ends = f"At t = 0 {worst.label} is {most} off the true a"
    open_gap = max(found, key=lambda way: float(way.gap.max()))
    gap = float(open_gap.gap.max())
    if gap <= GAP_FLOOR * max(1.0, _size(result)):
        return f"{ends}; none has a gap, since all keep the forward states."
    return f"{ends}; the largest gap is {gap:.2g} ({open_gap.label})."


def tolerance_sentence(result: ErrorsResult) -> str:
    """What a tighter tolerance brings to each mode, and to finite differences."""
    modes = [curve for curve in result.curves if curve.mode != "differences"]
    ends = {curve.label: _ends(curve) for curve in modes}
    fell = {label: pair for label, pair in ends.items() if pair is not None and pair[1] < 0.1 * pair[0]}
    lost = [label for label, pair in ends.items() if pair is None]
    told = []
    if fell:
        worst = max(last for _, last in fell.values())
        told.append(
            f"Tighten the tolerance (to the right), and {_names(fell)} come within {worst:.1e} of the truth."
        )
    stayed = [label for label in ends if label not in fell and label not in lost]
    if stayed:
        told.append(f"A tighter tolerance brings {_names(stayed)} no closer.")
    if lost:
        told.append(f"No way back at any tolerance: {_names(lost)}.")
    other = next((_ends(curve) for curve in result.curves if curve.mode == "differences"), None)
    if other is not None and fell:
        worst = max(last for _, last in fell.values())
        told.append(
            f"Finite differences stay behind, at {other[1]:.1e}: the solver's own error is divided by their step."
            if other[1] > worst
            else f"Finite differences come within {other[1]:.1e}."
        )
    return " ".join(told)


def horizon_sentence(result: ErrorsResult) -> str:
    """What a longer way does to the modes that solve z backward, beside those that keep it."""
    last = {curve.mode: _last(curve) for curve in result.curves}
    horizon = float(result.curves[0].x[-1])
    solved = [last[mode] for mode in ("adjoint", "adjoint_seminorm") if mode in last]
    kept = [last[mode] for mode in ("interpolated", "checkpointed", "backprop") if mode in last]
    if not solved or not kept:
        return "The longer the way, the more errors add up."
    worst, best = max(solved, key=_rank), min(kept, key=_rank)
    if math.isnan(worst):
        return (
            f"At T = {horizon:g} the way back of the adjoint fails, and checkpointed, backprop or interpolated, which "
            f"keep the forward states, are {_percent(best)} off at best."
        )
    if worst > 10 * best:
        return (
            f"The longer the way, the further the state that is solved backward drifts: at T = {horizon:g} the "
            f"adjoint's gradient is {_percent(worst)} off, and {_percent(best)} where the forward states are kept."
        )
    return (
        f"Up to T = {horizon:g} the state that is solved backward drifts little here: the adjoint's gradient is "
        f"{_percent(worst)} off, and {_percent(best)} where the forward states are kept."
    )


def plain_name(name: str) -> str:
    """The LaTeX name of a parameter without its signs: "A_{11}" is "A₁₁"."""
    digits = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    if "_{" not in name:
        return {r"\mu": "μ"}.get(name, name)
    letter, _, index = name.partition("_")
    return letter + index.strip("{}").translate(digits)


def _ends(curve: ErrorCurve) -> tuple[float, float] | None:
    seen = curve.error[np.isfinite(curve.error)]
    return (float(seen[0]), float(seen[-1])) if seen.size else None


def _last(curve: ErrorCurve) -> float:
    return float(curve.error[-1])


def _rank(error: float) -> float:
    return math.inf if math.isnan(error) else error


def _labels(ways: list[Way]) -> str:
    return _names([way.label for way in ways])


def _names(labels: Iterable[str]) -> str:
    names = [label.replace(", seminorm", " (seminorm)") for label in labels]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _percent(share: float) -> str:
    """A relative error: percent as people say it, a power of ten where it is tiny or absurd."""
    if math.isnan(share):
        return "not known"
    if share >= 1e4:
        return f"{share:.0e} times"
    if share >= 10:
        return f"{share:,.0f} times"
    if share >= 1:
        return f"{100 * share:,.0f} %"
    return f"{100 * share:.2g} %" if share >= 1e-4 else f"{share:.0e}"
