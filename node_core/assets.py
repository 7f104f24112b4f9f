"""Where the files lie that come with the project: one room a lesson, and one for what lessons share."""

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
