"""What the Solvers page asks before anybody has touched it: these answers come with the project."""

from __future__ import annotations

from node_core.fields.systems.systems import SYSTEMS
from node_core.studies.solvers.energy_config import USUAL_EVALUATIONS, EnergyConfig, energy_question
from node_core.studies.solvers.race_config import Problem, RaceConfig

FIRST_SYSTEM = "linear_spiral"
FIRST_METHODS = ("euler", "rk4", "dopri5")


def first_race() -> RaceConfig:
    """The first system from its usual start, with its usual step."""
    system = SYSTEMS[FIRST_SYSTEM]
    parameters = tuple((p.name, p.default) for p in system.parameters)
    problem = Problem(FIRST_SYSTEM, system.y0, system.t_span, parameters, atol_ratio=system.atol_ratio)
    return RaceConfig(problem, FIRST_METHODS, system.dt or (system.t_span[1] - system.t_span[0]) / 200)


def first_energy(key: str = "harmonic_oscillator") -> EnergyConfig:
    """A system from its usual start; the oscillator is asked for, too, where a system keeps no energy."""
    system = SYSTEMS[key]
    parameters = tuple((p.name, p.default) for p in system.parameters)
    problem = Problem(key, system.y0, system.t_span, parameters, atol_ratio=system.atol_ratio)
    return energy_question(problem, USUAL_EVALUATIONS, RaceConfig.rtol)


QUESTIONS = {
    "race": ("node_core.studies.solvers.race:run", first_race()),
    "energy": ("node_core.studies.solvers.energy:run", first_energy()),
    "energy_pendulum": ("node_core.studies.solvers.energy:run", first_energy("pendulum")),
}
