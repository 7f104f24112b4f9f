"""What the pictures of the Adjoint lesson show, on a way back written by hand."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from node_core.studies.gradients.config import (
    AdjointConfig,
    AdjointResult,
    ErrorCurve,
    ErrorsConfig,
    ErrorsResult,
    HorizonConfig,
    MemoryConfig,
    MemoryCurve,
    MemoryResult,
    PaperConfig,
    PaperResult,
    Path,
    Task,
    Truth,
    Way,
)
from node_core.visualization.adjoint.way_back import back_figure, back_info, magnification, verdict
from node_core.visualization.gradients import (
    MODE_INDEX,
    backward_share,
    cost_info,
    error_info,
    horizon_info,
    memory_info,
    mode_colour,
    paper_info,
    seminorm_info,
    seminorm_saving,
)
from node_core.visualization.loglog import log_figure
from pages.ui.adjoint.player import player_data

T = np.array([2.0, 1.0, 0.0])
NAN = float("nan")


def way(mode: str = "adjoint", *, failure: str = "", error: float = 0.5, gap: float = 0.1) -> Way:
    rows = 0 if failure else 3
    return Way(
        mode=mode,
        label=mode,
        failure=failure,
        t=T[:rows],
        z=np.array([[2.0, 4.0], [1.0, 2.0], [5.0, 0.0]])[:rows],
        apart=np.array([[0.0, 0.0], [0.0, gap], [2 * gap, 0.0]])[:rows],
        a_t=T[:rows],
        a=np.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])[:rows],
        step_t=T[:rows],
        step_z=np.array([[2.0, 4.0], [1.0, 2.0], [5.0, 0.0]])[:rows],
        theta=np.array([[0.0], [1.0], [2.0]])[:rows],
        theta_norm=np.array([0.0, 1.0, 2.0])[:rows],
        attempt_t=np.array([2.0, 1.0, 1.0])[:rows],
        attempt_dt=np.array([-1.0, -2.0, -1.0])[:rows],
        attempt_accepted=np.array([True, False, True])[:rows],
        gradient=np.zeros(3),
        error=error,
        error_y0=error,
        error_theta=error,
        nfe=12,
    )


@pytest.fixture
def adjoint_result() -> AdjointResult:
    t = np.array([0.0, 1.0, 2.0])
    z = np.stack([t, 2 * t], axis=1)
    path = Path(t, z, t, z, t[:2], np.ones(2), np.array([True, True]), 13)
    ways = (way(), way("checkpointed", gap=0.0), way("adjoint_seminorm", failure="It failed."))
    config = AdjointConfig(
        Task("van_der_pol", (), 2.0, (1.0, 2.0)), modes=("adjoint", "checkpointed", "adjoint_seminorm")
    )
    one = way()
    truth = Truth(T, one.z, one.a, one.theta, one.theta_norm, np.zeros(3), 0.7, "dopri8")
    return AdjointResult(config, path, truth, ways, np.array([0]), (r"\mu",), 1, 0.7)


def curve(mode: str, error: list[float], *, steps: float = 10.0, backward: float = 20.0) -> ErrorCurve:
    x = np.array([1e-2, 1e-3])
    return ErrorCurve(
        mode, mode, x, np.array(error), np.full(2, 30.0), np.full(2, backward), np.full(2, steps), x * 10
    )


def test_the_comparison_draws_norms_and_leaves_out_what_failed(adjoint_result: AdjointResult) -> None:
    info = back_info(adjoint_result)
    assert [line.label for line in info.lines] == ["adjoint", "checkpointed"]
    assert info.truth.a.tolist() == [5.0, 1.0, 10.0]
    assert info.lines[0].step.tolist() == [1.0, 2.0, 1.0]
    assert np.isnan(info.lines[1].gap).all()
    assert info.lines[0].gap.tolist()[1:] == [0.1, 0.2]
    figure = back_figure(info)
    assert {trace.yaxis for trace in figure.data} == {"y", "y2", "y3", "y4"}
    assert not any(trace.yaxis == "y3" and trace.name == "checkpointed" for trace in figure.data)


def test_a_comparison_without_any_way_back_can_be_drawn(adjoint_result: AdjointResult) -> None:
    lost = AdjointResult(**(vars(adjoint_result) | {"ways": (way(failure="It failed."),)}))
    assert isinstance(back_figure(back_info(lost)), go.Figure)
    assert player_data(lost)["ways"][0]["failure"] == "It failed."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (0.924, "92.4 % off"),
        (3.3, "330 % off"),
        (104.2, "10,420 % off"),
        (1e9, "all wrong"),
        (0.0123, "1.2 % off"),
        (4e-7, "off by 4e-07"),
    ],
)
def test_the_verdict_is_a_word_or_two(error: float, said: str) -> None:
    assert verdict(way(error=error)) == said
    assert verdict(way(failure="It failed.")) == "failed"


def test_every_mode_has_a_colour_of_its_own() -> None:
    assert len({mode_colour(mode) for mode in MODE_INDEX}) == len(MODE_INDEX)


def test_the_player_gets_the_way_back_with_growing_time_and_its_jumps(adjoint_result: AdjointResult) -> None:
    data = player_data(adjoint_result)
    adjoint, checkpointed, failed = data["ways"]
    assert adjoint["b"] == [0.0, 1.0, 2.0]
    assert adjoint["u"] == [3.0, 0.0, 6.0]
    assert data["observed"] == [[1.0, 1.0, 2.0], [2.0, 2.0, 4.0]]
    assert data["largest"] == 10.0
    titles = [strip["title"] for strip in adjoint["strips"]]
    assert len(titles) == 5
    steps = adjoint["strips"][3]["series"]
    assert steps[1]["bad"] == [False, True, False]
    assert steps[1]["y"] == [1.0, 2.0, 1.0]
    assert [series["k"] for series in data["under"]["z"]] == ["f", "f"]
    assert adjoint["strips"][4]["series"][0]["y"] == [0.1, 0.2]
    assert checkpointed["strips"][4]["note"].startswith("none")
    assert failed["b"] == []
    assert "NaN" not in json.dumps(data)


@pytest.mark.parametrize(
    ("gap", "times"), [(0.0, 1.0), (3.0, 1.0), (0.2, 1.0), (0.01, 10.0), (3e-6, 1e4), (1e-9, 1e6)]
)
def test_a_small_gap_is_drawn_larger_and_says_so(
    adjoint_result: AdjointResult, gap: float, times: float
) -> None:
    one = way(gap=gap)
    drawn = player_data(AdjointResult(**(vars(adjoint_result) | {"ways": (one,)})))["ways"][0]
    width = 2 * max(np.diff(player_data(adjoint_result)[axis])[0] for axis in "xy")
    assert magnification(one, 5.0) == times
    shown = np.stack([drawn["x"], drawn["y"]], axis=1) - (one.z - one.apart)
    factor = np.linalg.norm(shown, axis=1).max() / (2 * gap) if gap else 1.0
    said = float(drawn["note"].split()[2].replace(",", "")) if drawn["note"] else 1.0
    if 2 * gap * said > 0.01 or said == 1.0:  # the player's numbers have five digits
        assert factor == pytest.approx(said, rel=1e-3)
    assert said == times or gap == 1e-9
    assert said == 1.0 or 2 * gap * said < width  # it stays in the picture
    assert (drawn["sx"], drawn["sy"]) == (drawn["x"], drawn["y"])  # the dots lie on the line


def test_points_that_a_logarithmic_axis_cannot_show_are_left_out() -> None:
    result = ErrorsResult(
        ErrorsConfig(Task()), (curve("adjoint", [0.5, NAN]), curve("backprop", [0.1, 0.0])), ""
    )
    info = error_info(result)
    assert [line.y.tolist() for line in info.series] == [[0.5], [0.1]]
    assert info.series[1].dash == "dot"
    first, last = log_figure(info).layout.xaxis.range
    assert first > last  # a tighter tolerance lies to the right


def test_the_cost_counts_both_ways_and_differences_have_only_one() -> None:
    curves = (curve("adjoint", [0.5, 0.1]), curve("differences", [0.5, 0.1], backward=NAN))
    info = cost_info(ErrorsResult(ErrorsConfig(Task()), curves, ""), "nfe")
    assert [line.x.tolist() for line in info.series] == [[50.0, 50.0], [30.0, 30.0]]
    assert cost_info(ErrorsResult(ErrorsConfig(Task()), curves, ""), "seconds").series[0].x.tolist() == [
        0.1,
        0.01,
    ]


def test_the_seminorm_saves_what_its_steps_say() -> None:
    curves = (curve("adjoint", [0.5, 0.1], steps=10.0), curve("adjoint_seminorm", [0.5, 0.1], steps=6.0))
    result = ErrorsResult(ErrorsConfig(Task()), curves, "")
    assert seminorm_saving(result) == pytest.approx(0.4)
    assert [line.y.tolist() for line in seminorm_info(result).series] == [[10.0, 10.0], [6.0, 6.0]]
    assert seminorm_saving(ErrorsResult(ErrorsConfig(Task()), curves[:1], "")) is None


def test_the_horizon_has_the_line_above_which_no_digit_is_right() -> None:
    info = horizon_info(ErrorsResult(HorizonConfig(Task()), (curve("adjoint", [0.5, 0.1]),), ""))
    assert info.guides[0].y == (1.0, 1.0)
    assert log_figure(info).layout.xaxis.type != "log"


def test_memory_stands_beside_its_theory() -> None:
    steps = np.array([10.0, 40.0])
    curves = (
        MemoryCurve("adjoint", "adjoint", steps, np.array([1.0, 1.2])),
        MemoryCurve("backprop", "backprop", steps, np.array([9.0, 40.0])),
    )
    info = memory_info(MemoryResult(MemoryConfig(), curves, 0.01))
    assert {guide.label: guide.y for guide in info.guides} == {"O(1)": (1.2, 1.2), "O(L)": (10.0, 40.0)}
    assert {trace.line.dash for trace in log_figure(info).data[:2]} == {"dash", "dot"}


def test_figure_three_compares_both_ways_with_the_paper() -> None:
    result = PaperResult(
        PaperConfig(Task()), np.array([1e-2, 1e-4]), np.array([1e-1, 1e-3]), np.array([20.0, 40.0]),
        np.array([10.0, NAN]), np.array([0.1, 0.2]), "",
    )  # fmt: skip
    assert paper_info(result, "a").series[0].y.tolist() == [1e-1, 1e-3]
    assert paper_info(result, "b").series[0].y.tolist() == [0.1, 0.2]
    assert paper_info(result, "c").series[0].x.tolist() == [20.0]
    assert paper_info(result, "c").guides[1].y == (10.0, 10.0)
    assert backward_share(result) == 0.5


def test_a_narrow_axis_names_its_marks_in_full() -> None:
    info = error_info(ErrorsResult(ErrorsConfig(Task()), (curve("adjoint", [0.3, 0.15]),), ""))
    assert "0.2" in log_figure(info).layout.yaxis.ticktext
