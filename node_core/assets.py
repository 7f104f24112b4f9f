"""Where the files lie that come with the project: one room a lesson, and one for what lessons share."""

from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_INSTALLED = _ROOT / "neural_ode_lab" / "assets"
ASSETS = _INSTALLED if _INSTALLED.exists() else _ROOT / "assets"
