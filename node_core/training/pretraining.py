"""How the pre-trained beginnings of the live pages are made: a run trained to its end, its files, the command line.

What is trained, and what is written of it, a lesson's own `make_checkpoints` says.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from node_core.runs.chunk import Trainer, run_to_the_end
from node_core.runs.snapshot import Row, Snapshot


def pretrain(trainer: Trainer[Any], every: int) -> tuple[list[Row], Snapshot]:
    """Train to the end of the run.

    Args:
        trainer: of the run.
        every: iterations between two pictures, which may tell a row of the history more.

    Returns:
        Its history, a row an iteration, and its last picture.
    """
    rows: list[Row] = []
    for snapshot in run_to_the_end(trainer, every):
        rows += snapshot.rows
    return rows, snapshot


def write(folder: Path, name: str, files: Mapping[str, bytes]) -> None:
    """Write the files of one beginning: suffix -> content."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, content in files.items():
        (folder / f"{name}.{suffix}").write_bytes(content)


def main(
    about: str | None,
    known: Iterable[str],
    make: Callable[[str], str],
    arguments: Sequence[str] | None = None,
) -> None:
    """Make the beginnings named on the command line, or all.

    Args:
        about: what the command's help says.
        known: all names.
        make: makes one, and returns a line about it.
        arguments: of the command; None for those of this process.
    """
    known = list(known)
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    names = parser.parse_args(arguments).names or known
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"no run named {unknown[0]!r}: choose from {', '.join(known)}")
    torch.set_num_threads(1)
    for name in names:
        print(make(name), flush=True)
