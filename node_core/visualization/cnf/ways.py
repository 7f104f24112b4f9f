"""The same field, four trainings: what each has come to, in a table, two charts and sentences, all as measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from node_core.runs.snapshot import Row, Scalar
from node_core.training.flow.ways import EULER_STEPS, WAYS
from node_core.visualization.style import (
    LANE_SYMBOLS,
    REFERENCE_COLOUR,
    lane_colour,
    log_limits,
    log_ticks,
    merged,
    styled,
)
from node_core.visualization.training_curves import Curve, CurvesInfo, small_type

TIE = 1.25  # times this close to each other are no victory
FLOOR = 1e-4  # energy distances below it are drawn there: they are the samples' own chance


class Look(NamedTuple):
    """A picture: at which iteration, after how much processor time (s), and the NLL (nats)."""

    iteration: int
    seconds: float
    nll: float


class WayInfo(NamedTuple):
    """Where one training stands; None where it is not known.

    Attributes:
        name, label: of the way.
        iteration, seconds: iterations, and the processor time that they took.
        nll, gap: cross entropy of held-out samples (nats), and how far it is above the entropy.
        straightness: mean deviation from straight paths of even speed.
        nfe: of a solve from data to noise.
        energy: energy distance of exact samples; `few` that of samples in so many Euler steps.
        chance: what clouds of the target itself come to.
        curve: its pictures so far.
    """

    name: str
    label: str
    iteration: int
    seconds: float
    nll: float
    gap: float | None
    straightness: float
    nfe: int
    energy: float | None
    few: Mapping[int, float]
    chance: float
    curve: Sequence[Look]


def way_info(name: str, scalars: Mapping[str, Scalar], rows: Sequence[Row]) -> WayInfo:
    """What a snapshot and a history of `node_core.training.flow.compared` say of a way.

    Args:
        name: one of `WAYS`.
        scalars: of the newest snapshot.
        rows: of the history.
    """
    few = {n: _number(scalars.get(f"energy_{n}")) for n in EULER_STEPS}
    return WayInfo(
        name,
        next(way.label for way in WAYS if way.name == name),
        int(_number(scalars["iteration"]) or 0),
        _number(scalars["seconds"]) or 0.0,
        _number(scalars["nll"]) or 0.0,
        _number(scalars["gap"]),
        _number(scalars["straightness"]) or 0.0,
        int(_number(scalars["nfe"]) or 0),
        _number(scalars.get("energy")),
        {n: value for n, value in few.items() if value is not None},
        _number(scalars.get("energy_chance")) or 0.0,
        [
            Look(int(row["iteration"]), row["seconds"], row["nll"])
            for row in rows
            if {"seconds", "nll"} <= set(row)
        ],
    )


def ways_table(ways: Sequence[WayInfo], steps: int) -> dict[str, list[str]]:
    """Columns of the table; the energy distance is also that of samples in so many Euler steps."""
    word = "1 Euler step" if steps == 1 else f"{steps} Euler steps"
    return {
        "Trained by": [way.label for way in ways],
        "Iterations": [f"{way.iteration:,}" for way in ways],
        "CPU time": [f"{way.seconds:.1f} s" for way in ways],
        "NLL (nats)": [f"{way.nll:.3f}" for way in ways],
        "Above the entropy": ["–" if way.gap is None else f"{way.gap:.3f}" for way in ways],
        "Deviation": [f"{way.straightness:.2g}" for way in ways],
        "NFE": [str(way.nfe) for way in ways],
        "Energy distance": [_distance(way, way.energy) for way in ways],
        f"with {word}": [_distance(way, way.few.get(steps)) for way in ways],
    }


def sentences(ways: Sequence[WayInfo], steps: int) -> list[str]:
    """What the four say about each other; fewer sentences where less is known yet."""
    found = {way.name: way for way in ways}
    told = [_race(found), _bends(found), _few_steps(ways, steps), _price(found)]
    return [sentence for sentence in told if sentence]


def look_at(level: float, way: WayInfo) -> Look | None:
    """The first picture in which its NLL is at most this (nats); None if there is none."""
    return next((look for look in way.curve if look.nll <= level), None)


def nll_info(ways: Sequence[WayInfo], best: float | None, revision: str = "") -> CurvesInfo:
    """NLL of held-out samples against processor time; above the entropy, where that is known.

    Args:
        ways: the trainings.
        best: the target's entropy (nats), or None.
        revision: see `CurvesInfo`.
    """
    curves = []
    for k, way in enumerate(ways):
        points = np.array([(look.seconds, look.nll) for look in way.curve]).reshape(-1, 2)
        y = points[:, 1] - (best or 0.0)
        y = np.where(y > 0, y, np.nan) if best is not None else y
        if len(points):
            curves.append(Curve(way.label, lane_colour(k), False, points[:, 0], y))
    title = "NLL (nats)" if best is None else "NLL above the entropy (nats)"
    return CurvesInfo("seconds of processor time", title, best is not None, tuple(curves), revision)


def energy_figure(ways: Sequence[WayInfo], steps: int, height: int = 300) -> go.Figure:
    """Energy distance of samples in few Euler steps; dotted: what clouds of the target itself come to."""
    figure = go.Figure()
    for k, way in enumerate(ways):
        if not way.few:
            continue
        figure.add_scatter(
            x=list(way.few),
            y=[max(value, FLOOR) for value in way.few.values()],
            name=way.label,
            mode="lines+markers",
            line={"color": lane_colour(k), "width": 2.5},
            marker={"size": 9, "symbol": LANE_SYMBOLS[k % len(LANE_SYMBOLS)]},
            hovertemplate="%{y:.2g} with %{x} steps<extra>%{fullData.name}</extra>",
        )
    chance = max((way.chance for way in ways), default=0.0)
    values = np.array([chance, *(max(v, FLOOR) for way in ways for v in way.few.values())])
    limits = log_limits(values)
    if chance > 0:
        figure.add_scatter(
            x=[EULER_STEPS[0], EULER_STEPS[-1]],
            y=[chance, chance],
            name="chance",
            mode="lines",
            line={"color": REFERENCE_COLOUR, "width": 2, "dash": "dot"},
            hovertemplate="the target's own samples: up to %{y:.2g}<extra></extra>",
        )
        figure.add_vline(x=steps, line={"color": REFERENCE_COLOUR, "width": 1})
    ticks = {"tickvals": list(EULER_STEPS), "ticktext": [str(n) for n in EULER_STEPS]}
    layout = {
        "uirevision": "same",
        "xaxis": {"type": "log", **ticks},
        "yaxis": log_ticks(limits, 4),
    }
    layout = merged(small_type(), layout)
    return styled(figure, height=height, x="Euler steps", y="energy distance", layout=layout)


def _race(found: Mapping[str, WayInfo]) -> str:
    """Who came first to an NLL that both have come to."""
    first, second = found.get("likelihood"), found.get("matching")
    if first is None or second is None or not first.curve or not second.curve:
        return ""
    level = max(min(look.nll for look in way.curve) for way in (first, second))
    slow, quick = look_at(level, first), look_at(level, second)
    if not _moved(slow) or not _moved(quick):
        return ""
    assert slow is not None and quick is not None
    cheaper = (slow.seconds / slow.iteration) / (quick.seconds / quick.iteration)
    more, ratio = quick.iteration / slow.iteration, quick.seconds / slow.seconds
    verdict = "is not clearly faster"
    if ratio >= TIE or ratio <= 1 / TIE:
        verdict = "is not faster" if ratio > 1 else "is the faster one here"
    return (
        f"To come to {level:.3f} nats took likelihood {slow.seconds:.1f} s of processor time ({slow.iteration:,} "
        f"iterations), and flow matching {quick.seconds:.1f} s ({quick.iteration:,}): with no ODE solved its "
        f"iterations are {cheaper:.0f} times as cheap, and it needs {more:.0f} times as many. In two dimensions, to a "
        f"given NLL, it {verdict}."
    )


def _moved(look: Look | None) -> bool:
    """Whether it is a picture of something that was trained."""
    return look is not None and look.iteration > 0 and look.seconds > 0


def _bends(found: Mapping[str, WayInfo]) -> str:
    """Whose paths bend more."""
    first, second, third = (found.get(name) for name in ("likelihood", "matching", "transport"))
    if first is None or second is None or third is None or not second.straightness or not first.straightness:
        return ""
    ratio = second.straightness / first.straightness
    words = (
        f"{ratio:.0f} times as much as" if ratio >= 2 else "less than" if ratio < 1 else "about as much as"
    )
    pairs = second.straightness / max(third.straightness, 1e-12)
    more = f"; pairs joined by optimal transport leave {100 / pairs:.0f} % of that" if pairs > 1 else ""
    return f"The paths of flow matching deviate from straight ones {words} those of likelihood{more}."


def _few_steps(ways: Sequence[WayInfo], steps: int) -> str:
    """For whom so many Euler steps are enough."""
    known = [way for way in ways if steps in way.few and way.energy is not None]
    if not known:
        return ""
    enough = [way.label for way in known if way.few[steps] <= max(way.energy or 0.0, 0.0) + way.chance]
    short = [f"{way.label} ({way.few[steps]:.2g})" for way in known if way.label not in enough]
    word = "One Euler step is" if steps == 1 else f"{steps} Euler steps are"
    if not short:
        return f"{word} enough for all of them: their samples are as good as exact ones, as far as it can be seen."
    if not enough:
        return f"{word} enough for none of them; the samples' energy distances are {_listed(short)}."
    return f"{word} enough for {_listed(enough)}, not for {_listed(short)}."


def _price(found: Mapping[str, WayInfo]) -> str:
    """What reflow costs in likelihood."""
    before, after = found.get("matching"), found.get("reflow")
    if before is None or after is None or after.straightness >= before.straightness:
        return ""
    change = after.nll - before.nll
    price = f"at a price of {change:.3f} nats" if change > 0 else f"and the NLL is {-change:.3f} nats lower"
    return (
        f"Reflow has taken the deviation from {before.straightness:.2g} (flow matching) to {after.straightness:.2g}, "
        f"{price}."
    )


def _distance(way: WayInfo, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2g}" if value > way.chance else f"below {way.chance:.1g}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
