import numpy as np
import plotly.graph_objects as go
import pytest

from node_core.visualization.style import (
    axis_style,
    drawable,
    faded,
    framed,
    laid_out,
    lane_colour,
    layout_style,
    log_limits,
    log_ticks,
    thinned,
)


def test_a_colour_fades_to_rgba():
    assert faded("#ff8000", 0.25) == "rgba(255,128,0,0.25)"


def test_the_buttons_of_a_chart_do_not_darken_the_legend_behind_them():
    assert layout_style(300)["modebar"]["bgcolor"] == "rgba(0,0,0,0)"


def test_lane_colours_are_distinct_and_repeat_after_the_last():
    colours = [lane_colour(i) for i in range(8)]
    assert len(set(colours)) == 8
    assert lane_colour(8) == colours[0]


def test_the_frame_shows_the_reference_and_lets_an_explosion_leave():
    frame = framed(np.array([0.0, 10.0]), [np.array([-1e9, 1e9])], reach=0.5, margin=0.1)
    assert frame == pytest.approx((-6.0, 16.0))


def test_the_frame_without_a_reference_follows_the_first_finite_lane():
    low, high = framed(np.empty(0), [np.array([np.nan, 1.0, 3.0])], margin=0.0)
    assert (low, high) == (1.0, 3.0)


def test_the_frame_of_a_constant_has_a_width():
    low, high = framed(np.full(3, 2.0), [])
    assert low < 2.0 < high


def test_the_frame_of_nothing_is_a_unit():
    assert framed(np.empty(0), []) == (-1.0, 1.0)


def test_what_is_far_away_is_pulled_in_and_what_is_not_finite_left_out():
    values = drawable(np.array([0.5, 1e300, -1e300, np.inf, np.nan]), (0.0, 1.0), reach=2.0)
    np.testing.assert_array_equal(values, [0.5, 3.0, -2.0, np.nan, np.nan])


def test_thinning_keeps_the_first_and_the_last():
    picked = thinned(1000, 10)
    assert picked.size == 10
    assert picked[0] == 0
    assert picked[-1] == 999
    np.testing.assert_array_equal(thinned(3, 10), [0, 1, 2])


def test_logarithmic_limits_ignore_what_a_logarithm_can_not_show():
    assert log_limits(np.array([0.0, -1.0, np.nan])) is None
    assert log_limits(np.array([0.0, 1.0, 100.0, np.inf]), pad=0.5) == pytest.approx((-1.0, 3.0))


def test_type_is_large_enough_for_a_projector():
    assert axis_style("t")["tickfont"]["size"] >= 14
    assert axis_style("t")["title"]["font"]["size"] >= 16


def test_many_decades_get_a_few_powers_as_ticks() -> None:
    assert log_ticks((-9.0, 3.0), 4) == {"type": "log", "exponentformat": "power", "dtick": 3}
    assert log_ticks(None, 4)["dtick"] == 1


@pytest.mark.parametrize("limits", [(-0.9, 0.6), (-6.1, -5.2), (5.5, 6.5)])
def test_few_decades_get_ones_twos_and_fives_written_out(limits: tuple[float, float]) -> None:
    axis = log_ticks(limits, 4)
    seen = [
        text
        for value, text in zip(axis["tickvals"], axis["ticktext"], strict=True)
        if limits[0] <= np.log10(value) <= limits[1]
    ]
    assert (
        seen
        == {
            -0.9: ["0.2", "0.5", "1", "2"],
            -6.1: ["10<sup>−6</sup>", "2·10<sup>−6</sup>", "5·10<sup>−6</sup>"],
            5.5: ["5·10<sup>5</sup>", "10<sup>6</sup>", "2·10<sup>6</sup>"],
        }[limits[0]]
    )


def test_a_layout_is_changed_as_plotly_itself_would_change_it() -> None:
    changes = {
        "xaxis": {"title": {"text": "x"}, "range": [0, 1]},
        "legend": {"font": {"size": 9}},
        "margin": {"t": 30},
    }
    ours, plotlys = (go.Figure(go.Scatter(y=[1, 2])) for _ in range(2))
    for figure in (ours, plotlys):
        figure.add_hline(y=1.5)
        figure.update_layout(xaxis={"zeroline": False, "title": {"font": {"size": 12}}}, uirevision="a")
    assert laid_out(ours, changes).to_dict() == plotlys.update_layout(changes).to_dict()
    assert "template" in ours.to_dict()["layout"]
