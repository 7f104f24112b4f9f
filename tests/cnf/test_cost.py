"""The cost study: what it returns is consistent, and its mistakes are sentences. No timing is judged."""

import pickle

import numpy as np
import pytest

from node_core.studies.cnf_cost import run
from node_core.studies.cnf_cost_config import WAYS, CNFCostConfig


def test_every_way_is_measured_in_every_dimension_and_the_traces_agree() -> None:
    config = CNFCostConfig(dims=(2, 5, 8), batch=16, width=8, repeats=2)
    result = pickle.loads(pickle.dumps(run(config)))
    assert set(result.seconds) == set(WAYS) == set(result.slopes)
    for values in result.seconds.values():
        assert values.shape == (3,)
        assert (values > 0).all()
    np.testing.assert_array_equal(result.dims, [2, 5, 8])
    assert result.worst < 1e-4


@pytest.mark.parametrize(
    ("dims", "batch"), [((1, 2), 8), ((4, 2), 8), ((2, 2), 8), ((), 8), ((2, 4), 0), ((2, 4), 10**6)]
)
def test_values_out_of_range_are_refused(dims: tuple[int, ...], batch: int) -> None:
    with pytest.raises(ValueError, match=r"choose|order"):
        CNFCostConfig(dims=dims, batch=batch)
