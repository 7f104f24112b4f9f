"""Butcher tableaus as validated data, without any array library.

An explicit Runge-Kutta step from (t, y) with step dt is

    k_i = f(t + c_i dt, y + dt sum_{j<i} a_ij k_j),      y1 = y + dt sum_i b_i k_i,

its error estimate dt sum_i b_error_i k_i with b_error = b - b_hat, and its dense output

    y(t + theta dt) = y + dt sum_i b_i(theta) k_i,       0 <= theta <= 1.

Source: Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I (2nd ed.), II.1, II.4 and II.6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Row = tuple[float, ...]
_TOLERANCE = 1e-12  # rounding of sums of coefficients that are exact, or were computed to 16 digits
_DENSE_TOLERANCE = 1e-11  # interpolants are sums of terms up to 1e3 that cancel


@dataclass(frozen=True)
class DenseOutput:
    """Polynomial weights b_i(theta) of a continuous extension.

    Attributes:
        coefficients: one row a stage; b_i(theta) = sum_k coefficients[i][k] theta^(k + 1). The rows of the
            step's own stages come first, those of the extra stages after them.
        order: uniform order; the local error is O(dt^(order + 1)) for every theta.
        extra_a, extra_c: further stages, evaluated only when somebody asks for a value inside the step. Row j
            has stages + j entries. A first extra stage with row b and c = 1 is f(t + dt, y1), and then a
            known value can stand in for it.
    """

    coefficients: tuple[Row, ...]
    order: int
    extra_a: tuple[Row, ...] = ()
    extra_c: Row = ()

    def __post_init__(self) -> None:
        lengths = {len(row) for row in self.coefficients}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                f"Dense output rows have lengths {sorted(lengths)}: give every stage the same degree."
            )
        if len(self.extra_a) != len(self.extra_c):
            raise ValueError(
                f"Dense output has {len(self.extra_a)} extra rows but {len(self.extra_c)} extra nodes: "
                "give one each."
            )
        if self.order < 1:
            raise ValueError(f"Dense output order is {self.order}: it must be at least 1.")

    @property
    def degree(self) -> int:
        """Degree of the polynomials b_i(theta)."""
        return len(self.coefficients[0])

    def weights(self, theta: float) -> Row:
        """b_i(theta) of all stages, extra ones included, by Horner's rule."""
        found = []
        for row in self.coefficients:
            value = 0.0
            for coefficient in reversed(row):
                value = (value + coefficient) * theta
            found.append(value)
        return tuple(found)


@dataclass(frozen=True)
class ButcherTableau:
    """An explicit Runge-Kutta method.

    Attributes:
        name: the method's name in `odeint`.
        a: strictly lower triangular; row i holds the i entries left of the diagonal, so a[0] is empty.
        b, c: weights of y1 and nodes.
        order: order of y1.
        b_error: b - b_hat, or None for a method without an error estimate.
        error_order: order of the embedded solution b_hat, 0 for none: the error is O(dt^(error_order + 1)).
        dense: the method's own continuous extension; None means cubic Hermite from y0, f0, y1, f1.
        source: book or paper.

    Raises:
        ValueError: if shapes do not match, a row of `a` does not sum to its node, the weights do not sum to
            one, or the dense output does not end in y1.
    """

    name: str
    a: tuple[Row, ...]
    b: Row
    c: Row
    order: int
    b_error: Row | None = None
    error_order: int = 0
    dense: DenseOutput | None = None
    source: str = ""

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_sums()
        if self.dense is not None:
            self._check_dense(self.dense)

    @property
    def stages(self) -> int:
        """Number of stages, the first (f0) included."""
        return len(self.b)

    @property
    def adaptive(self) -> bool:
        """Whether the method estimates its own error."""
        return self.b_error is not None

    @property
    def fsal(self) -> bool:
        """First same as last: the last stage is f(t + dt, y1), the first stage of the next step."""
        return self.c[-1] == 1.0 and self.b[-1] == 0.0 and self.a[-1] == self.b[:-1]

    @property
    def dense_order(self) -> int:
        """Uniform order of the dense output: a cubic through y1 is no better than y1 itself."""
        return min(3, self.order) if self.dense is None else self.dense.order

    @property
    def dense_needs_f1(self) -> bool:
        """Whether dense output needs f(t + dt, y1), which the step's stages lack (the next step's f0)."""
        return not self.fsal and (self.dense is None or self.dense_starts_with_f1)

    @property
    def dense_starts_with_f1(self) -> bool:
        """Whether the first extra stage of `dense` is f(t + dt, y1), for which a known value can stand in."""
        dense = self.dense
        return (
            dense is not None
            and bool(dense.extra_a)
            and dense.extra_c[0] == 1.0
            and dense.extra_a[0] == self.b
        )

    def dense_output(self) -> DenseOutput:
        """The continuous extension as stage weights; where `dense` is None, the cubic Hermite polynomial

        y0 + theta^2 (3 - 2 theta) (y1 - y0) + dt theta (1 - theta)^2 f0 + dt theta^2 (theta - 1) f1.
        """
        if self.dense is not None:
            return self.dense
        rows = [[0.0, 3.0 * weight, -2.0 * weight] for weight in self.b]
        rows[0] = [value + hermite for value, hermite in zip(rows[0], (1.0, -2.0, 1.0), strict=True)]
        if not self.fsal:
            rows.append([0.0, 0.0, 0.0])
        rows[-1] = [value + hermite for value, hermite in zip(rows[-1], (0.0, -1.0, 1.0), strict=True)]
        extra = ((), ()) if self.fsal else ((self.b,), (1.0,))
        return DenseOutput(tuple(tuple(row) for row in rows), self.dense_order, *extra)

    def _check_shapes(self) -> None:
        if not self.b or len(self.a) != len(self.b) or len(self.c) != len(self.b):
            raise ValueError(
                f"Tableau {self.name!r} has {len(self.a)} rows, {len(self.b)} weights and "
                f"{len(self.c)} nodes: give one of each a stage."
            )
        for index, row in enumerate(self.a):
            if len(row) != index:
                raise ValueError(
                    f"Row {index} of tableau {self.name!r} has {len(row)} entries: "
                    f"an explicit method has {index} left of the diagonal."
                )
        if self.order < 1:
            raise ValueError(f"Tableau {self.name!r} claims order {self.order}: it must be at least 1.")
        if self.b_error is not None and len(self.b_error) != len(self.b):
            raise ValueError(
                f"Tableau {self.name!r} has {len(self.b_error)} error weights for {len(self.b)} stages: "
                "give one each."
            )
        if (self.error_order >= 1) != (self.b_error is not None):
            raise ValueError(
                f"Tableau {self.name!r} has error order {self.error_order}: "
                "give a positive one with b_error, and 0 without."
            )

    def _check_sums(self) -> None:
        for index, (row, node) in enumerate(zip(self.a, self.c, strict=True)):
            self._require(f"row {index} of a", row, node)
        self._require("b", self.b, 1.0)
        if self.b_error is not None:
            self._require("b_error", self.b_error, 0.0)

    def _check_dense(self, dense: DenseOutput) -> None:
        if len(dense.coefficients) != self.stages + len(dense.extra_a):
            raise ValueError(
                f"Dense output of {self.name!r} has {len(dense.coefficients)} rows for {self.stages} stages "
                f"and {len(dense.extra_a)} extra ones: give one a stage."
            )
        for index, (row, node) in enumerate(zip(dense.extra_a, dense.extra_c, strict=True)):
            if len(row) != self.stages + index:
                raise ValueError(
                    f"Extra row {index} of {self.name!r} has {len(row)} entries: give {self.stages + index}."
                )
            self._require(f"extra row {index}", row, node)
        end = dense.weights(1.0)
        target = self.b + (0.0,) * len(dense.extra_a)
        if any(
            not abs(value - weight) <= _DENSE_TOLERANCE for value, weight in zip(end, target, strict=True)
        ):
            raise ValueError(
                f"Dense output of {self.name!r} gives {end} at theta = 1: it must end in b = {target}."
            )

    def _require(self, what: str, values: Sequence[float], total: float) -> None:
        """Raise unless the values are finite and sum to `total`."""
        found = math.fsum(values)
        if not abs(found - total) <= _TOLERANCE:
            raise ValueError(f"Tableau {self.name!r}: {what} sums to {found!r}, it must sum to {total!r}.")
