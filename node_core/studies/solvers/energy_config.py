"""What becomes of the energy over a thousand periods: the question and its answer. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from node_core.checks import check_number
from node_core.studies.solvers.race_config import Problem

Floats = NDArray[np.float64]

PERIODS = 1000
EVALUATIONS = (24, 36, 48, 60, 84)  # a period; so that rk4 and yoshida4 divide it evenly
USUAL_EVALUATIONS = 60
TIGHTEST, LOOSEST = 1e-8, 1e-2
# evaluations of f in a step; dopri5 chooses its steps
STAGES = {"semi_implicit_euler": 1, "leapfrog": 1, "yoshida4": 3, "rk4": 4}
METHODS_COMPARED = ("rk4", "dopri5", "semi_implicit_euler", "leapfrog", "yoshida4")


@dataclass(frozen=True)
class EnergyConfig:
    """Methods on one oscillation for `PERIODS` periods, by as many evaluations of f a period each.

    Attributes:
        problem: a system that keeps an energy; its time span does not matter.
        evaluations: of f a period, for the methods of fixed steps.
        rtol: of dopri5, which takes what it needs.

    Raises:
        ValueError: the system keeps no energy, or a number is out of range.
    """

    problem: Problem
    evaluations: int = USUAL_EVALUATIONS
    rtol: float = 1e-4

    def __post_init__(self) -> None:
        refused = why_no_energy(self.problem)
        if refused:
            raise ValueError(refused)
        if self.evaluations not in EVALUATIONS:
            raise ValueError(
                f"evaluations = {self.evaluations!r}: choose one of {', '.join(map(str, EVALUATIONS))} a period."
            )
        check_number("tolerance", self.rtol, TIGHTEST, LOOSEST)


@dataclass(frozen=True)
class EnergyCurve:
    """What one method did to the energy E.

    Attributes:
        dt: its step; nan of dopri5.
        nfe: evaluations of f a period.
        periods, error: the largest |E / E0 - 1| in each of some windows, and where they end, in periods; (n,).
        drift: E / E0 - 1, averaged over the last period that was reached.
        reached: how many periods it went before the state was no number, or it was stopped.
    """

    method: str
    label: str
    dt: float
    nfe: float
    periods: Floats
    error: Floats
    drift: float
    reached: float


@dataclass(frozen=True)
class EnergyResult:
    """The curves of `EnergyConfig`, and the period."""

    config: EnergyConfig
    period: float
    curves: tuple[EnergyCurve, ...]


def energy_question(problem: Problem, evaluations: int, rtol: float) -> EnergyConfig:
    """The question for a problem of the page, whatever its time span, at the tolerance that is nearest to usable."""
    return EnergyConfig(replace(problem, t_span=(0.0, 1.0)), evaluations, min(max(rtol, TIGHTEST), LOOSEST))


def why_no_energy(problem: Problem) -> str:
    """Why the energy of a problem can't be followed, in a sentence; empty where it can."""
    system = problem.resolve()
    if system.energy is None:
        return f"{system.name} keeps no energy that is known here: choose the pendulum or the harmonic oscillator."
    if not problem.separable:
        return f"Friction takes energy from the {system.name.lower()}: set it to 0."
    return ""
