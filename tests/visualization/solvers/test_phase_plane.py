from dataclasses import replace

import numpy as np
import pytest

from node_core.studies.frame import ASPECT, equal_units
from node_core.visualization.solvers.phase_plane import phase_figure, phase_figure_3d, phase_info
from node_core.visualization.style import lane_colour


def test_the_plane_holds_curves_steps_and_where_rejected_attempts_set_out(result):
    info = phase_info(result)
    assert (info.x_title, info.y_title) == ("x", "v")
    lane = info.lanes[0]
    assert (lane.label, lane.colour, lane.exploded_at) == ("Dormand-Prince 5(4)", lane_colour(0), None)
    np.testing.assert_array_equal(lane.x, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(lane.y, [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(lane.dot_x, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(lane.rejected_t, [1.0])
    np.testing.assert_array_equal(lane.rejected_x, [1.0])
    np.testing.assert_array_equal(lane.rejected_y, [2.0])


def test_the_other_component_may_be_on_the_horizontal_axis(result):
    info = phase_info(result, (1, 0))
    assert (info.x_title, info.y_title) == ("v", "x")
    np.testing.assert_array_equal(info.lanes[0].x, [0.0, 2.0, 4.0])
    assert info.arrow_x.size == 0  # the direction field belongs to the plane (x, v)


def test_an_exploding_lane_does_not_widen_the_plane_past_its_reach(result):
    info = phase_info(result)
    assert info.y_range[1] <= 4.0 + 0.45 * 4.0 + 0.07 * 4.0
    assert info.x_range[1] - info.x_range[0] <= 1.5 * (info.y_range[1] - info.y_range[0]) * (1 + 1e-12)
    assert np.nanmax(info.lanes[1].x) <= 50 * (info.x_range[1] - info.x_range[0])


@pytest.mark.parametrize(
    ("x", "y"), [((0.0, 1.0), (-1.0, 1.0)), ((0.0, 2.0), (5.0, 6.0)), ((0.0, 1.0), (0.0, 1.0))]
)
def test_a_circle_is_a_circle_where_the_axes_are_alike(x, y):
    wide, high, equal = equal_units(x, y)
    assert equal
    assert (wide[1] - wide[0]) == pytest.approx(ASPECT * (high[1] - high[0]))
    for wanted, found in ((x, wide), (y, high)):
        assert found[0] <= wanted[0] and wanted[1] <= found[1]
        assert sum(found) == pytest.approx(sum(wanted))


def test_axes_of_different_kinds_keep_their_units():
    assert equal_units((0.0, 1.0), (0.0, 1e-5)) == ((0.0, 1.0), (0.0, 1e-5), False)


def test_an_arrow_is_a_shaft_and_a_head_around_its_base(result):
    info = phase_info(result)
    assert np.isnan(info.arrow_x).sum() == 2
    shaft_x, shaft_y = info.arrow_x[:2], info.arrow_y[:2]
    assert shaft_x.mean() == pytest.approx(1.0)
    assert shaft_x[1] > shaft_x[0]
    np.testing.assert_allclose(shaft_y, 2.0)


def test_a_one_dimensional_system_is_drawn_over_time(result):
    flat = replace(
        result,
        state_names=("y",),
        lanes=tuple(
            replace(
                lane,
                curve_y=lane.curve_y[:, :1],
                step_y=lane.step_y[:, :1],
                rejected_y=lane.rejected_y[:, :1],
            )
            for lane in result.lanes
        ),
        reference_y=result.reference_y[:, :1],
        field=None,
    )
    info = phase_info(flat)
    assert (info.x_title, info.y_title, info.x_range) == ("t", "y", (0.0, 2.0))
    np.testing.assert_array_equal(info.lanes[0].x, [0.0, 1.0, 2.0])


def test_an_axis_that_is_no_component_is_refused_by_its_number(result):
    with pytest.raises(ValueError, match=r"\(0, 2\)"):
        phase_info(result, (0, 2))


def test_the_figure_draws_field_reference_curves_dots_and_crosses(result):
    figure = phase_figure(phase_info(result))
    names = [trace.name for trace in figure.data]
    assert names == [
        "direction field",
        "reference",
        "Dormand-Prince 5(4)",
        "Dormand-Prince 5(4): steps",
        "Dormand-Prince 5(4): rejected",
        "Euler",
        "Euler: steps",
        "Euler: rejected",
    ]
    assert figure.layout.legend.yanchor == "bottom"  # above the data
    figure.to_json()


def test_the_figure_tells_when_a_lane_exploded(result):
    lanes = (replace(result.lanes[0], exploded_at=3.21), result.lanes[1])
    names = [trace.name for trace in phase_figure(phase_info(replace(result, lanes=lanes))).data]
    assert "Dormand-Prince 5(4) (exploded at t = 3.21)" in names


def test_three_components_are_drawn_in_space(result):
    def deep(y):
        return np.concatenate([y, y[:, :1]], axis=1)

    solid = replace(
        result,
        state_names=("x", "y", "z"),
        lanes=tuple(
            replace(
                lane, curve_y=deep(lane.curve_y), step_y=deep(lane.step_y), rejected_y=deep(lane.rejected_y)
            )
            for lane in result.lanes
        ),
        reference_y=deep(result.reference_y),
        field=None,
    )
    figure = phase_figure_3d(solid)
    assert [trace.type for trace in figure.data] == ["scatter3d"] * 4
    assert figure.layout.scene.zaxis.title.text == "z"
