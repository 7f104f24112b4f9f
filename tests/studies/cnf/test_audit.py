"""The audit of a flow: its numbers against closed forms, and against what a trained flow must keep."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from node_core.cnf.painted import TargetConfig
from node_core.studies.cnf.audit import run
from node_core.studies.cnf.audit_config import CNFAuditConfig
from node_core.training.flow.checkpoint import load_flow
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import initial_state

TRAINED = CNFConfig(TargetConfig("two_moons"), start="two_moons")


def test_a_trained_density_sums_to_one_and_points_find_back_at_a_tight_tolerance() -> None:
    result = run(CNFAuditConfig(TRAINED, samples=200))
    own, tight = result.checks
    assert abs(tight.integral - 1) < 1e-3
    assert tight.round_trip[-1] < 1e-2
    assert tight.nfe > own.nfe > 0
    assert np.median(own.round_trip) > 10 * np.median(tight.round_trip)
    assert result.best is not None
    assert abs(result.best - result.likelihood) < 0.15


def test_hutchinsons_mean_lies_within_its_own_error_of_the_exact_trace() -> None:
    band = run(CNFAuditConfig(TRAINED, samples=10, cells=16, draws=256)).band
    assert band is not None
    assert band.exact[0] == pytest.approx(band.mean[0])
    assert np.all(np.abs(band.mean - band.exact)[1:] < 3.5 * band.error[1:])
    assert band.error[-1] > 1e-3  # an estimate that does not scatter would be no estimate


def test_a_flow_at_rest_keeps_the_gaussian() -> None:
    config = CNFConfig(TargetConfig("two_moons"))
    state = initial_state(config)
    still = replace(state, parameters=np.zeros_like(state.parameters))
    result = run(CNFAuditConfig(config, samples=50, cells=64), pickle.dumps(still))
    assert result.checks[0].integral == pytest.approx(1, abs=1e-6)
    assert result.checks[0].round_trip[-1] == 0
    assert result.band is not None
    assert np.ptp(result.band.exact) == 0
    assert np.ptp(result.band.estimates) == 0


def test_a_discrete_flow_is_audited_without_a_band() -> None:
    config = CNFConfig(TargetConfig("blobs"), "planar", depth=4)
    result = run(CNFAuditConfig(config, samples=100, cells=128))
    assert result.band is None
    assert len(result.checks) == 1
    assert result.checks[0].nfe == 0
    assert result.checks[0].round_trip[-1] < 1e-4


def test_a_state_of_another_flow_is_refused() -> None:
    config, state = load_flow("two_moons")
    other = replace(config, start="", hidden=(8, 8))
    with pytest.raises(ValueError, match="look again"):
        run(CNFAuditConfig(other, samples=10, cells=16), pickle.dumps(state))


@pytest.mark.parametrize(("name", "value"), [("cells", 8), ("samples", 0), ("draws", 1), ("times", 1000)])
def test_an_audit_out_of_range_is_told_in_a_sentence(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"{name} = {value}: choose"):
        CNFAuditConfig(**{name: value})  # type: ignore[arg-type]
