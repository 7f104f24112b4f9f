"""What stiffness costs an explicit and an implicit method, asked and answered. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number, check_whole

MUS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
STIFF_METHODS = ("dopri5", "rodas5p")


@dataclass(frozen=True)
class StiffConfig:
    """An explicit and an implicit method on van der Pol's oscillator, and on a net that has learned it.

    Args:
        mus: mu of each, increasing, 1 to 1000.
        rtol: relative and absolute tolerance, 1e-8 to 0.1.
        span: time that is solved, in units of mu, 0 to 10; one turn takes about 1.6 for large mu.
        iterations: of the net's training on derivatives, 1 to 5000.
        hidden: width of the net, 1 to 128.
        max_steps: after so many attempts a solve is given up, 1 to 100,000.
        seed: of weights and samples.

    Raises:
        ValueError: a number out of range, or mus that don't increase.
    """

    mus: tuple[float, ...] = MUS
    rtol: float = 1e-4
    span: float = 2.0
    iterations: int = 400
    hidden: int = 32
    max_steps: int = 30_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.mus or any(later <= earlier for earlier, later in pairwise(self.mus)):
            raise ValueError(f"mus = {self.mus}: give increasing numbers, such as 1, 10, 100.")
        for mu in self.mus:
            check_number("mu", mu, 1.0, 1000.0)
        check_number("rtol", self.rtol, 1e-8, 0.1)
        check_number("span", self.span, 0, 10, above=True)
        check_whole("iterations", self.iterations, 1, 5000)
        check_whole("hidden", self.hidden, 1, 128)
        check_whole("max_steps", self.max_steps, 1, 100_000)


@dataclass(frozen=True)
class StiffSolve:
    """One method on one field.

    Attributes:
        field: "formula" or "net"; method: its name; mu: of the oscillator.
        steps, nfe: attempts and evaluations of f; done: whether it reached the end.
        seconds: processor time.
        h_lambda: step times eigenvalues of df/dy where some of the steps begin, (k, 2) complex.
        fastest: the most negative real part of those eigenvalues, per unit of van der Pol's own time.
    """

    field: str
    method: str
    mu: float
    steps: int
    nfe: int
    done: bool
    seconds: float
    h_lambda: NDArray[np.complex128]
    fastest: float


@dataclass(frozen=True)
class StiffResult:
    """All solves of a `StiffConfig`; `net_error` is the net's relative error of f."""

    config: StiffConfig
    solves: tuple[StiffSolve, ...]
    net_error: float

    def solve(self, field: str, method: str, mu: float) -> StiffSolve:
        """The one of this field, method and mu."""
        return next(s for s in self.solves if (s.field, s.method, s.mu) == (field, method, mu))
