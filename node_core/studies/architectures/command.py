"""The paper's Table 1 from the command line: trained, printed and saved as the page shows it.

    python -m node_core table1 --data digits --seeds 3
    python -m node_core table1 --data FOLDER --kind conv --channels 64 --hidden 300 --epochs 5   # the paper's nets

Every finished run is saved at once: Ctrl-C keeps what is done.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import torch

from node_core.checks import check_whole
from node_core.data.images import ImageData, image_set
from node_core.gradients.names import GRADIENTS
from node_core.studies.architectures.table import row_memory, train_entry
from node_core.studies.architectures.table_config import (
    MODELS,
    TableConfig,
    TableEntry,
    as_csv,
    as_text,
    rows_of,
)
from node_core.training.images.config import ImagesConfig, counts_of, iterations_of
from node_core.training.trainer import DivergedError

INTERRUPTED = 130
FORMATS = (".csv", ".json")
_BAR = 24
_PERIOD = 0.1  # s between two looks of the progress bar


@dataclass
class Progress:
    """A line that is written over and over while a run goes on; nothing where nobody looks at a terminal."""

    out: IO[str]
    clock: Callable[[], float] = time.monotonic
    label: str = ""
    started: float = 0.0
    shown: float = -math.inf

    def begin(self, label: str) -> None:
        """A run begins."""
        self.label, self.started, self.shown = label, self.clock(), -math.inf

    def __call__(self, done: int, total: int) -> None:
        """So many of its iterations are done."""
        now = self.clock()
        if not self.out.isatty() or (now - self.shown < _PERIOD and done < total):
            return
        self.shown = now
        filled = _BAR * done // total
        left = (now - self.started) * (total - done) / done
        bar = "#" * filled + "." * (_BAR - filled)
        self.out.write(f"\r{self.label:<24} [{bar}] {100 * done // total:3d} %, {left:.0f} s left\033[K")
        self.out.flush()

    def end(self, text: str) -> None:
        """What the run came to."""
        before, after = ("\r", "\033[K") if self.out.isatty() else ("", "")
        self.out.write(f"{before}{text}{after}\n")
        self.out.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print and save the table.

    Args:
        arguments: of the command; None for those of this process.

    Returns:
        0; 1 where a training exploded, 130 after Ctrl-C.

    Raises:
        SystemExit: an argument makes no sense; a sentence says which (status 2).
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        config = _config(asked)
        _check_target(asked.save)
        note = image_set(config.train.data).note
        for _, training in config.runs():
            counts_of(training)  # a net that is too large is refused before the first is trained
    except ValueError as error:
        parser.error(str(error))
    torch.set_num_threads(asked.threads or (1 if config.train.kind == "dense" else torch.get_num_threads()))
    print(
        f"{note} Trained on {config.train.device}, {config.train.iterations:,} iterations a run.",
        file=sys.stderr,
    )
    entries: list[TableEntry] = []
    status = 0
    try:
        status = _train_all(config, entries, asked.save, note)
        memory = row_memory(config) if config.memory else {}
    except KeyboardInterrupt:
        print("\nStopped: what was finished is kept.", file=sys.stderr)
        status, memory = INTERRUPTED, {}
    except ValueError as error:  # of the measurement: the table stands without it
        print(f"The memory was not measured: {error}", file=sys.stderr)
        status, memory = 1, {}
    if entries:
        _save(asked.save, config, entries, memory, note)
        print(as_text(rows_of(entries, memory)))
        print(f"Saved to {asked.save}.", file=sys.stderr)
    return status


def _train_all(config: TableConfig, entries: list[TableEntry], target: Path, note: str) -> int:
    """Add the entry of every run as it ends; returns 1 where one exploded."""
    progress, status = Progress(sys.stderr), 0
    for name, training in config.runs():
        label = f"{MODELS[name].label}, seed {training.seed}"
        progress.begin(label)
        try:
            entry = train_entry(training, progress)
        except DivergedError as error:
            progress.end(f"{label}: {error}")
            status = 1
            continue
        entries.append(entry)
        progress.end(f"{label:<24} {100 * entry.error:.2f} % wrong, {entry.seconds:.1f} s")
        _save(target, config, entries, {}, note)
    return status


def _save(
    target: Path, config: TableConfig, entries: Sequence[TableEntry], memory: dict[str, float], note: str
) -> None:
    rows = rows_of(entries, memory)
    if target.suffix == ".csv":
        target.write_text(as_csv(rows), encoding="utf-8")
        return
    train = asdict(config.train) | {"data": note}
    found = {
        "train": train,
        "entries": [asdict(entry) for entry in entries],
        "peak_mib": memory,
        "table": as_text(rows).splitlines(),
    }
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _check_target(target: Path) -> None:
    """Refuse a file that can't be written before minutes of training went into it.

    Raises:
        ValueError: its format is unknown, or its folder is not there.
    """
    if target.suffix not in FORMATS:
        raise ValueError(f"--save {target}: give a name that ends with {' or '.join(FORMATS)}")
    if not target.parent.is_dir() or target.is_dir():
        raise ValueError(f"--save {target}: there is no folder {target.parent}")


def _config(asked: argparse.Namespace) -> TableConfig:
    """What was asked for, checked.

    Raises:
        ValueError: it makes no sense, or the images can't be had.
    """
    digits = asked.data == "digits"
    data = ImageData(
        "digits" if digits else "folder",
        folder="" if digits else asked.data,
        shrink=asked.shrink,
        train=asked.train,
        test=asked.test,
    )
    device = asked.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: there is no GPU that torch can use here, take --device cpu")
    check_whole("--threads", asked.threads, 0, 1024)
    train = ImagesConfig(
        data=data,
        kind=asked.kind,
        hidden=asked.hidden,
        channels=asked.channels,
        seed=asked.seed,
        steps=asked.steps,
        method=asked.method,
        rtol=asked.tolerance,
        atol=asked.tolerance,
        gradient=asked.gradient,
        lr=asked.lr,
        batch=asked.batch,
        device=device,
    )
    train = replace(train, iterations=iterations_of(train, asked.epochs))
    models = tuple(name for words in asked.models for name in words.split(",") if name)
    return TableConfig(train, models, asked.seeds, asked.memory)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m node_core table1",
        usage="python -m node_core table1 [--data digits|FOLDER] [--models ...] [--seeds N] ...  (--help: all of them)",
        description="Train the rows of the paper's Table 1, print the table and save it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    plain = ImagesConfig()
    add = parser.add_argument
    add("--data", default="digits", help="'digits', or a folder with MNIST's files (IDX, plain or gzip)")
    add("--models", nargs="+", default=list(MODELS), metavar="MODEL", help=f"of {', '.join(MODELS)}")
    add("--kind", default=plain.kind, help="of the blocks: 'dense' or 'conv', as in the paper")
    add("--seeds", type=int, default=1, help="runs of every row")
    add("--seed", type=int, default=0, help="the first of them")
    add("--epochs", type=int, default=40, help="passes through the training images")
    add(
        "--hidden",
        type=int,
        default=plain.hidden,
        help="width of the MLP and of dense blocks; the paper's MLP: 300",
    )
    add("--channels", type=int, default=plain.channels, help="of the convolutional nets; the paper's: 64")
    add("--steps", type=int, default=plain.steps, help="of the RK-Net")
    add("--method", default=plain.method, help="of the ODE-Net")
    add("--tolerance", type=float, default=plain.rtol, help="of the ODE-Net, relative and absolute")
    add("--gradient", default=plain.gradient, help=f"of the ODE-Net: {', '.join(GRADIENTS)}")
    add("--batch", type=int, default=plain.batch, help="images an iteration")
    add("--lr", type=float, default=plain.lr, help="Adam's learning rate at the start")
    add("--shrink", type=int, default=1, help="1, 2 or 4: average squares of so many pixels")
    add("--train", type=int, default=0, help="at most so many training images; 0: all")
    add("--test", type=int, default=0, help="at most so many test images; 0: all")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    add("--threads", type=int, default=0, help="of the processor; 0: one for dense nets, else all")
    add("--memory", action="store_true", help="measure the peak memory of a training step too")
    add("--save", type=Path, default=Path("table1.csv"), help="a file, .csv or .json")
    return parser
