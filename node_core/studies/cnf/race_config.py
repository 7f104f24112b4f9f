"""Planar flows against continuous ones, computed once: what the file in assets/cnf says (no torch).

`python -m node_core.studies.cnf.make_race` makes the file; `load_race` reads it.
"""

from __future__ import annotations

import base64
import functools
import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from node_core.assets import ASSETS

FILE = ASSETS / "cnf" / "race.json"
SIZES = (2, 8, 32)
CELLS = 56
RACE_TARGET = "energy_1"
LEARNED = ("two_circles", "two_moons")
TIMES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Runner:
    """One flow of the race.

    Attributes:
        flow: "planar" or "cnf".
        size: layers K or hidden units M.
        parameters: trainable numbers.
        seconds: of training, on the machine that made the file.
        iteration, loss: the curve (k,): KL(q || p) in nats, means over stretches of the training.
        kl: KL(q || p) at the end, on samples of its own (nats).
        picture: the density (CELLS, CELLS) u1 over its own maximum, row 0 at the bottom.
    """

    flow: Literal["planar", "cnf"]
    size: int
    parameters: int
    seconds: float
    iteration: NDArray[np.float64]
    loss: NDArray[np.float64]
    kl: float
    picture: Picture


@dataclass(frozen=True, eq=False)
class Learned:
    """A density learned from samples by a CNF and by a planar flow (Chen et al. 2018, Fig. 5).

    Attributes:
        target: its name.
        truth: its own density (CELLS, CELLS) u1.
        movie: the CNF's densities at `TIMES`.
        planar: the planar flow's density.
        gaps: mean -log q less the target's entropy (nats): of the CNF and of the planar flow.
    """

    target: str
    truth: Picture
    movie: tuple[Picture, ...]
    planar: Picture
    gaps: tuple[float, float]


@dataclass(frozen=True, eq=False)
class CNFRace:
    """The file's content; `iterations` is how long each runner trained, `extent` half the pictures' side."""

    target: str
    truth: Picture
    iterations: int
    extent: float
    runners: tuple[Runner, ...]
    learned: tuple[Learned, ...]


@functools.lru_cache(maxsize=1)
def load_race() -> CNFRace:
    """Read the file.

    Raises:
        ValueError: it is missing or damaged; the sentence says how to make it.
    """
    try:
        return from_text(FILE.read_text(encoding="utf-8"))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The precomputed race can't be read ({error}): run `python -m node_core.studies.cnf.make_race`."
        ) from error


def from_text(text: str) -> CNFRace:
    """What `to_text` wrote."""
    found = json.loads(text)
    runners = tuple(
        Runner(
            r["flow"],
            r["size"],
            r["parameters"],
            r["seconds"],
            np.array(r["iteration"], dtype=float),
            np.array(r["loss"], dtype=float),
            r["kl"],
            _picture(r["picture"]),
        )
        for r in found["runners"]
    )
    learned = tuple(
        Learned(
            entry["target"],
            _picture(entry["truth"]),
            tuple(map(_picture, entry["movie"])),
            _picture(entry["planar"]),
            (entry["gaps"][0], entry["gaps"][1]),
        )
        for entry in found["learned"]
    )
    return CNFRace(
        found["target"],
        _picture(found["truth"]),
        found["iterations"],
        found["extent"],
        runners,
        learned,
    )


def to_text(race: CNFRace) -> str:
    """The race as JSON, pictures in base64."""
    runners = [
        {
            "flow": r.flow,
            "size": r.size,
            "parameters": r.parameters,
            "seconds": round(r.seconds, 1),
            "iteration": r.iteration.tolist(),
            "loss": [round(value, 4) for value in r.loss.tolist()],
            "kl": round(r.kl, 4),
            "picture": _letters(r.picture),
        }
        for r in race.runners
    ]
    learned = [
        {
            "target": entry.target,
            "truth": _letters(entry.truth),
            "movie": [_letters(picture) for picture in entry.movie],
            "planar": _letters(entry.planar),
            "gaps": [round(gap, 4) for gap in entry.gaps],
        }
        for entry in race.learned
    ]
    whole: dict[str, Any] = {
        "target": race.target,
        "truth": _letters(race.truth),
        "iterations": race.iterations,
        "extent": race.extent,
        "runners": runners,
        "learned": learned,
    }
    return json.dumps(whole, separators=(",", ":")) + "\n"


def _letters(picture: Picture) -> str:
    return base64.b64encode(picture.tobytes()).decode()


def _picture(letters: str) -> Picture:
    return np.frombuffer(base64.b64decode(letters), np.uint8).reshape(CELLS, CELLS)
