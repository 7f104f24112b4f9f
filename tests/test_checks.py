"""Every configuration refuses in the same words: the value, and what to choose instead."""

from typing import Any

import numpy as np
import pytest

from node_core.checks import check_choice, check_choices, check_number, check_whole

NAMES = ("euler", "heun", "rk4")


def refusal(check: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        check(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize("value", [0, 2, 2.5, 10, np.float32(1.5), np.int64(3)])
def test_numbers_within_pass(value: Any) -> None:
    check_number("rtol", value, 0, 10)


@pytest.mark.parametrize("value", [-0.1, 10.5, float("nan"), float("inf"), "3", None, True, 1j, (1,)])
def test_other_numbers_and_what_is_none_are_refused(value: Any) -> None:
    assert refusal(check_number, "rtol", value, 0, 10) == f"rtol = {value!r}: choose 0 to 10."


def test_the_lower_end_can_be_left_out() -> None:
    check_number("t1", 1e-12, 0, 10, above=True)
    assert refusal(check_number, "t1", 0.0, 0, 10, above=True) == "t1 = 0.0: choose more than 0 to 10."


@pytest.mark.parametrize("value", [1, 20_000, np.int64(7)])
def test_whole_numbers_within_pass(value: Any) -> None:
    check_whole("batch", value, 1, 20_000)


@pytest.mark.parametrize("value", [0, 20_001, 10**30])
def test_whole_numbers_outside_are_refused(value: int) -> None:
    assert refusal(check_whole, "batch", value, 1, 20_000) == f"batch = {value}: choose 1 to 20000."


@pytest.mark.parametrize("value", [2.0, 2.5, float("nan"), "2", True, None])
def test_what_is_not_whole_is_refused(value: Any) -> None:
    said = refusal(check_whole, "batch", value, 1, 20_000)
    assert said == f"batch = {value!r}: choose a whole number from 1 to 20000."


def test_a_misspelt_word_is_told_what_it_probably_meant() -> None:
    check_choice("method", "heun", NAMES)
    said = refusal(check_choice, "method", "Huen", NAMES)
    assert said == "method 'Huen' is unknown (did you mean 'heun'?): choose one of euler, heun, rk4."
    assert (
        refusal(check_choice, "method", "x", NAMES)
        == "method 'x' is unknown: choose one of euler, heun, rk4."
    )
    assert "None is unknown" in refusal(check_choice, "method", None, NAMES)
    assert "['heun'] is unknown" in refusal(check_choice, "method", ["heun"], NAMES)


def test_several_words_are_known_each_once_and_not_too_many() -> None:
    check_choices("method", ("heun", "rk4"), NAMES, 2)
    check_choices("method", NAMES, NAMES)
    assert "'x' is unknown" in refusal(check_choices, "method", ("heun", "x"), NAMES)
    repeated = refusal(check_choices, "method", ("heun", "heun"), NAMES)
    assert repeated == "the methods heun, heun repeat themselves: choose each once."
    assert refusal(check_choices, "method", NAMES, NAMES, 2) == "3 methods were chosen: choose 1 to 2."
    assert refusal(check_choices, "method", (), NAMES) == "0 methods were chosen: choose at least one method."
