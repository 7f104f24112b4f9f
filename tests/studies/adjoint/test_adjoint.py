"""The Adjoint lesson's studies: the numbers behind its pictures."""

import sys

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from node_core.studies.adjoint import check, paper
from node_core.studies.adjoint.snippets import (
    errors_snippet,
    gradient_snippet,
    horizon_snippet,
    memory_snippet,
    paper_snippet,
)
from node_core.studies.adjoint.way_back import run
from node_core.studies.gradients import errors, memory
from node_core.studies.gradients.config import (
    LARGEST_HORIZON,
    METHOD_CHOICES,
    MODES,
    AdjointConfig,
    CheckConfig,
    ErrorsConfig,
    HorizonConfig,
    MemoryConfig,
    PaperConfig,
    Task,
    parse_times,
)
from node_core.studies.gradients.fields import FIELDS
from node_core.studies.gradients.task import MAX_STEPS, gradient, relative
from node_core.studies.gradients.truth import truth

ALL = tuple(MODES)
LINEAR = Task("linear", (("delta", 0.3), ("omega", 1.5)), 3.0, (1.0, 3.0))
TASKS = {
    "learned": Task("learned", (), 3.0, (1.5, 3.0)),
    "linear": LINEAR,
    "van_der_pol": Task("van_der_pol", (("mu", 1.0),), 3.0, (1.5, 3.0)),
}


@pytest.mark.parametrize("field", FIELDS)
def test_every_mode_agrees_with_the_truth_at_a_tight_tolerance(field: str) -> None:
    true = truth(TASKS[field]).gradient
    for mode in ALL:
        assert relative(gradient(TASKS[field], mode, 1e-9).value, true) < 1e-5, mode


@pytest.mark.parametrize(
    "values", [{"delta": 0.3, "omega": 1.5}, {"delta": 0.0, "omega": 5.0}, {"delta": 2.0, "omega": 0.0}]
)
def test_the_closed_form_of_the_linear_field_agrees_with_a_tight_discrete_gradient(
    values: dict[str, float],
) -> None:
    task = Task("linear", tuple(values.items()), 3.0, (1.0, 3.0))
    true, tight = truth(task), gradient(task, "checkpointed", 1e-12, "dopri8")
    assert true.name == "closed form"
    np.testing.assert_allclose(true.gradient, tight.value, rtol=1e-9, atol=1e-12)
    assert true.loss == pytest.approx(tight.loss, rel=1e-9)


def test_the_closed_form_is_the_adjoint_on_all_of_its_way_and_jumps_at_the_observations() -> None:
    A, true = np.array([[-0.3, -1.5], [1.5, -0.3]]), truth(LINEAR)
    z0, target = np.array(LINEAR.spec.y0), np.array(LINEAR.spec.target)
    jumps = np.flatnonzero(np.diff(true.t) == 0)
    assert true.t[jumps].tolist() == [3.0, 1.0]
    integral, before = np.zeros((2, 2)), np.zeros((2, 2))
    for k, t in enumerate(true.t):
        known = [ti for ti in LINEAR.observations if ti > t or (ti == t and k - 1 in jumps)]
        a = sum((expm(A.T * (ti - t)) @ (expm(A * ti) @ z0 - target) for ti in known), np.zeros(2))
        np.testing.assert_allclose(true.a[k], a, atol=1e-12)
        np.testing.assert_allclose(true.z[k], expm(A * t) @ z0, atol=1e-12)
        if k:
            integral += 0.5 * (true.t[k - 1] - t) * (np.outer(a, true.z[k]) + before)
        before = np.outer(a, true.z[k])
        np.testing.assert_allclose(true.theta[k], integral.ravel(), atol=2e-3)  # by trapezoids


@pytest.mark.parametrize("field", ["learned", "van_der_pol"])
def test_the_tight_truth_has_a_step_at_every_observation(field: str) -> None:
    true = truth(TASKS[field])
    assert true.t[0] == 3.0 and true.t[-1] == 0.0 and (np.diff(true.t) <= 0).all()
    assert true.t[np.flatnonzero(np.diff(true.t) == 0)].tolist() == [3.0, 1.5]
    assert true.t.size > 200
    np.testing.assert_allclose(
        true.gradient, gradient(TASKS[field], "backprop", 1e-11, "dopri8").value, rtol=1e-7
    )


def test_the_recorded_adjoint_is_the_closed_form_and_jumps_at_the_observations() -> None:
    way = run(AdjointConfig(LINEAR, 1e-9, modes=("adjoint",))).ways[0]
    A = np.array([[-0.3, -1.5], [1.5, -0.3]])
    z0, target = np.array(LINEAR.spec.y0), np.array(LINEAR.spec.target)

    def a(t: float, times: tuple[float, ...]) -> np.ndarray:
        return sum(expm(A.T * (ti - t)) @ (expm(A * ti) @ z0 - target) for ti in times)

    late, early = way.a_t > 1.0 + 1e-9, way.a_t < 1.0 - 1e-9
    for rows, times in ((late, (3.0,)), (early, (1.0, 3.0))):
        inside = np.flatnonzero(rows & (way.a_t < 3.0 - 1e-9))
        assert inside.size > 5
        for i in inside:
            np.testing.assert_allclose(way.a[i], a(float(way.a_t[i]), times), atol=1e-6)
    np.testing.assert_allclose(way.a[-1], way.gradient[:2], rtol=1e-12)


def test_the_way_back_ends_with_the_reconstructed_state_not_with_the_known_one() -> None:
    way = run(AdjointConfig(Task("learned", (), 10.0, (10.0,)), 1e-3, modes=("adjoint",))).ways[0]
    assert way.t[0] == 10.0
    assert way.t[-1] == way.step_t[-1] == pytest.approx(0.0, abs=1e-9)
    assert np.count_nonzero(way.t <= 1e-9) == 1
    np.testing.assert_allclose(way.z[-1], way.step_z[-1], rtol=1e-9)
    assert way.gap[-1] > 1.0
    assert np.linalg.norm(way.z[-1] - FIELDS["learned"].y0) > 1.0


def test_at_ten_and_a_tolerance_of_a_thousandth_the_adjoint_is_wrong_and_checkpointed_is_right() -> None:
    result = run(AdjointConfig(Task("learned", (), 10.0, (10.0,)), 1e-3, modes=ALL))
    error = {way.mode: way.error for way in result.ways}
    assert error["adjoint"] > 0.5
    assert error["adjoint_seminorm"] > 0.5
    assert error["checkpointed"] < 0.15
    assert error["backprop"] == pytest.approx(error["checkpointed"], rel=1e-9)
    assert error["interpolated"] < 0.15
    gap = {way.mode: way.gap.max() for way in result.ways}
    assert gap["adjoint"] > 1.0
    assert gap["checkpointed"] < 1e-10


def test_a_way_back_that_fails_is_told_and_the_others_go_on() -> None:
    task = Task("van_der_pol", (("mu", 5.0),), 5.0, (5.0,))
    broken, whole = run(AdjointConfig(task, 1e-3, modes=("adjoint", "checkpointed"))).ways
    assert broken.failure.startswith("The backward solve of the adjoint failed")
    assert "method=" not in broken.failure
    assert not broken.t.size
    assert np.isnan(broken.error)
    assert whole.failure == ""
    assert whole.error < 0.1


@pytest.mark.parametrize("method", METHOD_CHOICES)
@pytest.mark.parametrize("mode", ["adjoint", "interpolated", "checkpointed"])
def test_a_way_back_is_drawn_by_its_own_interpolant_not_by_chords(mode: str, method: str) -> None:
    """Chords across steps this long lie some 0.1 off the circle; the solver itself does not."""
    task = Task("linear", (("delta", 0.0), ("omega", 2.0)), 3.0, (1.0, 3.0))
    way = run(AdjointConfig(task, 1e-4, method, (mode,))).ways[0]
    exact = truth(task)
    assert np.isin(way.step_t, way.t).all() and way.t.size > 3 * way.step_t.size
    radius = np.linalg.norm(way.z, axis=1)
    chord = np.linalg.norm(0.5 * (way.step_z[1:] + way.step_z[:-1]), axis=1)
    assert np.abs(radius - 2.0).max() < 0.02
    if method != "bosh3":
        assert np.abs(chord - 2.0).max() > 3 * np.abs(radius - 2.0).max()
    assert way.gap.max() < 0.02
    if mode != "checkpointed":  # whose a(t) is at its steps only
        between = way.a_t[(way.a_t < 1.0) & (way.a_t > 0.0)]
        inside = (way.a_t < 1.0) & (way.a_t > 0.0)
        rows = (exact.t <= 1.0) & (np.append(np.diff(exact.t) != 0, True))
        for i in (0, 1):
            smooth = np.interp(between, exact.t[rows][::-1], exact.a[rows, i][::-1])
            assert np.abs(way.a[inside, i] - smooth).max() < 0.02


def test_work_is_counted_and_a_forward_solve_that_is_too_long_leaves_the_truth_to_be_seen() -> None:
    task = Task("learned", (), 5.0, (5.0,))
    result = run(AdjointConfig(task, 1e-10, "bosh3"))
    assert result.path.failure.startswith(f"{MAX_STEPS:,} steps led only to t = ")
    assert "max_steps" not in result.path.failure
    assert [way.failure for way in result.ways] == [result.path.failure] * 2
    np.testing.assert_array_equal(result.path.z[0], task.spec.y0)
    assert result.path.t[-1] == 5.0 and not result.path.step_t.size
    assert result.loss == truth(task).loss
    assert 0 < np.linalg.norm(result.truth.gradient) < np.inf


@pytest.mark.parametrize("field", FIELDS)
def test_the_truth_is_there_at_both_ends_of_every_slider(field: str) -> None:
    ends = [()] + [((p.name, v),) for p in FIELDS[field].parameters for v in (p.minimum, p.maximum)]
    for values in ends:
        for horizon in (1.0, LARGEST_HORIZON):
            true = truth(Task(field, values, horizon, (horizon,)))
            for array in (true.t, true.z, true.a, true.theta, true.gradient):
                assert np.isfinite(array).all()


def test_the_result_crosses_processes_without_torch() -> None:
    result = run(AdjointConfig(LINEAR, 1e-4, modes=ALL))
    for way in (result.truth, *result.ways):
        assert not any(isinstance(value, torch.Tensor) for value in vars(way).values())
    assert result.theta_names == ("A_{11}", "A_{12}", "A_{21}", "A_{22}")
    assert result.n_theta == 4
    assert result.path.step_t[-1] == 3.0


def test_the_error_falls_with_the_tolerance_in_every_mode_and_differences_lag_behind() -> None:
    curves = {c.mode: c for c in errors.run(ErrorsConfig(LINEAR)).curves}
    assert set(curves) == {*MODES, "differences"}
    for mode in MODES:
        slope = np.polyfit(np.log10(curves[mode].x), np.log10(curves[mode].error), 1)[0]
        assert 0.8 < slope < 1.2, mode
    lag = np.polyfit(np.log10(curves["differences"].x), np.log10(curves["differences"].error), 1)[0]
    assert 0.5 < lag < 0.8  # tol^(2/3), with the best step
    assert curves["differences"].nfe_forward[-1] > 5 * curves["adjoint"].nfe_forward[-1]


def test_a_longer_horizon_ruins_the_adjoint_only() -> None:
    task = Task("learned", (), 10.0, (10.0,))
    result = errors.run_horizons(HorizonConfig(task, modes=("adjoint", "checkpointed")))
    adjoint, checkpointed = result.curves
    assert adjoint.x[-1] == 10.0
    assert adjoint.error[0] < 1e-2
    assert adjoint.error[-1] > 5 * checkpointed.error[-1]
    assert result.note == ""


def test_the_observation_times_stretch_with_the_horizon() -> None:
    longer = errors.stretched(LINEAR, 6.0)
    assert longer.observations == (2.0, 6.0)


def test_the_measured_memory_grows_with_backprop_and_not_with_the_adjoint() -> None:
    config = MemoryConfig(("adjoint", "backprop"), steps=(20, 160))
    adjoint, backprop = memory.run(config).curves
    assert backprop.mib[1] > 4 * backprop.mib[0]
    assert backprop.mib[1] > 10 * adjoint.mib[1]
    assert adjoint.mib[1] < adjoint.mib[0] + 3


def test_a_measuring_process_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ValueError, match="The process that measures the memory failed"):
        memory.run(MemoryConfig(("adjoint",), (1,), 1))


@pytest.mark.parametrize("method", ["scipy_adams", "dopri5"])
def test_figure_three_falls_grows_and_counts_both_ways(method: str) -> None:
    result = paper.run(PaperConfig(LINEAR, method))
    seen = np.isfinite(result.error)
    assert result.error[seen][-1] < 1e-3 * result.error[seen][0]
    assert result.nfe_forward[seen][-1] > 3 * result.nfe_forward[seen][0]
    assert (result.nfe_backward[np.isfinite(result.nfe_backward)] > 10).all()
    assert (result.seconds[seen] > 0).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Task("nowhere"), "field 'nowhere' is unknown"),
        (lambda: Task("linear", (("delta", 9.0),)), "out of range"),
        (lambda: Task("linear", (("mu", 1.0),)), "no parameter"),
        (lambda: Task(horizon=1e9), "horizon"),
        (lambda: Task(horizon=float("nan")), "horizon"),
        (lambda: Task(observations=(6.0,)), "outside"),
        (lambda: Task(observations=(3.0, 2.0)), "increase"),
        (lambda: Task(observations=()), "0 observation times"),
        (lambda: AdjointConfig(Task(), 1e-4, modes=()), "at least one"),
        (lambda: AdjointConfig(Task(), 1e-4, modes=("magic",)), "magic"),
        (lambda: AdjointConfig(Task(), 2.0), "tolerance"),
        (lambda: AdjointConfig(Task(), 1e-4, "scipy_lsoda"), "scipy_lsoda"),
        (lambda: MemoryConfig(steps=(100_000,)), "steps"),
        (lambda: PaperConfig(Task(), "euler"), "euler"),
        (lambda: parse_times("1, two", 5.0), "'two'"),
        (lambda: parse_times(" ", 5.0), "No observation time"),
    ],
)
def test_a_senseless_question_gets_a_sentence(make: object, match: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=match):
        make()


def test_times_are_read_with_commas_semicolons_and_spaces() -> None:
    assert parse_times("1, 2;3 4.5", 5.0) == (1.0, 2.0, 3.0, 4.5)


@pytest.mark.parametrize("field", FIELDS)
def test_the_gradient_snippet_repeats_the_gradient(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = AdjointConfig(TASKS[field], 1e-4, modes=("checkpointed",))
    names: dict[str, object] = {}
    exec(compile(gradient_snippet(config), "snippet", "exec"), names)
    z0 = names["z0"]
    assert isinstance(z0, torch.Tensor)
    assert z0.grad is not None
    np.testing.assert_allclose(z0.grad.numpy(), run(config).ways[0].gradient[:2], rtol=1e-12)
    assert "checkpointed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "snippet",
    [
        errors_snippet(ErrorsConfig(LINEAR, modes=("adjoint",))),
        horizon_snippet(HorizonConfig(LINEAR, 1e-3, modes=("adjoint",))),
        memory_snippet(MemoryConfig(("adjoint",), (2,), 4)),
        paper_snippet(PaperConfig(LINEAR, "dopri5")),
    ],
    ids=["errors", "horizon", "memory", "paper"],
)
def test_every_study_snippet_runs(snippet: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(snippet, "snippet", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("field", FIELDS)
def test_finite_differences_of_the_loss_agree_with_the_truth_and_share_nothing_with_it(field: str) -> None:
    found = check.run(CheckConfig(TASKS[field]))
    result = run(AdjointConfig(TASKS[field], 1e-9, modes=("checkpointed",)))
    rows = [0, 1, *(2 + result.shown)]
    np.testing.assert_allclose(found.differences, result.truth.gradient[rows], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.differences, result.ways[0].gradient[rows], rtol=1e-4, atol=1e-5)
    assert found.error == relative(found.differences, result.truth.gradient[rows]) < 1e-5
