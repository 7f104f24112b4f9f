import pytest

from node_core.fields.formula.parser import FormulaError
from node_core.studies.solvers.race_config import FORMULA, Problem, RaceConfig

OSCILLATOR = Problem("harmonic_oscillator", (1.0, 0.0), (0.0, 10.0), (("omega", 1.0),))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"system": "nothing"}, "system 'nothing' is unknown"),
        ({"y0": (1.0,)}, "1 numbers, but the state of Harmonic oscillator has 2"),
        ({"y0": (float("nan"), 0.0)}, "holds nan"),
        ({"t_span": (0.0, 0.0)}, "empty"),
        ({"t_span": (1.0, 0.0)}, "reversed"),
        ({"t_span": (0.0, float("inf"))}, "not finite"),
        ({"parameters": (("omega", 1e9),)}, "omega = 1e\\+09 is out of range"),
        ({"parameters": (("mass", 1.0),)}, "no parameter 'mass'"),
        ({"atol_ratio": 0.0}, "ratio of the tolerances = 0"),
    ],
)
def test_a_problem_that_makes_no_sense_is_refused_with_its_value(changes, sentence):
    values = {
        "system": "harmonic_oscillator",
        "y0": (1.0, 0.0),
        "t_span": (0.0, 10.0),
        "parameters": (("omega", 1.0),),
    }
    with pytest.raises(ValueError, match=sentence):
        Problem(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"methods": ("eulr",)}, r"method 'eulr' is unknown \(did you mean 'euler'\?\)"),
        ({"methods": ("euler", "euler")}, "repeat"),
        ({"methods": ()}, "0 methods"),
        ({"methods": ("euler", "heun", "rk4", "dopri5", "tsit5")}, "5 methods"),
        ({"dt": 0.0}, "dt = 0"),
        ({"dt": -1.0}, "dt = -1"),
        ({"dt": float("nan")}, "dt = nan"),
        ({"dt": 1e-6}, "10,000,000 steps"),
        ({"rtol": 0.0}, "tolerance = 0"),
        ({"rtol": float("nan")}, "tolerance = nan"),
        ({"controller": "pdi"}, "controller 'pdi' is unknown"),
    ],
)
def test_a_race_that_makes_no_sense_is_refused_with_its_value(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        RaceConfig(OSCILLATOR, **{"methods": ("euler", "dopri5"), **changes})


def test_a_step_that_no_method_uses_is_not_judged():
    RaceConfig(OSCILLATOR, ("dopri5", "tsit5"), dt=0.0)


def test_equal_configurations_hash_alike_so_that_their_results_can_be_cached():
    twin = Problem("harmonic_oscillator", (1.0, 0.0), (0.0, 10.0), (("omega", 1.0),))
    assert hash(RaceConfig(OSCILLATOR, ("euler",))) == hash(RaceConfig(twin, ("euler",)))


def test_a_formula_error_knows_its_character():
    with pytest.raises(FormulaError) as caught:
        Problem(FORMULA, (1.0, 0.0), (0.0, 1.0), formulas=(("x", "y"), ("y", "x +* y")))
    assert caught.value.position == 3


def test_a_typed_problem_resolves_to_its_system():
    problem = Problem(FORMULA, (1.0,), (0.0, 1.0), (("k", 2.0),), (("x", "-k*x"),))
    assert problem.resolve().state_names == ("x",)
