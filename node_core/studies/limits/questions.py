"""What the page of limits asks, each question by the name of what chooses it. Loads no torch."""

from __future__ import annotations

from dataclasses import replace

from node_core.studies.classifier.solver_swap_config import SolverSwapConfig, coarse_training
from node_core.studies.gradients.config import HorizonConfig, Task
from node_core.studies.gradients.fields import FIELDS
from node_core.studies.limits.gaps_config import NOISES, GapsConfig
from node_core.studies.limits.speed_config import SpeedConfig, digits

HORIZON = 10.0
KEPT_MODES = ("interpolated", "checkpointed")
SOLVED_MODES = ("adjoint", "adjoint_seminorm")
"""Modes that go back with the forward states, and modes that solve them again, backward."""

SPEED = {"rings": SpeedConfig(), "digits": digits()}
"""By the task."""

HORIZONS = {
    name: HorizonConfig(
        Task(name, horizon=HORIZON, observations=(HORIZON,)), 1e-3, modes=(*SOLVED_MODES, *KEPT_MODES)
    )
    for name in FIELDS
}
"""By the field."""

SWAPS = {
    "two Euler steps": SolverSwapConfig(),
    "eight Euler steps": SolverSwapConfig(replace(coarse_training(), dt=0.125)),
    "one Runge-Kutta 4 step": SolverSwapConfig(replace(coarse_training(), method="rk4", dt=1.0)),
    "Dormand-Prince at 1e-3": SolverSwapConfig(replace(coarse_training(), method="dopri5")),
}
"""By the solver of the training."""

GAPS = dict(zip(("clean", "noisy"), map(GapsConfig, NOISES), strict=True))
"""By how noisy the observations are."""
