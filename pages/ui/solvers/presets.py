"""Cases of the Solvers lesson worth seeing, each a click away."""

from __future__ import annotations

from typing import Any

from node_core.fields.systems.systems import SYSTEMS
from pages.ui.live.controls import Preset


def _case(system: str, **values: Any) -> dict[str, Any]:
    """What a preset sets: the system as at first, and what is given.

    The controls of another system appear anew, and would not write into the address what differs from their default.
    """
    found = SYSTEMS[system]
    own: dict[str, Any] = {f"{system}_{p.name}": p.default for p in found.parameters}
    own |= {f"{system}_{name}0": value for name, value in zip(found.state_names, found.y0, strict=True)}
    return {"system": system, "rtol": 1e-4, "controller": "pi", **own, **values}


PRESETS = {
    "outwards": Preset("Euler gains energy", _case("linear_spiral", methods=["euler", "rk4", "dopri5"])),
    "rejected": Preset("Rejected steps", _case("sudden_bend", methods=["bosh3", "dopri5", "rk4"])),
    "stiff": Preset("A stiff problem", _case("robertson", stiff_methods=["dopri5", "rodas5p"])),
    "chaos": Preset("Chaos", _case("lorenz", methods=["rk4", "dopri5"])),
    "missed": Preset("A blow between two steps", _case("struck_oscillator", methods=["rk4", "dopri5"])),
}
