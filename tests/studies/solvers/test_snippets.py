import pytest

from node_core.studies.solvers.race_config import (
    FORMULA,
    OrderConfig,
    Problem,
    RaceConfig,
    StabilityConfig,
    WorkConfig,
)
from node_core.studies.solvers.snippets import order_snippet, race_snippet, stability_snippet, work_snippet

DECAY = Problem("linear_decay", (1.0,), (0.0, 2.0), (("rate", 3.0),))
ROBERTSON = Problem(
    "robertson", (1.0, 0.0, 0.0), (0.0, 1.0), (("k1", 0.04), ("k2", 3e7), ("k3", 1e4)), atol_ratio=1e-6
)
TYPED = Problem(FORMULA, (1.0, 0.0), (0.0, 2.0), (("mu", 1.5),), (("x", "y"), ("y", "mu*(1 - x^2)*y - x")))
PROBLEMS = pytest.mark.parametrize("problem", [DECAY, ROBERTSON, TYPED], ids=["decay", "robertson", "typed"])
METHODS = ("euler", "dopri5", "rodas5p", "scipy_lsoda")


def executed(code: str) -> dict:
    names: dict = {}
    exec(compile(code, "snippet", "exec"), names)
    return names


@PROBLEMS
def test_the_race_snippet_repeats_the_race(problem, capsys):
    from node_core.studies.solvers import race

    config = RaceConfig(problem, METHODS, dt=0.01)
    result = race.run(config)
    solutions = executed(race_snippet(config, result.cut_at))["solutions"]
    for lane in result.lanes:
        assert solutions[lane.method].stats.nfe == lane.nfe
        assert solutions[lane.method].stats.n_rejected == lane.n_rejected
    assert "dopri5" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"tell_jumps": True}, {"max_step": 0.1}])
def test_the_race_snippet_says_what_the_solvers_were_told(options):
    from node_core.studies.solvers import race

    typed = Problem(FORMULA, (1.0,), (0.0, 2.0), (), (("x", "heaviside(t - 1) - x"),), jumps=(1.0,))
    values = (("strike", 1.0), ("width", 0.01), ("omega", 1.0), ("damping", 0.2))
    for problem in (typed, Problem("struck_oscillator", (0.0, 0.0), (0.0, 2.0), values)):
        config = RaceConfig(problem, METHODS, dt=0.03, **options)
        solutions = executed(race_snippet(config))["solutions"]
        for lane in race.run(config).lanes:
            assert solutions[lane.method].stats.nfe == lane.nfe
            assert solutions[lane.method].ys[-1].numpy() == pytest.approx(lane.step_y[-1], abs=1e-14)


@PROBLEMS
def test_the_stability_snippet_runs(problem, capsys):
    names = executed(stability_snippet(StabilityConfig(RaceConfig(problem, METHODS, dt=0.01))))
    assert names["h_lambda"].shape == (len(problem.y0),)
    assert "scipy_lsoda" not in capsys.readouterr().out


@PROBLEMS
def test_the_order_snippet_runs(problem, capsys):
    names = executed(order_snippet(OrderConfig(problem, ("euler", "rk4"))))
    assert [curve.method for curve in names["result"].curves] == ["euler", "rk4"]


def test_the_work_snippet_runs(capsys):
    names = executed(work_snippet(WorkConfig(DECAY, ("rk4", "dopri5"), "pid")))
    assert names["result"].config.controller == "pid"
