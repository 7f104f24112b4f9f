"""What the CNF page asks of a flow that stands still for a moment, and the answer, as plain values (no torch)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_whole
from node_core.training.flow.config import CNFConfig

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CNFAuditConfig:
    """How a flow is audited.

    Args:
        run: the flow's training.
        cells: of a side of the grid on which its density is summed, 16 to 256.
        samples: points sent to the noise and back, 1 to 5,000.
        draws: noise vectors of Hutchinson's estimate, 2 to 256.
        times: at which a path is looked at, 5 to 201.

    Raises:
        ValueError: a value out of range.
    """

    run: CNFConfig = field(default_factory=CNFConfig)
    cells: int = 96
    samples: int = 500
    draws: int = 64
    times: int = 41

    def __post_init__(self) -> None:
        check_whole("cells", self.cells, 16, 256)
        check_whole("samples", self.samples, 1, 5000)
        check_whole("draws", self.draws, 2, 256)
        check_whole("times", self.times, 5, 201)


@dataclass(frozen=True, eq=False)
class Band:
    """Log p along one path: exact, and by Hutchinson's estimate.

    Attributes:
        ts: times (times,).
        exact: log p(z(t)) by the exact trace (times,).
        estimates: by one noise vector each (draws, times): unbiased, so their mean lies within its own error.
    """

    ts: Floats
    exact: Floats
    estimates: Floats

    @property
    def mean(self) -> Floats:
        """Mean of the estimates (times,)."""
        return np.asarray(self.estimates.mean(0))

    @property
    def error(self) -> Floats:
        """Standard error of that mean (times,)."""
        return np.asarray(self.estimates.std(0, ddof=1) / np.sqrt(len(self.estimates)))


@dataclass(frozen=True, eq=False)
class Check:
    """How well a flow is solved.

    Attributes:
        label: the solver's settings in words.
        integral: the density summed over a grid half as wide again as the target: 1 if nothing is wrong.
        round_trip: |noise to data of (data to noise of x) - x| of each sample, sorted (samples,).
        nfe: function evaluations from the data to the noise; 0 for a discrete flow.
    """

    label: str
    integral: float
    round_trip: Floats
    nfe: int


@dataclass(frozen=True, eq=False)
class CNFAuditResult:
    """What was found.

    Attributes:
        iteration: of the training.
        checks: at the run's own tolerance and, for a continuous flow, at a tight one.
        likelihood: mean log q of the samples (nats).
        best: the target's own (minus its entropy), or None where that is not known.
        band: of a continuous flow.
    """

    config: CNFAuditConfig
    iteration: int
    checks: tuple[Check, ...]
    likelihood: float
    best: float | None
    band: Band | None
