"""Every field at both ends of every control: what is said of a way back is what its numbers show."""

import math
import re
from functools import cache

import numpy as np
import pytest

from node_core.studies.adjoint.way_back import run
from node_core.studies.gradients.config import (
    AdjointConfig,
    AdjointResult,
    ErrorCurve,
    ErrorsConfig,
    ErrorsResult,
    HorizonConfig,
    Task,
)
from node_core.studies.gradients.fields import FIELDS
from node_core.visualization.adjoint.sentences import (
    all_modes_sentence,
    horizon_sentence,
    plain_name,
    remedy,
    tolerance_sentence,
    watch_sentence,
)

MODES = ("adjoint", "interpolated", "checkpointed")
NAN = float("nan")


def cases() -> list[tuple[str, tuple[tuple[str, float], ...]]]:
    found: list[tuple[str, tuple[tuple[str, float], ...]]] = [(key, ()) for key in FIELDS]
    for key, field in FIELDS.items():
        found += [(key, ((p.name, v),)) for p in field.parameters for v in (p.minimum, p.maximum)]
    return found


@cache
def went(
    key: str, values: tuple[tuple[str, float], ...], horizon: float, rtol: float, method: str = "dopri5"
) -> AdjointResult:
    return run(AdjointConfig(Task(key, values, horizon, (horizon,)), rtol, method, MODES))


@pytest.mark.parametrize("rtol", [1e-8, 1e-3, 0.1])
@pytest.mark.parametrize("horizon", [1.0, 10.0, 20.0])
@pytest.mark.parametrize(("key", "values"), cases())
def test_what_is_said_is_what_the_numbers_show(
    key: str, values: tuple[tuple[str, float], ...], horizon: float, rtol: float
) -> None:
    result = went(key, values, horizon, rtol)
    said = remedy(result)
    assert not re.search(r"\bnan\b|\binf\b", said)
    wrong, _, right = said.partition("Right to 1 % or better: ")
    right = right.partition(".")[0]
    for way in result.ways:
        bad = bool(way.failure) or way.error > 0.01
        if said.startswith("Nothing to mend"):
            assert not bad
        elif bad:
            assert way.label in wrong and way.label not in right
        else:
            assert way.label in right or "but dear" in wrong
    if "Unstable backward" in said:
        told = float(re.findall(r"leaves the path by up to ([-+.e\d]+)", said)[0])
        gaps = [way.gap.max() for way in result.ways if way.gap.size and way.error > 0.01]
        assert told == pytest.approx(max(gaps), rel=0.06)
        assert told > 0.05 * np.ptp(result.path.z, axis=0).max()
    if "has vanished" in said:
        assert np.linalg.norm(result.truth.a[-1]) < rtol * np.linalg.norm(result.truth.a, axis=1).max()
    if "the gradient explodes, as it is" in said:
        factor = float(re.findall(r"grows ([-+.e\d]+) times", said)[0])
        assert factor == pytest.approx(
            np.linalg.norm(result.truth.a[-1]) / np.linalg.norm(result.truth.a[1]), rel=0.01
        )
    assert ("No way back by" in said) == any(
        way.failure and "steps led only to" not in way.failure for way in result.ways
    )
    ends = all_modes_sentence(result)
    known = [way for way in result.ways if not way.failure]
    worst = max(known, key=lambda way: way.error_y0)
    assert worst.label in ends and "nan" not in ends
    assert watch_sentence(result).endswith(".")


def test_what_was_too_long_is_given_up_with_its_remedy() -> None:
    result = went("learned", (), 20.0, 1e-10, "bosh3")
    assert remedy(result).startswith("The forward solve was not finished")
    assert "loosen the tolerance" in remedy(result)
    assert all_modes_sentence(result).startswith("No chosen mode")


def test_van_der_pol_is_called_gentle_where_it_is() -> None:
    assert "gentle" in watch_sentence(went("van_der_pol", (("mu", 0.1),), 1.0, 1e-3))
    assert "contracts fast" in watch_sentence(went("van_der_pol", (("mu", 8.0),), 1.0, 1e-3))


def curve(mode: str, *error: float) -> ErrorCurve:
    n = np.full(len(error), 10.0)
    x = np.logspace(-2, -9, len(error))
    return ErrorCurve(mode, mode, x, np.array(error), n, n, n, n)


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        (
            (curve("adjoint", 1e-1, 1e-8), curve("differences", 1e-1, 1e-5)),
            "Finite differences stay behind, at 1.0e-05",
        ),
        (
            (curve("adjoint", 1e-1, 1e-4), curve("differences", 1e-1, 1e-5)),
            "Finite differences come within 1.0e-05",
        ),
        (
            (curve("adjoint", NAN, NAN), curve("backprop", 0.1, 1e-8)),
            "No way back at any tolerance: adjoint.",
        ),
        (
            (curve("adjoint", 0.5, 0.4), curve("backprop", 0.1, 1e-8)),
            "A tighter tolerance brings adjoint no closer.",
        ),
    ],
)
def test_the_tolerance_is_told_as_it_was_measured(curves: tuple[ErrorCurve, ...], said: str) -> None:
    assert said in tolerance_sentence(ErrorsResult(ErrorsConfig(Task()), curves, ""))


@pytest.mark.parametrize(
    ("adjoint", "said"),
    [
        (0.5, "drifts: at T = 1e-09 the adjoint's gradient is 50 % off"),
        (0.002, "drifts little"),
        (NAN, "fails"),
    ],
)
def test_the_horizon_is_told_as_it_was_measured(adjoint: float, said: str) -> None:
    curves = (curve("adjoint", 0.001, adjoint), curve("checkpointed", 0.001, 0.001))
    text = horizon_sentence(ErrorsResult(HorizonConfig(Task()), curves, ""))
    assert said in text
    assert "0.1 %" in text
    assert not math.isnan(adjoint) or "checkpointed" in text


@pytest.mark.parametrize(("name", "plain"), [("A_{12}", "A₁₂"), (r"\mu", "μ"), ("W1[3,2]", "W1[3,2]")])
def test_a_name_is_written_without_its_latex(name: str, plain: str) -> None:
    assert plain_name(name) == plain
