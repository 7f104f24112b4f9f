"""The rates of a field near a state: eigenvalues of df/dy by differences of f, and how far a method damps them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from node_core.solvers.diagnosis.scene import Floats, Scene
from node_core.solvers.methods import Method
from node_core.solvers.stability import stability_polynomial

Complexes = NDArray[np.complex128]

WHOLE = 16  # entries: up to here the whole matrix is made
KRYLOV = 20  # products df/dy v otherwise: enough for the rates farthest out, which is what limits a step
GROWTH = (
    1.05  # a factor a step that is no longer damping; |R| = 1 itself lies along the imaginary axis for many
)
RADII = np.linspace(0.0, 30.0, 3001)[1:]


def rates(scene: Scene) -> Complexes | None:
    """Eigenvalues lambda of df/dy where the solve stands: all of a small state, those farthest out of a large one.

    Backward in time their sign is turned, so that h lambda, h > 0, is what the method sees.

    By Arnoldi's iteration, a power iteration that keeps what it has seen (Saad 2011, "Numerical Methods for Large
    Eigenvalue Problems", 6.2), on central differences of f: two evaluations a product, whatever f is made of. None
    where f has no finite value so near.
    """
    n = scene.y.size
    matrix = _whole(scene) if n <= WHOLE else _krylov(scene)
    if not np.isfinite(matrix).all():
        return None
    return np.asarray(scene.direction * np.linalg.eigvals(matrix), dtype=np.complex128)


def _product(scene: Scene) -> Callable[[Floats], Floats]:
    """(df/dy) v in coordinates that are scaled by the sizes of the components: the same eigenvalues."""
    sizes, shift = scene.sizes, scene.ask.epsilon ** (1 / 3)

    def product(v: Floats) -> Floats:
        delta = shift / float(np.abs(v).max())
        step = delta * sizes * v
        with np.errstate(all="ignore"):
            found: Floats = (scene.ask(scene.t, scene.y + step) - scene.ask(scene.t, scene.y - step)) / (
                2 * delta * sizes
            )
        return found

    return product


def _whole(scene: Scene) -> Floats:
    product = _product(scene)
    return np.stack([product(v) for v in np.eye(scene.y.size)], axis=1)


def _krylov(scene: Scene) -> Floats:
    """The matrix as it acts on the space of the first products."""
    product, n = _product(scene), scene.y.size
    basis, matrix = np.zeros((KRYLOV + 1, n)), np.zeros((KRYLOV + 1, KRYLOV))
    first = np.random.default_rng(0).standard_normal(n)
    basis[0] = first / np.linalg.norm(first)
    for j in range(KRYLOV):
        w = product(basis[j])
        if not np.isfinite(w).all():
            return np.full((1, 1), np.nan)
        before = float(np.linalg.norm(w))
        for _ in range(2):  # twice is enough
            part = basis[: j + 1] @ w
            matrix[: j + 1, j] += part
            w = w - part @ basis[: j + 1]
        matrix[j + 1, j] = np.linalg.norm(w)
        if matrix[j + 1, j] <= 1e-8 * before or before == 0.0:
            return matrix[: j + 1, : j + 1]
        basis[j + 1] = w / matrix[j + 1, j]
    return matrix[:KRYLOV]


def reach(method: Method, direction: complex) -> float:
    """How far |h lambda| may go in a direction of the complex plane before a step amplifies it; inf if for ever."""
    if method.tableau is not None:
        points = RADII * direction
        outside = np.flatnonzero(
            np.abs(np.polyval(stability_polynomial(method.tableau)[::-1], points)) > GROWTH
        )
        return float(RADII[outside[0]]) if outside.size else np.inf
    # An Adams method varies its order, and with it its region: from -2 (order 1) to -0.2 (order 6) and less.
    return 0.4 if method.name == "scipy_adams" else np.inf
