import numpy as np

from node_core.visualization.series.curves import fit_info
from node_core.visualization.training_curves import Run, curves_figure

ROWS = [
    {"iteration": i, "log_likelihood": -1000.0 / i**2 if i < 5 else -1.0 + 0.01 * i, "kl": 0.5}
    for i in range(1, 41)
]


def test_the_steep_beginning_is_left_out_and_the_rest_is_drawn_as_it_is():
    info = fit_info([Run("", ROWS)])
    likelihood, kl = info.curves
    assert likelihood.x.tolist() == list(range(5, 41))
    np.testing.assert_allclose(likelihood.y, [-1 + 0.01 * i for i in range(5, 41)])
    assert kl.dashed and kl.y.tolist() == [0.5] * 40
    assert not info.log_y and len(curves_figure(info).data) == 2


def test_a_short_history_is_drawn_whole_and_two_runs_are_told_apart():
    info = fit_info([Run("A", ROWS[:3]), Run("B", ROWS)])
    assert [curve.label for curve in info.curves] == ["A", "B"]
    assert len(info.curves[0].x) == 3


def test_without_rows_there_is_nothing():
    assert fit_info([Run("", [])]).curves == ()
