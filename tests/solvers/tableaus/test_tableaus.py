"""Every tableau against the order conditions, one for each rooted tree."""

from dataclasses import replace

import numpy as np
import pytest

from node_core.solvers.tableaus.tableau import ButcherTableau, DenseOutput
from node_core.solvers.tableaus.tableaus import DOPRI5, EULER, FEHLBERG45, RK4, TABLEAUS
from tests.solvers.tableaus.rooted_trees import FloatArray, order_residuals, trees_of_order

EXPECTED = {
    "euler": (1, 0, 1),
    "midpoint": (2, 0, 2),
    "heun": (2, 0, 2),
    "ralston": (2, 0, 2),
    "rk4": (4, 0, 3),
    "rk4_38": (4, 0, 3),
    "bosh3": (3, 2, 3),
    "fehlberg45": (5, 4, 4),
    "dopri5": (5, 4, 4),
    "tsit5": (5, 4, 4),
    "dopri8": (8, 7, 7),
}
ALL = list(TABLEAUS.values())
ADAPTIVE = [tableau for tableau in ALL if tableau.adaptive]
HOLDS = 1e-13  # rounding of coefficients up to 18
FAILS = 1e-6  # the smallest broken condition of these methods is some 1e-5
THETAS = np.linspace(0.0, 1.0, 21)


def name_of(tableau: ButcherTableau) -> str:
    return tableau.name


def matrix(rows: tuple[tuple[float, ...], ...]) -> FloatArray:
    """Ragged rows as a square matrix, filled with zeros."""
    full = np.zeros((len(rows), len(rows)))
    for index, row in enumerate(rows):
        full[index, : len(row)] = row
    return full


def worst(a: FloatArray, b: FloatArray, order: int, theta: float = 1.0) -> float:
    return float(np.abs(order_residuals(a, b, order, theta)).max())


def test_the_generator_finds_the_known_numbers_of_rooted_trees() -> None:
    assert [len(trees_of_order(order)) for order in range(1, 10)] == [1, 1, 2, 4, 9, 20, 48, 115, 286]


def test_every_explicit_method_claims_its_textbook_orders() -> None:
    claims = {t.name: (t.order, t.error_order, t.dense_order) for t in ALL}
    assert claims == EXPECTED


@pytest.mark.parametrize("tableau", ALL, ids=name_of)
def test_the_weights_satisfy_every_condition_up_to_their_order_and_not_the_next(
    tableau: ButcherTableau,
) -> None:
    a, b = matrix(tableau.a), np.array(tableau.b)
    for order in range(1, tableau.order + 1):
        assert worst(a, b, order) < HOLDS, f"order {order}"
    assert worst(a, b, tableau.order + 1) > FAILS


@pytest.mark.parametrize("tableau", ADAPTIVE, ids=name_of)
def test_the_embedded_weights_satisfy_their_order_and_not_the_next(tableau: ButcherTableau) -> None:
    assert tableau.b_error is not None
    a, b_hat = matrix(tableau.a), np.array(tableau.b) - np.array(tableau.b_error)
    for order in range(1, tableau.error_order + 1):
        assert worst(a, b_hat, order) < HOLDS, f"order {order}"
    assert worst(a, b_hat, tableau.error_order + 1) > FAILS


@pytest.mark.parametrize("tableau", ALL, ids=name_of)
def test_the_dense_output_satisfies_its_order_at_every_theta_and_not_the_next(
    tableau: ButcherTableau,
) -> None:
    dense = tableau.dense_output()
    a = matrix(tableau.a + dense.extra_a)
    for theta in THETAS:
        weights = np.array(dense.weights(float(theta)))
        for order in range(1, dense.order + 1):
            assert worst(a, weights, order, float(theta)) < 1e-12, f"order {order} at theta {theta}"
    middle = np.array(dense.weights(0.4))
    assert worst(a, middle, dense.order + 1, 0.4) > FAILS


@pytest.mark.parametrize("tableau", ALL, ids=name_of)
def test_the_dense_output_starts_in_y0_and_ends_in_y1_with_the_slopes_of_the_field(
    tableau: ButcherTableau,
) -> None:
    dense = tableau.dense_output()
    coefficients = np.array(dense.coefficients)
    powers = np.arange(1, dense.degree + 1)
    stages = len(coefficients)
    b = np.concatenate([tableau.b, np.zeros(stages - tableau.stages)])
    assert dense.weights(0.0) == (0.0,) * stages
    np.testing.assert_allclose(dense.weights(1.0), b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(coefficients[:, 0], np.eye(stages)[0], rtol=0, atol=1e-12)
    if tableau is EULER:  # a chord
        np.testing.assert_array_equal(coefficients, [[1.0]])
        return
    f1 = tableau.stages - 1 if tableau.fsal else tableau.stages
    np.testing.assert_allclose(coefficients @ powers, np.eye(stages)[f1], rtol=0, atol=1e-11)


def test_a_coefficient_wrong_in_the_ninth_digit_breaks_an_order_condition() -> None:
    a, b = matrix(DOPRI5.a), np.array(DOPRI5.b)
    a[5, 3] *= 1 + 1e-9
    assert max(worst(a, b, order) for order in range(1, 6)) > HOLDS


def test_first_same_as_last_is_read_off_the_coefficients() -> None:
    assert {t.name for t in ALL if t.fsal} == {"bosh3", "dopri5", "tsit5"}
    assert {t.name for t in ALL if t.dense_needs_f1} == set(TABLEAUS) - {"euler", "bosh3", "dopri5", "tsit5"}
    assert FEHLBERG45.dense_starts_with_f1
    assert not RK4.dense_starts_with_f1


def test_all_coefficients_are_python_floats() -> None:
    for tableau in ALL:
        dense = tableau.dense_output()
        rows = (*tableau.a, tableau.b, tableau.c, tableau.b_error or (), *dense.coefficients, *dense.extra_a)
        assert {type(value) for row in rows for value in row} == {float}


def test_a_row_that_does_not_sum_to_its_node_is_refused() -> None:
    with pytest.raises(ValueError, match=r"row 1 of a sums to 0\.5, it must sum to 0\.25"):
        replace(RK4, c=(0.0, 0.25, 0.5, 1.0))


def test_weights_that_do_not_sum_to_one_or_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"b sums to 2\.0"):
        replace(EULER, b=(2.0,))
    with pytest.raises(ValueError, match="b sums to nan"):
        replace(EULER, b=(float("nan"),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"c": (0.0, 0.5)}, "4 rows, 4 weights and 2 nodes"),
        ({"a": ((), (0.5,), (0.0, 0.5, 0.0), (0.0, 0.0, 1.0))}, "Row 2 .* has 3 entries"),
        ({"order": 0}, "claims order 0"),
        ({"b_error": (0.0,), "error_order": 3}, "1 error weights for 4 stages"),
        ({"b_error": (0.0, 0.0, 0.0, 0.1), "error_order": 3}, "b_error sums to 0.1"),
        ({"error_order": 3}, "error order 3"),
        ({"dense": DenseOutput(((1.0,),), order=1)}, "1 rows for 4 stages"),
        ({"dense": DenseOutput(((1.0,), (0.0,), (0.0,), (0.0,)), order=1)}, "must end in b"),
        ({"dense": DenseOutput(((0.5,),) * 5, order=1, extra_a=((1.0,),), extra_c=(1.0,))}, "Extra row 0"),
    ],
)
def test_a_malformed_tableau_is_refused_with_the_reason(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RK4, **changes)  # type: ignore[arg-type]


def test_malformed_dense_output_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="lengths \\[1, 2\\]"):
        DenseOutput(((1.0,), (1.0, 2.0)), order=1)
    with pytest.raises(ValueError, match="0 extra rows but 1 extra nodes"):
        DenseOutput(((1.0,),), order=1, extra_c=(1.0,))
    with pytest.raises(ValueError, match="order is 0"):
        DenseOutput(((1.0,),), order=0)
