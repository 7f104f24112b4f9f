"""What the CNF page asks before anybody has touched it: these answers come with the project."""

from __future__ import annotations

from node_core.cnf.painted import TargetConfig
from node_core.studies.cnf.cost_config import CNFCostConfig
from node_core.training.flow.config import CNFConfig

_FIRST = CNFConfig(TargetConfig("two_moons"), start="two_moons")

QUESTIONS = {
    "two_moons": ("node_core.training.flow.train:advance", _FIRST),
    "cost": ("node_core.studies.cnf.cost:run", CNFCostConfig()),
}
