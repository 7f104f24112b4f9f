"""The true gradient of a task, and its way back: in closed form where there is one, else a tight discrete gradient."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from node_core.studies.gradients.config import Floats, Task, Truth
from node_core.studies.gradients.task import gradient, module_of

TOLERANCE = 1e-12
METHOD = "dopri8"
# so many points at least are drawn: steps that suffice for 1e-12 are too long to draw chords between
POINTS = 200
SHOWN = 4


@lru_cache(maxsize=64)
def truth(task: Task) -> Truth:
    """The gradient to compare with.

    Raises:
        SolveError: the tight solve could not go on.
    """
    return _linear(task) if task.field == "linear" else _tight(task)


def shown_of(task: Task, true: Truth) -> tuple[NDArray[np.int_], tuple[str, ...]]:
    """Which entries of theta are drawn, and their names: all of a few, the largest gradients of many."""
    if task.spec.theta:
        return np.arange(len(task.spec.theta)), task.spec.theta
    largest = np.sort(np.argsort(-np.abs(true.theta[-1]))[:SHOWN])
    labels = []
    for name, values in module_of(task).named_parameters():
        kind, layer = name.split("_")
        for index in np.ndindex(tuple(values.shape)):
            inside = ",".join(str(i + 1) for i in index)
            labels.append(f"{'W' if kind == 'weight' else 'b'}{layer}[{inside}]")
    return largest, tuple(labels[i] for i in largest)


def _linear(task: Task) -> Truth:
    """The closed form of the linear field, whose plane is that of the complex numbers.

    A z is lambda z with lambda = -delta + i omega, and A^T a is conj(lambda) a. So with g_i = z(t_i) - z*

        z(t) = exp(lambda t) z(0),     a(t) = sum over t_i > t of exp(conj(lambda) (t_i - t)) g_i,

    and dL/dA so far, the integral of a z^T from t on, is made of those of a z and a conj(z):

        int a z = exp(conj(lambda) t_i) g_i z(0) int exp(2 i omega s) ds,     int a conj(z) = (t_i - t) ....
    """
    values, times = task.values, np.array(task.observations)
    start, target = complex(*task.spec.y0), complex(*task.spec.target)
    rate = complex(-values["delta"], values["omega"])
    misses = start * np.exp(rate * times) - target

    t, known = _rows(times)
    z = start * np.exp(rate * t)
    left = np.where(known, times - t[:, None], 0.0)
    turn = values["omega"]
    a = np.where(known, np.exp(rate.conjugate() * left) * misses, 0.0).sum(axis=1)
    weight = np.exp(rate.conjugate() * times) * misses * left
    middle = np.exp(1j * turn * (times + t[:, None])) * np.sinc(turn * left / np.pi)
    with_z = (weight * start * middle).sum(axis=1)
    with_conjugate = (weight * np.conj(start)).sum(axis=1)
    plus, minus = 0.5 * (with_conjugate + with_z), 0.5 * (with_conjugate - with_z)
    theta = np.stack([plus.real, -minus.imag, plus.imag, minus.real], axis=1)
    return _truth(t, _plane(z), _plane(a), theta, float(0.5 * (np.abs(misses) ** 2).sum()), "closed form")


def _truth(t: Floats, z: Floats, a: Floats, theta: Floats, loss: float, name: str) -> Truth:
    norm = np.asarray(np.linalg.norm(theta, axis=1))
    return Truth(t, z, a, theta, norm, np.concatenate([a[-1], theta[-1]]), loss, name)


def _rows(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Falling times, each observation twice, and which observations a row knows, (k, observations)."""
    t, known = [times[-1:]], [np.zeros((1, times.size), dtype=bool)]
    for i in range(times.size - 1, -1, -1):
        earlier = times[i - 1] if i else 0.0
        segment = np.linspace(times[i], earlier, max(2, round(POINTS * (times[i] - earlier) / times[-1])))
        t.append(segment)
        known.append(np.tile(np.arange(times.size) >= i, (segment.size, 1)))
    return np.concatenate(t), np.concatenate(known)


def _plane(values: np.ndarray) -> np.ndarray:
    return np.stack([values.real, values.imag], axis=1)


def _tight(task: Task) -> Truth:
    """The discrete gradient of dopri8 at 1e-12, with a step that ends at every observation: there a jumps."""
    found = gradient(
        task,
        "checkpointed",
        TOLERANCE,
        METHOD,
        record=True,
        max_step=task.horizon / POINTS,
        jumps=task.observations,
    )
    record = found.solution.adjoint
    return _truth(
        record.t,
        np.asarray(record.z, dtype=float),
        np.asarray(record.a, dtype=float),
        np.asarray(record.parameter_gradient, dtype=float),
        found.loss,
        f"{METHOD} at {TOLERANCE:g}",
    )
