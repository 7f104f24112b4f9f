"""Neural ordinary differential equations that show their work.

    from node_core import odeint
    sol = odeint(f, y0, ts, method="dopri5")
    sol.steps      # every step that was tried

The public names are loaded on first use (PEP 562): the dashboard's server process imports torch-free corners
of this package, and must not pay seconds and hundreds of megabytes for torch, which only its workers need.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from node_core.cnf.bases import MixtureBase as MixtureBase
    from node_core.cnf.bases import StandardNormal as StandardNormal
    from node_core.cnf.bases import UniformDisc as UniformDisc
    from node_core.cnf.continuous import CNF as CNF
    from node_core.cnf.divergence import Divergence as Divergence
    from node_core.cnf.hypernetwork import HypernetworkField as HypernetworkField
    from node_core.cnf.matching import flow_matching_loss as flow_matching_loss
    from node_core.cnf.matching import reflow_pairs as reflow_pairs
    from node_core.cnf.matching import transport_pairs as transport_pairs
    from node_core.cnf.planar import PlanarFlow as PlanarFlow
    from node_core.cnf.realnvp import RealNVP as RealNVP
    from node_core.cnf.targets import TARGETS as TARGETS
    from node_core.fields.mlp.mlp import MLPField as MLPField
    from node_core.fields.systems.systems import SYSTEMS as SYSTEMS
    from node_core.odeint import odeint as odeint
    from node_core.settings import SolverChoice as SolverChoice
    from node_core.settings import SolverSettings as SolverSettings
    from node_core.solution import Solution as Solution
    from node_core.solution import SolveError as SolveError
    from node_core.solution import SolveStats as SolveStats
    from node_core.solution import Status as Status
    from node_core.solution import StepLog as StepLog

_HOME_OF = {
    "CNF": "node_core.cnf.continuous",
    "Divergence": "node_core.cnf.divergence",
    "HypernetworkField": "node_core.cnf.hypernetwork",
    "MixtureBase": "node_core.cnf.bases",
    "PlanarFlow": "node_core.cnf.planar",
    "RealNVP": "node_core.cnf.realnvp",
    "SolverChoice": "node_core.settings",
    "SolverSettings": "node_core.settings",
    "StandardNormal": "node_core.cnf.bases",
    "TARGETS": "node_core.cnf.targets",
    "UniformDisc": "node_core.cnf.bases",
    "MLPField": "node_core.fields.mlp.mlp",
    "SYSTEMS": "node_core.fields.systems.systems",
    "Solution": "node_core.solution",
    "SolveError": "node_core.solution",
    "SolveStats": "node_core.solution",
    "Status": "node_core.solution",
    "StepLog": "node_core.solution",
    "flow_matching_loss": "node_core.cnf.matching",
    "odeint": "node_core.odeint",
    "reflow_pairs": "node_core.cnf.matching",
    "transport_pairs": "node_core.cnf.matching",
}

__all__ = [
    "CNF",
    "SYSTEMS",
    "TARGETS",
    "Divergence",
    "HypernetworkField",
    "MLPField",
    "MixtureBase",
    "PlanarFlow",
    "RealNVP",
    "Solution",
    "SolveError",
    "SolveStats",
    "SolverChoice",
    "SolverSettings",
    "StandardNormal",
    "Status",
    "StepLog",
    "UniformDisc",
    "flow_matching_loss",
    "odeint",
    "reflow_pairs",
    "transport_pairs",
]


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name when the name is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """This package's own type, because the function `odeint` lives in a module of the same name.

    Importing a submodule binds it as an attribute of its package, so after any `import node_core.odeint`
    the name would mean the module. Here it means the function, whatever was imported first.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME_OF and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
