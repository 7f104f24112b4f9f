"""The weights of a dense output at many points of a step, in one go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node_core.solvers.tableaus.tableau import DenseOutput

FEW = 4  # points up to which plain numbers are faster than arrays


class OutputWeights:
    """b_i(theta) of all stages of a continuous extension, by Horner's rule as in `DenseOutput.weights`."""

    def __init__(self, dense: DenseOutput) -> None:
        self._dense = dense
        # Row k holds the coefficients of theta^(k + 1), the highest power first.
        self._powers = np.array(dense.coefficients).T[::-1].copy()

    def __call__(self, thetas: Sequence[float]) -> NDArray[np.float64]:
        """The weights, shape (thetas, stages)."""
        if len(thetas) <= FEW:
            return np.array([self._dense.weights(theta) for theta in thetas])
        theta = np.asarray(thetas, dtype=np.float64)[:, None]
        found = self._powers[0] * theta
        for coefficients in self._powers[1:]:
            found += coefficients
            found *= theta
        return found
