"""Coefficients of the Rosenbrock-Wanner method Rodas5P, as validated data (no torch)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Row = tuple[float, ...]


@dataclass(frozen=True)
class RosenbrockTableau:
    """A stiffly accurate Rosenbrock-Wanner method in the form that needs no product with the Jacobian.

    With W = I / (gamma dt) - J and stages i = 0 .. s - 1 (Hairer and Wanner, Solving ODEs II, IV.7, eq.
    7.25)::

        u_i   = y + sum_j a[i][j] k_j
        W k_i = f(t + nodes[i] dt, u_i) + sum_j (c[i][j] / dt) k_j + dt gamma_sums[i] df/dt
        y1    = u_last + k_last,      error = k_last,

    and dense output, with d_m = sum_j dense[m][j] k_j and theta in [0, 1]::

        y(t + theta dt) = (1 - theta) y + theta (y1 + (1 - theta) (d_0 + theta (d_1 + theta d_2)))

    Attributes:
        a, c: rows i of length i (strictly lower triangular).
        nodes, gamma_sums: (s,) times of the stages, and the row sums that multiply df/dt.
        dense: rows of length s.
        order, error_order, dense_order: of y1, of the embedded solution u_last, of the dense output.

    Raises:
        ValueError: if the rows do not fit each other or contradict stiff accuracy.
    """

    name: str
    order: int
    error_order: int
    dense_order: int
    gamma: float
    a: tuple[Row, ...]
    c: tuple[Row, ...]
    nodes: Row
    gamma_sums: Row
    dense: tuple[Row, ...]
    source: str
    n_stages: int = field(init=False)

    def __post_init__(self) -> None:
        s = len(self.nodes)
        object.__setattr__(self, "n_stages", s)
        if not (len(self.a) == len(self.c) == len(self.gamma_sums) == s):
            raise ValueError(f"{self.name}: a, c and gamma_sums need {s} rows, one for each node.")
        if any(len(row) != i for rows in (self.a, self.c) for i, row in enumerate(rows)):
            raise ValueError(f"{self.name}: row i of a and of c must have i entries.")
        if any(len(row) != s for row in self.dense):
            raise ValueError(f"{self.name}: each row of dense needs {s} entries.")
        if self.a[-1] != (*self.a[-2], 1.0):
            raise ValueError(f"{self.name}: the last stage must start from the embedded solution.")
        nodes, gamma_sums = self._row_sums()
        if not np.allclose(nodes, self.nodes, rtol=0, atol=1e-12):
            raise ValueError(f"{self.name}: nodes {self.nodes} are not the row sums of alpha, {nodes}.")
        if not np.allclose(gamma_sums, self.gamma_sums, rtol=0, atol=1e-12):
            raise ValueError(f"{self.name}: gamma_sums are not the row sums of Gamma, {gamma_sums}.")

    def matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`a` and `c` as (s, s) arrays with zeros above the diagonal."""
        a, c = np.zeros((2, self.n_stages, self.n_stages))
        for i in range(self.n_stages):
            a[i, :i], c[i, :i] = self.a[i], self.c[i]
        return a, c

    def _row_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Row sums of alpha and Gamma: Gamma = (I / gamma - C)^-1 and alpha = A Gamma."""
        a, c = self.matrices()
        gammas = np.linalg.inv(np.eye(self.n_stages) / self.gamma - c)
        return (a @ gammas).sum(1), gammas.sum(1)

    def stability(self, z: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
        """R(z): the factor of one step on y' = lambda y with z = dt lambda, for any array of z."""
        z = np.asarray(z, dtype=np.complex128)
        stages: list[NDArray[np.complex128]] = []
        for row_a, row_c in zip(self.a, self.c, strict=True):
            u = 1.0 + sum((w * k for w, k in zip(row_a, stages, strict=True)), np.zeros_like(z))
            pull = sum((w * k for w, k in zip(row_c, stages, strict=True)), np.zeros_like(z))
            stages.append((z * u + pull) / (1.0 / self.gamma - z))
        return u + stages[-1]


_EMBEDDED = (
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
)

RODAS5P = RosenbrockTableau(
    name="rodas5p",
    order=5,
    error_order=4,
    dense_order=4,
    gamma=0.21193756319429014,
    a=(
        (),
        (3.0,),
        (2.849394379747939, 0.45842242204463923),
        (-6.954028509809101, 2.489845061869568, -10.358996098473584),
        (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
        _EMBEDDED,
        (*_EMBEDDED, 1.0),
        (*_EMBEDDED, 1.0, 1.0),
    ),
    c=(
        (),
        (-14.155112264123755,),
        (-17.97296035885952, -2.859693295451294),
        (147.12150275711716, -1.41221402718213, 71.68940251302358),
        (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
        (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
        (
            30.91273214028599,
            -3.1208243349937974,
            77.79954646070892,
            34.28646028294783,
            -19.097331116725623,
            -28.087943162872662,
        ),
        (
            37.80277123390563,
            -3.2571969029072276,
            112.26918849496327,
            66.9347231244047,
            -40.06618937091002,
            -54.66780262877968,
            -9.48861652309627,
        ),
    ),
    nodes=(
        0.0,
        0.6358126895828704,
        0.4095798393397535,
        0.9769306725060716,
        0.4288403609558664,
        1.0,
        1.0,
        1.0,
    ),
    gamma_sums=(
        0.21193756319429014,
        -0.42387512638858027,
        -0.3384627126235924,
        1.8046452872882734,
        2.325825639765069,
        0.0,
        0.0,
        0.0,
    ),
    dense=(
        (
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            -0.17202221070155493,
        ),
        (
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -6.710236069923372,
        ),
        (
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684282751913,
            4.883087185713722,
        ),
    ),
    source="G. Steinebach, Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks "
    "within the Julia Differential Equations package, BIT Numer. Math. 63:27 (2023)",
)
