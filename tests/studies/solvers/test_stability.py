"""The Stability tab looks where the h lambda are."""

import numpy as np
import pytest

from node_core.studies.solvers import stability
from node_core.studies.solvers.race_config import Problem, RaceConfig, StabilityConfig
from node_core.studies.solvers.stability import SMALLEST, WHOLE, window


@pytest.mark.parametrize(
    "points", [[0.0], [-0.1 + 0.2j, -0.1 - 0.2j], [-1.9], [0.3 + 0.01j], [-3 + 3j, 0.5], [-1e6, 2j]]
)
def test_the_window_shows_the_origin_and_every_point_it_can(points: list[complex]) -> None:
    values = np.array(points, dtype=complex)
    (left, right), (bottom, top) = window(values)
    assert right - left == pytest.approx(top - bottom)
    assert SMALLEST <= right - left <= WHOLE
    assert left < 0 < right and bottom < 0 < top
    if right - left < WHOLE:
        assert ((left < values.real) & (values.real < right)).all()
        assert ((bottom < values.imag) & (values.imag < top)).all()
        spread = max(values.real.max(initial=0) - values.real.min(initial=0), 2 * np.abs(values.imag).max())
        assert right - left == pytest.approx(max(spread / 0.6, SMALLEST))


def test_a_lane_brings_its_formula_and_the_region_of_its_window() -> None:
    problem = Problem("linear_spiral", (2.0, 0.0), (0.0, 15.0))
    lanes = stability.run(StabilityConfig(RaceConfig(problem, ("euler", "rk4")))).lanes
    assert [lane.formula for lane in lanes] == [
        "R(z) = 1 + z",
        r"R(z) = 1 + z + \tfrac{z^{2}}{2} + \tfrac{z^{3}}{6} + \tfrac{z^{4}}{24}",
    ]
    for lane in lanes:
        assert lane.region_re[0] < lane.h_lambda.real.min() and lane.h_lambda.imag.max() < lane.region_im[-1]
        assert lane.region_re[-1] - lane.region_re[0] < 1.0
