"""What is said of four trainings of one field: exactly what their numbers say, whoever has won."""

from typing import Any

import pytest

from node_core.training.flow.ways import EULER_STEPS, WAYS
from node_core.visualization.cnf.ways import (
    Look,
    WayInfo,
    energy_figure,
    look_at,
    nll_info,
    sentences,
    way_info,
    ways_table,
)

SCALARS: dict[str, Any] = {
    "iteration": 400,
    "seconds": 8.0,
    "nll": 2.86,
    "gap": 0.03,
    "straightness": 0.07,
    "nfe": 26,
    "energy": 0.004,
    "energy_chance": 0.02,
    **{f"energy_{n}": 0.05 / n for n in EULER_STEPS},
}
ROWS = [
    {"iteration": 100.0 * k, "seconds": 2.0 * k, "nll": 3.0 - 0.035 * k, "loss": 9.9} for k in range(1, 5)
]


def way(name: str, **changes: Any) -> WayInfo:
    return way_info(name, SCALARS, ROWS)._replace(**changes)


def four(**matching: Any) -> list[WayInfo]:
    slow = {"curve": [Look(2000, 4.0, 2.95), Look(4000, 10.0, 2.86)], "straightness": 1.4, **matching}
    few = dict.fromkeys(EULER_STEPS, 0.001)
    return [
        way("likelihood"),
        way("matching", nll=2.88, **slow),
        way("transport", straightness=0.014, few=few),
        way("reflow", nll=2.9, straightness=0.05, few={**few, 1: 0.5}),
    ]


def test_a_snapshot_and_a_history_become_numbers() -> None:
    found = way("likelihood")
    assert found.label == "Likelihood"
    assert found.curve[0] == Look(100, 2.0, 2.965)
    assert found.few[2] == 0.025
    assert look_at(2.9, found) == Look(300, 6.0, 3.0 - 0.035 * 3)
    assert look_at(1.0, found) is None
    early = way_info("reflow", {**SCALARS, "energy": None, "energy_1": None, "gap": None}, [])
    assert (early.energy, early.gap, early.curve) == (None, None, [])
    assert 1 not in early.few


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(20.0, "is not faster"), (8.5, "is not clearly faster"), (2.0, "is the faster one here")],
)
def test_who_is_faster_is_read_off_the_curves(seconds: float, verdict: str) -> None:
    said = sentences(four(curve=[Look(4000, seconds, 2.86)]), 1)[0]
    cheaper = 0.02 / (seconds / 4000)
    assert said == (
        f"To come to 2.860 nats took likelihood 8.0 s of processor time (400 iterations), and flow matching "
        f"{seconds:.1f} s (4,000): with no ODE solved its iterations are {cheaper:.0f} times as cheap, and it needs 10 "
        f"times as many. In two dimensions, to a given NLL, it {verdict}."
    )


def test_bends_steps_and_the_price_are_said_as_measured() -> None:
    said = sentences(four(), 1)
    assert "deviate from straight ones 20 times as much as those of likelihood" in said[1]
    assert "leave 1 % of that" in said[1]
    assert said[2] == (
        "One Euler step is enough for OT pairs, not for Likelihood (0.05), Flow matching (0.05) and Reflow (0.5)."
    )
    assert (
        said[3]
        == "Reflow has taken the deviation from 1.4 (flow matching) to 0.05, at a price of 0.020 nats."
    )
    assert "4 Euler steps are enough for all of them" in sentences(four(), 4)[2]
    other = sentences(four(straightness=0.05), 1)
    assert "less than those of likelihood" in other[1]
    assert not any("Reflow has" in sentence for sentence in other)  # there was nothing to straighten


def test_nothing_is_said_of_what_is_not_known_yet() -> None:
    ways = [way_info(w.name, {**SCALARS, "energy": None, "straightness": 0.0}, []) for w in WAYS]
    assert sentences(ways, 1) == []
    assert not nll_info(ways, 2.83).curves


def test_the_table_says_where_chance_begins() -> None:
    table = ways_table(four(), 2)
    assert table["Trained by"] == ["Likelihood", "Flow matching", "OT pairs", "Reflow"]
    assert table["Energy distance"][0] == "below 0.02"
    assert table["with 2 Euler steps"] == ["0.025", "0.025", "below 0.02", "below 0.02"]
    assert "with 1 Euler step" in ways_table(four(), 1)


def test_the_charts_hold_every_way_and_draw() -> None:
    info = nll_info(four(), 2.83)
    assert [curve.label for curve in info.curves] == [w.label for w in WAYS]
    assert info.curves[0].y[-1] == pytest.approx(3.0 - 0.14 - 2.83)
    assert info.log_y and not nll_info(four(), None).log_y
    figure = energy_figure(four(), 8)
    assert [trace.name for trace in figure.data] == [*(w.label for w in WAYS), "chance"]
    assert figure.data[2].y[0] == 0.001
    assert energy_figure([], 1).data == ()
