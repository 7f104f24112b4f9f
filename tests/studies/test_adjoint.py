"""The Adjoint lesson's studies: the numbers behind its pictures."""

import functools
import sys

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from node_core.studies import adjoint_errors, adjoint_memory, adjoint_paper
from node_core.studies.adjoint import run
from node_core.studies.adjoint_config import (
    FIELDS,
    MODES,
    AdjointConfig,
    ErrorsConfig,
    HorizonConfig,
    MemoryConfig,
    PaperConfig,
    Task,
    parse_times,
)
from node_core.studies.adjoint_snippets import (
    errors_snippet,
    gradient_snippet,
    horizon_snippet,
    memory_snippet,
    paper_snippet,
)
from node_core.studies.adjoint_task import gradient, relative, true_gradient

ALL = tuple(MODES)
LINEAR = Task("linear", (("delta", 0.3), ("omega", 1.5)), 3.0, (1.0, 3.0))
TASKS = {
    "learned": Task("learned", (), 3.0, (1.5, 3.0)),
    "linear": LINEAR,
    "van_der_pol": Task("van_der_pol", (("mu", 1.0),), 3.0, (1.5, 3.0)),
}


@pytest.mark.parametrize("field", FIELDS)
def test_every_mode_agrees_with_the_truth_at_a_tight_tolerance(field: str) -> None:
    truth, _ = true_gradient(TASKS[field])
    for mode in ALL:
        assert relative(gradient(TASKS[field], mode, 1e-9).value, truth) < 1e-5, mode


def test_the_closed_form_of_the_linear_field_agrees_with_a_tight_discrete_gradient() -> None:
    truth, name = true_gradient(LINEAR)
    assert name == "closed form"
    np.testing.assert_allclose(gradient(LINEAR, "checkpointed", 1e-12, "dopri8").value, truth, rtol=1e-9)


def test_the_recorded_adjoint_is_the_closed_form_and_jumps_at_the_observations() -> None:
    way = run(AdjointConfig(LINEAR, 1e-9, modes=("adjoint",))).ways[0]
    A = np.array([[-0.3, -1.5], [1.5, -0.3]])
    z0, target = np.array(LINEAR.spec.y0), np.array(LINEAR.spec.target)

    def a(t: float, times: tuple[float, ...]) -> np.ndarray:
        return sum(expm(A.T * (ti - t)) @ (expm(A * ti) @ z0 - target) for ti in times)

    late, early = way.t > 1.0 + 1e-9, way.t < 1.0 - 1e-9
    for rows, times in ((late, (3.0,)), (early, (1.0, 3.0))):
        inside = np.flatnonzero(rows & (way.t < 3.0 - 1e-9))
        assert inside.size > 5
        for i in inside:
            np.testing.assert_allclose(way.a[i], a(float(way.t[i]), times), atol=1e-6)
    np.testing.assert_allclose(way.a[-1], way.gradient[:2], rtol=1e-12)


def test_the_way_back_ends_with_the_reconstructed_state_not_with_the_known_one() -> None:
    way = run(AdjointConfig(Task("learned", (), 10.0, (10.0,)), 1e-3, modes=("adjoint",))).ways[0]
    assert way.t[0] == 10.0
    assert way.t[-1] == pytest.approx(0.0, abs=1e-9)
    assert np.count_nonzero(way.t <= 1e-9) == 1
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


def test_a_reference_that_runs_out_of_time_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine: the pictures are scaled by the true a(t), and can't be drawn without it."""
    hurried = functools.partial(gradient, time_limit=1e-9)
    monkeypatch.setattr("node_core.studies.adjoint.gradient", hurried)
    with pytest.raises(ValueError, match=r"take a shorter horizon T: The 1e-09 s for it are over") as caught:
        run(AdjointConfig(Task()))
    assert "time_limit" not in str(caught.value)


def test_the_result_crosses_processes_without_torch() -> None:
    result = run(AdjointConfig(LINEAR, 1e-4, modes=ALL))
    for way in (result.reference, *result.ways):
        assert not any(isinstance(value, torch.Tensor) for value in vars(way).values())
    assert result.theta_names == ("A_{11}", "A_{12}", "A_{21}", "A_{22}")
    assert result.n_theta == 4
    assert result.path.step_t[-1] == 3.0


def test_the_error_falls_with_the_tolerance_in_every_mode_and_differences_lag_behind() -> None:
    curves = {c.mode: c for c in adjoint_errors.run(ErrorsConfig(LINEAR)).curves}
    assert set(curves) == {*MODES, "differences"}
    for mode in MODES:
        slope = np.polyfit(np.log10(curves[mode].x), np.log10(curves[mode].error), 1)[0]
        assert 0.8 < slope < 1.2, mode
    lag = np.polyfit(np.log10(curves["differences"].x), np.log10(curves["differences"].error), 1)[0]
    assert 0.5 < lag < 0.8  # tol^(2/3), with the best step
    assert curves["differences"].nfe_forward[-1] > 5 * curves["adjoint"].nfe_forward[-1]


def test_a_longer_horizon_ruins_the_adjoint_only() -> None:
    task = Task("learned", (), 10.0, (10.0,))
    result = adjoint_errors.run_horizons(HorizonConfig(task, modes=("adjoint", "checkpointed")))
    adjoint, checkpointed = result.curves
    assert adjoint.x[-1] == 10.0
    assert adjoint.error[0] < 1e-2
    assert adjoint.error[-1] > 5 * checkpointed.error[-1]
    assert result.note == ""


def test_the_observation_times_stretch_with_the_horizon() -> None:
    longer = adjoint_errors.stretched(LINEAR, 6.0)
    assert longer.observations == (2.0, 6.0)


def test_the_measured_memory_grows_with_backprop_and_not_with_the_adjoint() -> None:
    config = MemoryConfig(("adjoint", "backprop"), steps=(20, 160))
    adjoint, backprop = adjoint_memory.run(config).curves
    assert backprop.mib[1] > 4 * backprop.mib[0]
    assert backprop.mib[1] > 10 * adjoint.mib[1]
    assert adjoint.mib[1] < adjoint.mib[0] + 3


def test_a_measuring_process_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ValueError, match="The process that measures the memory failed"):
        adjoint_memory.run(MemoryConfig(("adjoint",), (1,), 1))


@pytest.mark.parametrize("method", ["scipy_adams", "dopri5"])
def test_figure_three_falls_grows_and_counts_both_ways(method: str) -> None:
    result = adjoint_paper.run(PaperConfig(LINEAR, method))
    seen = np.isfinite(result.error)
    assert result.error[seen][-1] < 1e-3 * result.error[seen][0]
    assert result.nfe_forward[seen][-1] > 3 * result.nfe_forward[seen][0]
    assert (result.nfe_backward[np.isfinite(result.nfe_backward)] > 10).all()
    assert (result.seconds[seen] > 0).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Task("nowhere"), "no field"),
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
