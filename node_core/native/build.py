"""Compile the kernel, where there is a compiler:  python node_core/native/build.py [folder]

Run as a script by the Makefile and the Dockerfile, and by setup.py; it needs nothing but Python. Without a C++ compiler
it says so and that is no failure: the solves run in torch then.

A library's name holds a digest of the source it was made of, so that none that is out of date is ever loaded.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = tuple(HERE / name for name in ("kernel.cpp", "way_back.hpp", "solve.hpp", "net.hpp", "vectors.hpp"))
# No -ffast-math: it would change how the whole process rounds. No -march=native: the folder may travel.
FLAGS = ("-std=gnu++17", "-O3", "-fPIC", "-shared", "-ffp-contract=fast", "-fvisibility=hidden", "-Wno-psabi")
ON_X86 = {"avx2": ("-mavx2", "-mfma"), "baseline": ()}
ELSEWHERE: dict[str, tuple[str, ...]] = {"baseline": ()}


def variants() -> dict[str, tuple[str, ...]]:
    """The instruction sets to compile for on this kind of machine, with their flags."""
    return ON_X86 if platform.machine().lower() in ("x86_64", "amd64") else ELSEWHERE


def library_path(variant: str, folder: Path = HERE) -> Path:
    """Where the library of a variant lies."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for source in SOURCES:
        digest.update(source.read_bytes())
    return folder / f"kernel-{digest.hexdigest()[:12]}-{variant}.so"


def compiler() -> list[str] | None:
    """The command of a C++ compiler; None where there is none."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    return next(([*name.split()] for name in names if shutil.which(name.split()[0])), None)


def build(folder: Path = HERE) -> list[Path]:
    """Compile every variant that is not there yet into the folder; remove those of an older source.

    Raises:
        RuntimeError: there is no compiler, or it failed; what it said is in the message.
    """
    command = compiler()
    if command is None:
        raise RuntimeError("no C++ compiler (c++, g++ or clang++) was found")
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for variant, extra in variants().items():
        path = library_path(variant, folder)
        if not path.exists():
            _compile([*command, *FLAGS, *extra], path)
        made.append(path)
    for old in set(folder.glob("kernel-*.so")) - set(made):
        old.unlink()
    return made


def _compile(command: list[str], path: Path) -> None:
    # Made elsewhere and moved, so that no process loads half of it.
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        made = Path(scratch) / path.name
        found = subprocess.run(
            [*command, str(SOURCES[0]), "-o", str(made)], capture_output=True, text=True, check=False
        )
        if found.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{found.stderr[-2000:]}")
        os.replace(made, path)


def main(arguments: Sequence[str]) -> None:
    """Build into the folder named, or beside the source."""
    try:
        for path in build(Path(arguments[0]) if arguments else HERE):
            print(f"compiled solves: {path.name}")
    except RuntimeError as error:
        print(f"solves run in torch, without the compiled kernel: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
