"""Every system at both ends of every parameter and of the step: what is said is what the numbers show."""

from functools import cache

import numpy as np
import pytest

from node_core.fields.systems.systems import SYSTEMS
from node_core.studies.solvers import race
from node_core.studies.solvers.race_config import Problem, RaceConfig, RaceResult
from node_core.visualization.solvers.sentences import race_sentence

STEPS = 1000  # at most: the claims need no long race


def cases() -> list[tuple[str, str, float]]:
    found = [(key, "", 0.0) for key in SYSTEMS]
    for key, system in SYSTEMS.items():
        for parameter in system.parameters:
            ends = {parameter.minimum, parameter.maximum}
            found += [(key, parameter.name, value) for value in sorted(ends)]
    return [*found, ("linear_spiral", "a", 0.0), ("linear_spiral", "b", 0.0), ("lorenz", "rho", 15.0)]


@cache
def raced(key: str, name: str, value: float, dt: float) -> RaceResult:
    system = SYSTEMS[key]
    values = system.defaults | ({name: value} if name else {})
    start, end = system.frame(**values).t_span
    end = min(end, start + STEPS * dt)
    problem = Problem(key, system.y0, (start, end), tuple(values.items()), atol_ratio=system.atol_ratio)
    return race.run(RaceConfig(problem, ("euler", "dopri5"), dt=dt, rtol=1e-6))


@pytest.mark.parametrize("coarse", [False, True], ids=["fine", "coarse"])
@pytest.mark.parametrize(("key", "name", "value"), cases())
def test_what_is_said_is_what_is_shown(key: str, name: str, value: float, coarse: bool) -> None:
    system = SYSTEMS[key]
    dt = (system.dt or (system.t_span[1] - system.t_span[0]) / 200) * (8 if coarse else 1)
    result = raced(key, name, value, dt)
    said = race_sentence(result)
    for lane in result.lanes:
        assert (f"{lane.label} at t =" in said) == (lane.exploded_at is not None)
    if "closest" in said:
        best, worst = sorted(result.lanes, key=lambda lane: lane.final_error)
        assert f"{best.label} is closest" in said
        assert f"{worst.label} farthest" in said
    assert "nan" not in said and "inf " not in said
    size = np.linalg.norm(result.reference_y, axis=1)
    if key == "linear_spiral" and size.size:
        assert ("inwards" in said or "to the origin" in said) == (size[-1] < 0.999 * size[0])
        assert ("straight outwards" in said or "the solution itself grows" in said) == (
            size[-1] > 1.001 * size[0]
        )
        euler = result.lanes[0]
        if "with a step over" in said:
            told = float(said.split("= ")[1].split(".  ")[0].split(" ")[0].rstrip("."))
            grew = np.linalg.norm(euler.step_y[-1]) > np.linalg.norm(euler.step_y[0])
            assert grew == (dt > told)
    if key == "fitzhugh_nagumo":
        assert ("does not fire" in said) == bool(size.size and result.reference_y[1:, 0].max() < 0.5)


def struck(y0: tuple[float, float] = (0.0, 0.0), *, tell_jumps: bool = False, **values: float) -> str:
    defaults = SYSTEMS["struck_oscillator"].defaults
    problem = Problem("struck_oscillator", y0, (0.0, 8.0), tuple((defaults | values).items()))
    return race_sentence(
        race.run(RaceConfig(problem, ("euler", "rk4", "dopri5"), dt=0.1, tell_jumps=tell_jumps))
    )


def test_a_blow_is_told_as_each_method_took_it() -> None:
    # Steps of 0.1 end at the blow: Euler takes it for one of them, rk4 for two of its sixths; it lasts 0.01.
    said = struck()
    assert "Euler is hit 10 times as hard, Runge-Kutta 4 is hit 3.3 times as hard, " in said
    assert "Dormand-Prince 5(4) is not hit at all." in said
    assert "hit" not in struck(tell_jumps=True)
    assert "hit" not in struck((1.0, 0.0)), "who swings before is not told by the swing behind"
    assert "hit" not in struck(strike=20.0), "it has not come yet"
