"""The figures of the training lessons: what they show, number by number, and that they can be drawn."""

from dataclasses import replace

import numpy as np
import pytest

from node_core.studies.classifier.hlambda_config import HLambdaResult
from node_core.studies.classifier.regularizer_race_config import RaceLane, RegularizerRaceResult
from node_core.studies.classifier.solver_swap_config import SolverSwapResult, SwapEntry
from node_core.studies.resnets.limit_config import DepthConfig, LimitConfig, LimitResult
from node_core.visualization.classifier.hlambda import cloud_figure, cloud_info
from node_core.visualization.classifier.regularizer_race import (
    common_reach,
    paths_figure,
    paths_info,
    race_curves,
)
from node_core.visualization.classifier.solver_swap import swap_figure, swap_info
from node_core.visualization.resnets.limit import count_info, depth_figure, error_info
from node_core.visualization.training_curves import (
    MOST,
    Run,
    accuracy_info,
    curves_figure,
    loss_info,
    nfe_info,
)

ROWS = [
    {"iteration": 1.0, "loss": 1.0, "accuracy": 0.5, "nfe_forward": 14.0, "nfe_backward": 12.0},
    {
        "iteration": 2.0,
        "loss": 0.5,
        "accuracy": 0.75,
        "nfe_forward": 20.0,
        "nfe_backward": 18.0,
        "test_accuracy": 0.6,
    },
]


def test_one_run_is_named_by_what_is_drawn() -> None:
    (loss,) = loss_info([Run("", ROWS)]).curves
    assert (loss.label, loss.x.tolist(), loss.y.tolist()) == ("loss", [1.0, 2.0], [1.0, 0.5])
    forward, backward = nfe_info([Run("", ROWS)]).curves
    assert (forward.y.tolist(), backward.y.tolist()) == ([14.0, 20.0], [12.0, 18.0])
    assert (forward.dashed, backward.dashed, backward.listed) == (False, True, True)
    batch, test = accuracy_info([Run("", ROWS)]).curves
    assert (batch.y.tolist(), test.x.tolist(), test.y.tolist()) == ([50.0, 75.0], [2.0], [60.0])


def test_several_runs_are_told_by_colour_and_listed_once() -> None:
    curves = nfe_info([Run("A", ROWS), Run("B", ROWS)]).curves
    assert [(curve.label, curve.listed) for curve in curves] == [
        ("A", True),
        ("A", False),
        ("B", True),
        ("B", False),
    ]
    assert curves[0].colour == curves[1].colour != curves[2].colour


def test_a_long_history_is_averaged_and_keeps_its_mean() -> None:
    rows = [{"iteration": float(i), "loss": float(i % 7)} for i in range(MOST * 4)]
    (curve,) = loss_info([Run("", rows)]).curves
    assert curve.x.size == MOST
    assert curve.y.mean() == pytest.approx(np.mean([row["loss"] for row in rows]))


def test_numbers_that_are_not_finite_are_left_out() -> None:
    rows = [{"iteration": 1.0, "loss": float("nan")}, {"iteration": 2.0, "loss": 3.0}]
    (curve,) = loss_info([Run("", rows)]).curves
    assert curve.x.tolist() == [2.0]


def test_the_zoom_is_kept_until_the_revision_changes_and_an_empty_chart_says_so() -> None:
    assert curves_figure(loss_info([Run("", ROWS)], "token")).layout.uirevision == "token"
    empty = curves_figure(loss_info([Run("", [])]))
    assert [note.text for note in empty.layout.annotations] == ["Press Play"]
    # The fixed range of the empty chart must not be taken for the reader's zoom when the first row comes.
    full = curves_figure(loss_info([Run("", [{"iteration": 1.0, "loss": 0.5}])]))
    assert full.layout.uirevision != empty.layout.uirevision
    assert full.layout.xaxis.autorange and full.layout.yaxis.autorange


def limit_result() -> LimitResult:
    layers = np.array([1, 2, 4])
    error = np.array([1.0, 0.5, 0.25])
    return LimitResult(
        LimitConfig(), layers, error, 2 * error, np.array([0.5, 0.9, 1.0]), 1.0, 1.0, 38, block=100, head=6
    )


def test_the_shown_depth_is_marked_on_the_error_and_on_both_counts() -> None:
    info = error_info(limit_result(), 2)
    assert info.marked == ((2.0, 0.5),)
    (guide,) = info.lines.guides
    assert np.log(guide.y[1] / guide.y[0]) / np.log(guide.x[1] / guide.x[0]) == pytest.approx(-1.0)
    counts = count_info(limit_result(), 4)
    assert counts.marked == ((4.0, 406.0), (4.0, 106.0))
    assert [line.y.tolist() for line in counts.lines.series] == [[106, 206, 406], [106, 106, 106]]
    assert len(depth_figure(counts).data) == 3
    assert error_info(limit_result(), 3).marked == ()


def test_depths_and_nets_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="layers = 201"):
        DepthConfig("moons", 201)
    with pytest.raises(ValueError, match="trained net 'cats' is unknown"):
        LimitConfig("cats")


def test_the_swap_shows_each_method_from_coarse_to_fine_and_the_reference() -> None:
    own = SwapEntry("euler", 0.5, 1.0, 0.1, 2, 3.0)
    reference = SwapEntry("dopri5", None, 0.5, 0.9, 100, 0.0)
    entries = (replace(own, dt=0.25, accuracy=0.6), own, SwapEntry("rk4", 0.5, float("nan"), 0.0, 0, 0.0))
    info = swap_info(SolverSwapResult(own, reference, entries, "not an ode", "said"))
    assert info.lines[0].dt.tolist() == [0.5, 0.25]
    assert info.lines[0].accuracy.tolist() == [100.0, 60.0]
    assert (info.reference, info.trained_dt, info.trained) == (50.0, 0.5, 100.0)
    assert len(swap_figure(info).data) == 4


def test_the_cloud_says_whether_values_leave_the_region() -> None:
    t = np.array([0.0, 0.5])
    inside = HLambdaResult("euler", t, t + 0.5, np.full((2, 1, 2), -1.0 + 0.0j), np.zeros(1, int), 1.0)
    info = cloud_info(inside)
    assert info is not None
    assert info.sentence.startswith("Every decaying hλ lies inside Euler's region")
    assert info.point_t.tolist() == [0.0, 0.0, 0.5, 0.5]
    assert np.allclose(info.growth, 0.0)  # R(-1) = 0 for Euler
    outside = replace(inside, h_lambda=np.array([[[-3.0 + 0j, -1.0 + 0j]], [[0.5 + 0j, -1.0 + 0j]]]))
    told = cloud_info(outside)
    assert told is not None
    assert told.sentence.startswith("1 of 3 decaying values lie outside")
    assert len(cloud_figure(told).data) == 3
    growing = cloud_info(replace(inside, h_lambda=-inside.h_lambda))
    assert growing is not None
    assert growing.sentence.startswith("No hλ decays here")
    assert cloud_info(replace(inside, method="scipy_adams")) is None


def test_the_race_draws_each_lane_s_paths_by_class() -> None:
    paths = np.zeros((3, 4, 3), dtype=np.float32)
    paths[:, :, 0] = np.arange(3)[:, None]
    lane = RaceLane(
        "kinetic", np.arange(2), np.ones(2), np.ones(2), np.ones(2), 0.1, 1.0, 20, 1.0, 1.0, 1.0,
        np.linspace(0, 1, 3), paths, np.array([0, 1, 0, 1]), "",
    )  # fmt: skip
    result = RegularizerRaceResult((lane,))
    loss, nfe = race_curves(result)
    assert [curve.label for curve in loss.curves + nfe.curves] == ["kinetic energy"] * 2
    info = paths_info(lane, common_reach(result))
    assert info.reach == pytest.approx(2.1)
    x, _ = info.lines[0]
    assert np.array_equal(x, [0, 1, 2, np.nan, 0, 1, 2, np.nan], equal_nan=True)
    assert len(paths_figure(info).data) == 4
