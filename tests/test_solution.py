"""What a solve returns: logs that add up, statuses, errors that travel between processes."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch

from node_core import odeint
from node_core.solution import SolveError, Status, StepLog
from tests.solvers.problems import rotation, vector

LOG = StepLog.from_rows([(0.0, 0.5, 0.1, True, 0), (0.0, 1.0, 3.0, False, 1), (0.0, 0.2, 0.9, True, 1)])


def test_a_log_counts_its_attempts() -> None:
    assert len(LOG) == 3
    assert (LOG.n_accepted, LOG.n_rejected) == (2, 1)
    assert LOG.accepted.dtype == np.bool_


def test_a_log_gives_the_attempts_of_one_sample() -> None:
    one = LOG.of(1)
    assert one.dt.tolist() == [1.0, 0.2]
    assert one.accepted.tolist() == [False, True]
    assert len(LOG.of(7)) == 0


def test_a_log_without_samples_belongs_to_sample_zero() -> None:
    log = StepLog.from_rows([(0.0, 0.5, math.nan, True)])
    assert log.sample.tolist() == [0]
    assert math.isnan(log.error_ratio[0])


def test_an_empty_log_is_a_log() -> None:
    log = StepLog.from_rows([])
    assert len(log) == log.n_accepted == log.n_rejected == 0


def test_only_success_and_event_are_fine() -> None:
    assert {status for status in Status if status.ok} == {Status.SUCCESS, Status.EVENT}


def test_a_status_reads_as_its_word() -> None:
    assert f"{Status.MAX_STEPS}" == "max_steps"
    assert Status("event") is Status.EVENT


def test_an_error_pickles_with_its_sentence() -> None:
    with pytest.raises(SolveError) as caught:
        odeint(rotation, vector(1.0, 0.0), [0.0, 50.0], max_steps=3)
    assert caught.value.solution is not None
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, SolveError)
    assert str(copy) == str(caught.value)


def test_logs_and_stats_pickle() -> None:
    solution = odeint(rotation, vector(1.0, 0.0), [0.0, 1.0])
    steps, stats = pickle.loads(pickle.dumps((solution.steps, solution.stats)))
    np.testing.assert_array_equal(steps.dt, solution.steps.dt)
    assert stats == solution.stats


def test_nothing_of_a_backward_pass_is_there_before_it() -> None:
    solution = odeint(rotation, vector(1.0, 0.0).requires_grad_(), [0.0, 1.0], record_adjoint=True)
    for name in ("backward_steps", "backward_stats", "adjoint"):
        with pytest.raises(ValueError, match=r"call \.backward\(\)"):
            getattr(solution, name)
    solution.ys.sum().backward()
    assert solution.backward_stats.nfe > 0
    assert (solution.backward_steps.dt < 0).all()
    assert solution.adjoint.a.shape[1:] == (2,)


def test_outputs_are_tensors_of_the_states_type_and_times_of_their_own() -> None:
    solution = odeint(rotation, torch.tensor([1.0, 0.0]), [0, 1, 2])
    assert solution.ys.dtype == torch.float32
    assert solution.ts.dtype == torch.float64
    assert solution.ys.shape == (3, 2)
    assert solution.status is Status.SUCCESS
    assert solution.message == "reached the end of the time span"
    assert solution.stats.wall_time > 0
