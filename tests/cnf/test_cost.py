"""The cost study: what it returns is consistent, and its mistakes are sentences. No timing is judged."""

import pickle
import time

import numpy as np
import pytest
import torch

from node_core.studies.cnf.cost import _measure, run
from node_core.studies.cnf.cost_config import WAYS, CNFCostConfig


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


def test_time_is_the_least_of_the_processor_s_after_a_round_to_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    costs = iter([0.1] * 4 + [7.0, 1.0, 2.0, 4.0] + [1.0, 3.0, 2.0, 1.0] + [5.0, 2.0, 1.0, 6.0])
    now = 0.0

    def call() -> torch.Tensor:
        nonlocal now
        now += next(costs)
        return torch.zeros(())

    monkeypatch.setattr(time, "process_time", lambda: now)
    found = _measure(dict.fromkeys(WAYS, call), 3)
    assert list(found.values()) == [1.0, 1.0, 1.0, 1.0]
