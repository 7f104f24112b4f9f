"""The symplectic methods' coefficients: kicks and drifts in turn. What a step does with them: `steppers.symplectic`.

GNI is Hairer, Lubich, Wanner, Geometric Numerical Integration, 2nd ed., Springer 2006.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Splitting:
    """The coefficients of a method: `kicks` d_i and `drifts` c_i, each in sum 1, and its order."""

    name: str
    kicks: tuple[float, ...]
    drifts: tuple[float, ...]
    order: int
    source: str


_CBRT2 = 2.0 ** (1.0 / 3.0)
_OUTER, _INNER = 1.0 / (2.0 - _CBRT2), -_CBRT2 / (2.0 - _CBRT2)  # three leapfrogs, the middle one backward

SPLITTINGS: dict[str, Splitting] = {
    splitting.name: splitting
    for splitting in (
        Splitting("semi_implicit_euler", (1.0,), (1.0,), 1, "de Vogelaere 1956; GNI I.1.2"),
        Splitting("leapfrog", (0.5, 0.5), (1.0, 0.0), 2, "Stoermer 1907, Verlet 1967; GNI I.1.4"),
        Splitting(
            "yoshida4",
            (_OUTER / 2, (_OUTER + _INNER) / 2, (_INNER + _OUTER) / 2, _OUTER / 2),
            (_OUTER, _INNER, _OUTER, 0.0),
            4,
            "Yoshida, Phys. Lett. A 150 (1990); GNI II.4",
        ),
    )
}
