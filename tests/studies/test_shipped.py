"""What comes with the project is what the code computes now: a file can't go stale unseen."""

import pickle
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from node_core.runs import shipped as module
from node_core.runs.shipped import Beginning, find
from node_core.runs.snapshot import unpack
from node_core.studies.make_shipped import answer, path_of, questions

REMEDY = "run `python -m node_core.studies.make_shipped {}`"
MEASURED = {"wall_time", "seconds", "mib", "slopes", "time", "cost"}  # another one each time
# They take too long to be computed again here; each is computed in the tests of its own lesson, shorter.
SLOW = {"adjoint/errors", "adjoint/horizons", "adjoint/memory", "adjoint/paper", "cnf/cost"}
SLOW |= {"odenet/regularisers", "odenet/swap", "architectures/memory"}
SLOW |= {
    "limits/stiff",
    "limits/speed_rings",
    "limits/speed_digits",
    "limits/gaps_clean",
    "limits/gaps_noisy",
}
SLOW |= {"limits/swap_euler_8", "limits/swap_rk4_1", "limits/swap_dopri5_2"}
SLOW |= {"control/horizon", "control/rivals", "control/gradient", "control/energy"}
SLOW |= {f"limits/horizons_{field}" for field in ("learned", "linear", "van_der_pol")}
QUESTIONS = questions()


def differences(here: Any, there: Any, place: str = "") -> list[str]:
    """Where two answers differ by more than another processor's rounding, times and sizes left out."""
    if is_dataclass(here) and type(here) is type(there):
        names = [entry.name for entry in fields(here) if entry.name not in MEASURED]
        pairs = [(getattr(here, name), getattr(there, name), f"{place}.{name}") for name in names]
    elif isinstance(here, tuple | list) and len(here) == len(there):
        pairs = [(a, b, f"{place}[{i}]") for i, (a, b) in enumerate(zip(here, there, strict=True))]
    elif isinstance(here, dict) and set(here) == set(there):
        pairs = [(here[key], there[key], f"{place}[{key!r}]") for key in here if key not in MEASURED]
    elif isinstance(here, np.ndarray | float) and not isinstance(here, str):
        a, b = np.asarray(here), np.asarray(there)
        if a.shape != b.shape or a.dtype != b.dtype:
            return [f"{place}: {a.dtype} {a.shape} instead of {b.dtype} {b.shape}"]
        if a.dtype == np.uint8:  # a picture: a shade more or less
            far = np.abs(a.astype(int) - b.astype(int)) > 2
        else:
            far = ~np.isclose(a, b, rtol=1e-3, atol=1e-5, equal_nan=True)
        return [f"{place}: {far.sum()} of {far.size} numbers"] if far.any() and far.mean() > 1e-3 else []
    else:
        return [] if here == there else [f"{place}: {here!r} instead of {there!r}"]
    return [line for a, b, where in pairs for line in differences(a, b, where)]


def opened(beginning: Beginning) -> tuple[Any, ...]:
    """What a live run begins with, as values that can be compared."""
    picture = unpack(beginning.snapshot)
    return picture.arrays, picture.scalars, beginning.state, beginning.rows, beginning.finished


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_finds_its_answer(name: str) -> None:
    found = find(*QUESTIONS[name])
    assert found is not None, REMEDY.format(name)
    assert path_of(name).is_file()


def test_no_file_answers_what_nobody_asks() -> None:
    known = {path_of(name) for name in QUESTIONS}
    assert set(module._index().values()) == known


@pytest.mark.parametrize("name", sorted(set(QUESTIONS) - SLOW))
def test_the_answer_is_what_the_code_computes_now(name: str) -> None:
    task, config = QUESTIONS[name]
    found, now = find(task, config), answer(task, config)
    assert found is not None
    pair = (found.answer, now)
    if isinstance(now, Beginning):
        pair = (opened(found.answer), opened(now))
    wrong = differences(pair[1], pair[0])
    assert not wrong, f"{name} is out of date: {REMEDY.format(name)}\n" + "\n".join(wrong[:9])


def test_a_difference_is_seen() -> None:
    task, config = QUESTIONS["resnets/limit_moons"]
    found = find(task, config)
    assert found is not None
    other = pickle.loads(pickle.dumps(found.answer))
    assert differences(other, found.answer) == []
    other.error.setflags(write=True)
    other.error[:] *= 1.01
    assert differences(other, found.answer) == [".error: 15 of 15 numbers"]


def test_slow_answers_are_of_the_shape_that_is_asked_for() -> None:
    for name in SLOW:
        found = find(*QUESTIONS[name])
        assert found is not None
        assert found.machine
        assert getattr(found.answer, "config", QUESTIONS[name][1]) == QUESTIONS[name][1]
