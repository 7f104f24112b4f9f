"""One trial looked at closely: what is still to be paid, how the plant is steered, and the costate a(t).

The costate is the adjoint of the closed loop, a(t) = dJ/dx(t): how much the rest of the trial would cost more if the
plant stood a little elsewhere now. Pontryagin's principle says how to steer by it: u(t) should minimise
l(x, u) + a^T f(x, u).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from node_core.training.control.config import ControlConfig
from node_core.visualization.style import Floats, lane_colour
from node_core.visualization.training_curves import Curve, CurvesInfo

NAMES = {"theta": "θ", "omega": "ω", "heading": "φ"}
"""Of states, in a legend."""


class TrialInfo(NamedTuple):
    """Three charts over the trial's time, and what they say."""

    to_go: CurvesInfo
    controls: CurvesInfo
    costate: CurvesInfo
    sentence: str


def trial_info(
    arrays: Mapping[str, np.ndarray], config: ControlConfig, revision: str = ""
) -> TrialInfo | None:
    """What a live snapshot knows of its trial (`path`, `costate`, ... of training/control/picture.py); None: nothing.

    Args:
        arrays: of the snapshot.
        config: of the run.
        revision: see `CurvesInfo`.
    """
    if "costate" not in arrays:
        return None
    ts, to_go = arrays["path_ts"].astype(float), arrays["path_to_go"].astype(float)
    control = arrays["path_control"].astype(float)
    costate, costate_ts = arrays["costate"].astype(float), arrays["costate_ts"].astype(float)
    plant = config.of_plant()
    states = [NAMES.get(state.name, state.name) for state in plant.states]
    controls = [f"{c.name} ({c.unit})" for c in plant.controls]
    return TrialInfo(
        _chart(plant.time, "cost to go", [_line("cost to go J(t)", ts, to_go, 3)], revision),
        _chart(
            plant.time,
            "control u",
            [_line(name, ts, control[:, j], 1 + j) for j, name in enumerate(controls)],
            revision,
        ),
        _chart(
            plant.time,
            "costate a(t)",
            [_line(f"∂J/∂{name}", costate_ts, costate[:, i], i) for i, name in enumerate(states)],
            revision,
        ),
        _sentence(costate, costate_ts, to_go, states),
    )


def _line(label: str, ts: Floats, values: Floats, colour: int) -> Curve:
    return Curve(label, lane_colour(colour), False, ts, values)


def _chart(unit: str, title: str, curves: list[Curve], revision: str) -> CurvesInfo:
    return CurvesInfo(f"t ({unit})", title, False, tuple(curves), revision)


def _sentence(costate: Floats, costate_ts: Floats, to_go: Floats, states: Sequence[str]) -> str:
    """What the costate says at the start of the trial."""
    first = costate[int(np.argmin(costate_ts))]
    dear = int(np.argmax(np.abs(first)))
    way = "dearer" if first[dear] > 0 else "cheaper"
    return (
        f"At the start {to_go[0]:.3g} is still to pay, and a little more {states[dear]} would make it {way}, by "
        f"{abs(first[dear]):.2g} a unit: the largest entry of a(0)."
    )
