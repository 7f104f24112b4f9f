"""The weights of a dense output: many points at once give what one after the other gives."""

from __future__ import annotations

import numpy as np
import pytest

from node_core.solvers.steppers.weights import FEW, OutputWeights
from node_core.solvers.tableaus.tableaus import TABLEAUS


@pytest.mark.parametrize("name", list(TABLEAUS))
@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 50])
def test_many_weights_are_those_of_each_point_to_the_last_bit(name: str, count: int) -> None:
    dense = TABLEAUS[name].dense_output()
    thetas = np.random.default_rng(0).random(count).tolist()
    np.testing.assert_array_equal(OutputWeights(dense)(thetas), [dense.weights(theta) for theta in thetas])
