from dataclasses import replace

import numpy as np
import pytest

from node_core.visualization.solvers.timeline import timeline_figure, timeline_info


def test_the_timeline_holds_state_steps_ratios_and_errors_of_each_method(result):
    info = timeline_info(result, 1)
    assert (info.component, info.log_time, info.t_range) == ("v", False, (0.0, 2.0))
    lane = info.lanes[0]
    np.testing.assert_array_equal(lane.y, [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(lane.attempt_t, [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(lane.h, [1.0, 2.0, 1.0])
    np.testing.assert_array_equal(lane.accepted, [True, False, True])
    np.testing.assert_array_equal(lane.ratio, [0.5, 3.0, 0.25])
    np.testing.assert_array_equal(lane.error, [np.nan, 1e-3, 2e-3])  # no logarithm of the exact start


def test_a_fixed_step_method_has_no_error_ratio(result):
    assert timeline_info(result).lanes[1].ratio.size == 0


def test_a_ratio_that_is_not_finite_is_drawn_at_the_top(result):
    lane = replace(result.lanes[0], attempt_ratio=np.array([0.5, np.inf, 0.25]))
    info = timeline_info(replace(result, lanes=(lane,)))
    np.testing.assert_array_equal(info.lanes[0].ratio, [0.5, 1e6, 0.25])


def test_a_logarithmic_time_axis_starts_at_the_first_step(result):
    info = timeline_info(result, log_time=True)
    assert info.t_range == (1.0, 2.0)
    assert timeline_figure(info).layout.xaxis.type == "log"


def test_a_rejection_survives_thinning(result):
    count = 5000
    accepted = np.ones(count, dtype=bool)
    accepted[1234] = False
    lane = replace(
        result.lanes[0],
        attempt_t=np.linspace(0, 2, count),
        attempt_dt=np.full(count, 1e-3),
        attempt_ratio=np.full(count, 0.5),
        attempt_accepted=accepted,
    )
    shown = timeline_info(replace(result, lanes=(lane,))).lanes[0]
    assert shown.accepted.size < count
    assert (~shown.accepted).sum() == 1


def test_a_component_that_is_not_there_is_refused_by_its_number(result):
    with pytest.raises(ValueError, match="component 2"):
        timeline_info(result, 2)


def test_the_four_rows_share_their_time_axis(result):
    figure = timeline_figure(timeline_info(result))
    layout = figure.layout
    assert {layout.xaxis.matches, layout.xaxis2.matches, layout.xaxis3.matches} == {"x4"}
    assert [note.text for note in layout.annotations] == [
        "state x(t)",
        "step size h(t), × = rejected",
        "local error / tolerance",
        "global error",
    ]
    rows = {trace.yaxis for trace in figure.data}
    assert rows == {"y", "y2", "y3", "y4"}
    assert layout.shapes[0].y0 == 1  # the tolerance
    figure.to_json()
