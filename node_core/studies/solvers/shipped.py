"""What the Solvers page asks before anybody has touched it: these answers come with the project."""

from __future__ import annotations

from node_core.fields.systems.systems import SYSTEMS
from node_core.studies.solvers.race_config import Problem, RaceConfig

FIRST_SYSTEM = "linear_spiral"
FIRST_METHODS = ("euler", "rk4", "dopri5")


def first_race() -> RaceConfig:
    """The first system from its usual start, with its usual step."""
    system = SYSTEMS[FIRST_SYSTEM]
    parameters = tuple((p.name, p.default) for p in system.parameters)
    problem = Problem(FIRST_SYSTEM, system.y0, system.t_span, parameters, atol_ratio=system.atol_ratio)
    return RaceConfig(problem, FIRST_METHODS, system.dt or (system.t_span[1] - system.t_span[0]) / 200)


QUESTIONS = {"race": ("node_core.studies.solvers.race:run", first_race())}
