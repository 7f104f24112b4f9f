"""What this machine, or the container that it is, has for workers: processors and memory.

A container's share stands in its control group, not in what Python or the kernel says of the machine: a quota of two
processors on a host of 64 leaves 64 in the affinity, and memory past the limit ends the whole container.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
SERVER = 600 * MIB  # the server itself, and the process that holds torch for the workers to be forked from
LEAST = 384 * MIB  # a worker that trains a small net and draws its boundary
MOST = 3 * 1024 * MIB


@dataclass(frozen=True)
class Machine:
    """Processors (at least 1) and bytes of memory that may be used."""

    cores: int
    memory: int


@dataclass(frozen=True)
class Room:
    """How many workers there is room for, and bytes that each may allocate."""

    workers: int
    memory: int


def room_for_workers(machine: Machine) -> Room:
    """A worker a processor, but no more than the memory has room for; at least one."""
    free = machine.memory - SERVER
    workers = max(1, min(machine.cores, free // LEAST))
    return Room(workers, min(MOST, max(LEAST, free // workers)))


def room_for_runs(machine: Machine) -> int:
    """Bytes that the live runs kept in the server may take together: a part of what is the server's."""
    return min(512 * MIB, machine.memory // 10)


def this_machine(root: Path = Path("/")) -> Machine:
    """Read the limits of the control groups, of version 2 and 1, that this process is in.

    Args:
        root: where proc/ and sys/ are, for tests.
    """
    quotas = [quota for folder in _groups(root, "cpu") if (quota := _quota(folder)) is not None]
    limits = [limit for folder in _groups(root, "memory") if (limit := _limit(folder)) is not None]
    cores = max(1, math.floor(min([_cores(), *quotas])))
    return Machine(cores, min([_memory(root), *limits]))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group and of all groups above it, as far as they can be seen from here."""
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        top = mount / controller if names else mount
        inner = top / path.lstrip("/")
        # Inside a container the path may be the host's, and what is mounted here is the container's own group.
        yield from (folder for folder in (inner, *inner.parents) if folder == top or top in folder.parents)


def _quota(group: Path) -> float | None:
    """Processors that a group may use."""
    text = _text(group / "cpu.max") or " ".join(
        filter(None, (_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")))
    )
    parts = text.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or "0" in parts:
        return None  # "max", or -1
    return int(parts[0]) / int(parts[1])


def _limit(group: Path) -> int | None:
    """Bytes that a group may use."""
    text = _text(group / "memory.max") or _text(group / "memory.limit_in_bytes")
    return int(text) if text.isdigit() and text != "0" else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory(root: Path) -> int:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return MOST * _cores() + SERVER  # not Linux: as much as the workers are let
