"""What the Control page asks before anybody has touched it: these answers come with the project."""

from __future__ import annotations

from node_core.studies.control.energy_config import EnergyConfig
from node_core.studies.control.gradient_config import GradientConfig
from node_core.studies.control.horizon_config import HorizonConfig
from node_core.studies.control.rivals_config import RivalsConfig
from node_core.studies.control.robustness_config import RobustnessConfig
from node_core.training.control.config import ControlConfig

FIRST = ControlConfig("pendulum", "swing_up", start="pendulum_swing_up", curriculum="fixed")
"""The trained pendulum, as the page shows it first."""

QUESTIONS = {
    "swing_up": ("node_core.training.control.train:advance", FIRST),
    "horizon": ("node_core.studies.control.horizon:run", HorizonConfig()),
    "rivals": ("node_core.studies.control.rivals:run", RivalsConfig(FIRST)),
    "gradient": ("node_core.studies.control.gradient:run", GradientConfig(FIRST)),
    "robustness": ("node_core.studies.control.robustness:run", RobustnessConfig(FIRST)),
    "energy": ("node_core.studies.control.energy:run", EnergyConfig(FIRST)),
}
