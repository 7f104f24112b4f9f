"""What stands in an address by mistake or by malice: every page answers each of its parameters in a sentence."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from node_core.cnf.painted import strokes_target
from node_core.data.drawn import drawn_config
from pages.ui.cnf.target import read_strokes
from pages.ui.draw import read_drawing
from pages.ui.lessons import LESSONS
from tests.pages.harness import open_page

# what no control holds: infinite, not a number, of any length, below and above every range
NUMBERS = ("inf", "-inf", "1e400", "nan", "9" * 401, "-1e308", "1e308")
# beside how a page opens: the addresses that show its other parameters
OTHERS: dict[str, list[dict[str, str]]] = {
    "odenet": [
        {"method": "Euler", "reg": "kinetic energy"},
        {"reg": "random end time (STEER)"},
    ],
    "cnf": [{"flow": "Planar flow"}, {"method": "Euler"}],
    "architectures": [{"kind": "convolutional", "method": "Euler"}],
    "adjoint": [{"field": "Linear spiral"}],
    "solvers": [{"system": "Van der Pol"}, {"system": "Your own field"}],
}
NAMES = [lesson.path.removeprefix("pages/").removesuffix(".py") for lesson in LESSONS]
CASES = [(name, query) for name in NAMES for query in ({}, *OTHERS.get(name, ()))]


def numbers_of(at: AppTest) -> list[str]:
    """Keys of the page's controls that hold a number and stand in its address."""
    found = [*at.number_input, *at.slider, *at.select_slider]
    return [control.key for control in found if control.key and control.proto.query_param_key]


@pytest.mark.parametrize(("page", "query"), CASES, ids=[f"{name}-{query}" for name, query in CASES])
def test_a_number_that_no_control_holds_is_told_and_another_is_used(page: str, query: dict[str, str]) -> None:
    at = open_page(page, **query)
    assert not at.exception
    keys = numbers_of(at)
    assert keys
    shown = {control.key: control.value for control in [*at.number_input, *at.slider, *at.select_slider]}
    for number in NUMBERS:
        at = open_page(page, **query, **dict.fromkeys(keys, number))
        assert not at.exception, number
        said = "".join(warning.value.replace("\\", "") for warning in at.warning)
        for control in [*at.number_input, *at.slider, *at.select_slider]:
            if control.key not in keys:
                continue
            if control.value == shown[control.key] or str(control.value) != str(float(number)):
                assert f"The address asks for {control.key} = {number[:40]}," in said, (number, control.key)


def test_a_control_that_was_asked_for_too_much_takes_what_is_typed_then() -> None:
    at = open_page("odenet", seed="inf")
    assert "seed" not in at.query_params
    at.number_input(key="seed").set_value(7).run()
    assert at.number_input(key="seed").value == 7
    assert not at.warning
    at.run()
    assert at.number_input(key="seed").value == 7


@pytest.mark.parametrize("read", [lambda answer: read_drawing(answer, 0), read_strokes])
@pytest.mark.parametrize("bad", ["1e999", "-1e999", "NaN", "9" * 401, "1e15", "true", "null", '"1"', "[]"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_drawing_with_a_number_that_no_point_holds_is_a_sentence(read: Any, bad: str, place: int) -> None:
    rows = json.loads(
        f"[[0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1], [{', '.join([bad if i == place else '0' for i in range(3)])}]]"
    )
    if bad == "true":
        read(rows)  # JSON's true is Python's 1
        return
    with pytest.raises(ValueError, match="can't be read: clear it and draw again"):
        read(rows)


@pytest.mark.parametrize(
    "bad", [float("inf"), float("nan"), 10**401, -(10**5000)], ids=["inf", "nan", "401", "5001"]
)
def test_the_engine_refuses_such_points_itself(bad: float) -> None:
    square = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)]
    with pytest.raises(ValueError, match="point 4 of the drawing is"):
        drawn_config([*square, (bad, 0.0)], [0, 0, 1, 1])
    with pytest.raises(ValueError, match="of point 4: choose a whole number from 0 to 9"):
        drawn_config([*square, (1.0, 1.0)], [0, 0, 1, bad])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="draw inside the frame"):
        strokes_target([[(bad, 0.0)]])
