"""A small race written by hand, so that every number of an info can be asserted."""

import numpy as np
import pytest

from node_core.studies.solvers.race_config import DirectionField, Lane, Problem, RaceConfig, RaceResult


def make_lane(
    method: str = "dopri5", label: str = "Dormand-Prince 5(4)", *, adaptive: bool = True, size: float = 1.0
) -> Lane:
    """A lane of two accepted steps and one rejected attempt (t = 1) on y = (t, 2t) * size."""
    t = np.array([0.0, 1.0, 2.0])
    y = np.stack([t, 2 * t], axis=1) * size
    return Lane(
        method=method,
        label=label,
        adaptive=adaptive,
        curve_t=t,
        curve_y=y,
        step_t=t,
        step_y=y,
        step_error=np.array([0.0, 1e-3, 2e-3]),
        attempt_t=np.array([0.0, 1.0, 1.0]),
        attempt_dt=np.array([1.0, 2.0, 1.0]),
        attempt_ratio=np.array([0.5, 3.0, 0.25]) if adaptive else np.full(3, np.nan),
        attempt_accepted=np.array([True, False, True]),
        rejected_y=np.array([[1.0, 2.0]]) * size,
        exploded_at=None,
        status="done",
        outcome="success",
        nfe=18,
        n_accepted=2,
        n_rejected=1,
        final_error=2e-3,
    )


@pytest.fixture
def result() -> RaceResult:
    problem = Problem("harmonic_oscillator", (0.0, 0.0), (0.0, 2.0), (("omega", 1.0),))
    config = RaceConfig(problem, ("dopri5", "euler"), dt=0.5)
    t = np.array([0.0, 1.0, 2.0])
    return RaceResult(
        config=config,
        state_names=("x", "v"),
        lanes=(make_lane(), make_lane("euler", "Euler", adaptive=False, size=1000.0)),
        reference_t=t,
        reference_y=np.stack([t, 2 * t], axis=1),
        reference_name="exact solution",
        reference_note="",
        field=DirectionField(np.array([1.0]), np.array([2.0]), np.array([1.0]), np.array([0.0])),
    )
