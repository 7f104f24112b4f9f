"""The explicit methods' coefficients: fractions where the source has them, else every published digit.

HNW is Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, 2nd ed., Springer 1993.
"""

from __future__ import annotations

from node_core.solvers.tableaus.tableau import ButcherTableau, DenseOutput
from node_core.solvers.tableaus.tableau_dopri8 import DOPRI8


def _difference(b: tuple[float, ...], b_hat: tuple[float, ...]) -> tuple[float, ...]:
    """Weights of the error estimate, b - b_hat."""
    return tuple(high - low for high, low in zip(b, b_hat, strict=True))


EULER = ButcherTableau(
    name="euler",
    a=((),),
    b=(1.0,),
    c=(0.0,),
    order=1,
    dense=DenseOutput(
        ((1.0,),), order=1
    ),  # a step of Euler's is a straight line, and no bow with f(t + dt, y1)
    source="Euler 1768; HNW I, I.7",
)

MIDPOINT = ButcherTableau(
    name="midpoint",
    a=((), (1 / 2,)),
    b=(0.0, 1.0),
    c=(0.0, 1 / 2),
    order=2,
    source="Runge 1895; HNW I, II.1",
)

HEUN = ButcherTableau(
    name="heun",
    a=((), (1.0,)),
    b=(1 / 2, 1 / 2),
    c=(0.0, 1.0),
    order=2,
    source="Explicit trapezoidal rule, also called Heun's method; Butcher 2016, section 232",
)

RALSTON = ButcherTableau(
    name="ralston",
    a=((), (2 / 3,)),
    b=(1 / 4, 3 / 4),
    c=(0.0, 2 / 3),
    order=2,
    source="Ralston, Math. Comp. 16 (1962): smallest bound of the local error with two stages",
)

RK4 = ButcherTableau(
    name="rk4",
    a=((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)),
    b=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
    c=(0.0, 1 / 2, 1 / 2, 1.0),
    order=4,
    source="Kutta 1901, 'the' Runge-Kutta method; HNW I, table II.1.2",
)

RK4_38 = ButcherTableau(
    name="rk4_38",
    a=((), (1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)),
    b=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
    c=(0.0, 1 / 3, 2 / 3, 1.0),
    order=4,
    source="Kutta 1901, the 3/8 rule; HNW I, table II.1.2",
)

_BOSH3_B = (2 / 9, 1 / 3, 4 / 9, 0.0)
BOSH3 = ButcherTableau(
    name="bosh3",
    a=((), (1 / 2,), (0.0, 3 / 4), _BOSH3_B[:-1]),
    b=_BOSH3_B,
    c=(0.0, 1 / 2, 3 / 4, 1.0),
    order=3,
    b_error=_difference(_BOSH3_B, (7 / 24, 1 / 4, 1 / 3, 1 / 8)),
    error_order=2,
    source="Bogacki, Shampine, Appl. Math. Lett. 2 (1989)",
)

_FEHLBERG_B = (16 / 135, 0.0, 6656 / 12825, 28561 / 56430, -9 / 50, 2 / 55)
# Derived here: with f(t + dt, y1) as seventh stage the order-four conditions have quartic solutions that are
# continuous with their derivative; this is the one with the smallest coefficients (Euclidean norm).
_FEHLBERG_DENSE = DenseOutput(
    coefficients=(
        (1.0, -2.4798843209467707, 2.4338427159676153, -0.8354398765023261),
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 4.723525031398173, -7.371104643693032, 3.1665659670706874),
        (0.0, -3.715442489058748, 9.455410939485562, -5.233836960084798),
        (0.0, 1.3448328891832517, -3.409665778366503, 1.8848328891832518),
        (0.0, -1.373031110575906, 2.8915167666063573, -1.482122019666815),
        (0.0, 1.5, -4.0, 2.5),
    ),
    order=4,
    extra_a=(_FEHLBERG_B,),
    extra_c=(1.0,),
)
FEHLBERG45 = ButcherTableau(
    name="fehlberg45",
    a=(
        (),
        (1 / 4,),
        (3 / 32, 9 / 32),
        (1932 / 2197, -7200 / 2197, 7296 / 2197),
        (439 / 216, -8.0, 3680 / 513, -845 / 4104),
        (-8 / 27, 2.0, -3544 / 2565, 1859 / 4104, -11 / 40),
    ),
    b=_FEHLBERG_B,
    c=(0.0, 1 / 4, 3 / 8, 12 / 13, 1.0, 1 / 2),
    order=5,
    b_error=_difference(_FEHLBERG_B, (25 / 216, 0.0, 1408 / 2565, 2197 / 4104, -1 / 5, 0.0)),
    error_order=4,
    dense=_FEHLBERG_DENSE,
    source="Fehlberg, NASA TR R-315 (1969); y1 of order five, as in Shampine and Watts' RKF45",
)

_DOPRI5_B = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0)
_DOPRI5_DENSE = DenseOutput(
    coefficients=(
        (1.0, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432),
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799),
        (0.0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072),
        (0.0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632),
        (0.0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844),
        (0.0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423),
    ),
    order=4,
)
DOPRI5 = ButcherTableau(
    name="dopri5",
    a=(
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        _DOPRI5_B[:-1],
    ),
    b=_DOPRI5_B,
    c=(0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    order=5,
    b_error=_difference(
        _DOPRI5_B, (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
    ),
    error_order=4,
    dense=_DOPRI5_DENSE,
    source="Dormand, Prince, J. Comput. Appl. Math. 6 (1980); dense output: Shampine, Math. Comp. 46 (1986)",
)


def _tsit5_dense() -> DenseOutput:
    """Tsitouras' interpolant, published as products: theta^2 (or theta) times a constant times quadratics."""
    # b_1 = p theta (theta - q)(theta^2 - r theta + s)
    p, q, r, s = -1.0530884977290216, 1.3299890189751412, 1.4364028541716351, 0.7139816917074209
    first = (-p * q * s, p * (s + q * r), -p * (r + q), p)
    # b_i = p theta^2 (theta^2 - r theta + s), i = 2 ... 7
    quadratics = (
        (0.1017, 2.1966568338249754, 1.2949852507374631),
        (2.490627285651252793, 2.38535645472061657, 1.57803468208092486),
        (
            -16.54810288924490272,
            1.21712927295533244 + 0.61620406037800089,
            1.21712927295533244 * 0.61620406037800089,
        ),
        (
            47.37952196281928122,
            1.203071208372362603 + 0.658047292653547382,
            1.203071208372362603 * 0.658047292653547382,
        ),
        (-34.87065786149660974, 6 / 5 + 2 / 3, 6 / 5 * 2 / 3),
        (5 / 2, 1 + 3 / 5, 3 / 5),
    )
    rest = tuple((0.0, p * s, -p * r, p) for p, r, s in quadratics)
    return DenseOutput(coefficients=(first, *rest), order=4)


_TSIT5_B = (
    0.09646076681806523,
    0.01,
    0.4798896504144996,
    1.379008574103742,
    -3.290069515436081,
    2.324710524099774,
    0.0,
)
TSIT5 = ButcherTableau(
    name="tsit5",
    a=(
        (),
        (0.161,),
        (-0.008480655492356989, 0.335480655492357),
        (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
        (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
        (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
        _TSIT5_B[:-1],
    ),
    b=_TSIT5_B,
    c=(0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0),
    order=5,
    b_error=(
        0.00178001105222577714,
        0.0008164344596567469,
        -0.007880878010261995,
        0.1447110071732629,
        -0.5823571654525552,
        0.45808210592918697,
        -1 / 66,
    ),
    error_order=4,
    dense=_tsit5_dense(),
    source="Tsitouras, Comput. Math. Appl. 62 (2011)",
)

TABLEAUS: dict[str, ButcherTableau] = {
    tableau.name: tableau
    for tableau in (
        EULER,
        MIDPOINT,
        HEUN,
        RALSTON,
        RK4,
        RK4_38,
        BOSH3,
        FEHLBERG45,
        DOPRI5,
        TSIT5,
        DOPRI8,
    )
}
