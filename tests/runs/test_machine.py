"""What a container leaves for workers, read from control groups laid out as kernels lay them out."""

from pathlib import Path

import pytest

from node_core.runs import machine
from node_core.runs.machine import (
    LEAST,
    MIB,
    MOST,
    SERVER,
    Machine,
    room_for_runs,
    room_for_workers,
    this_machine,
)

GIB = 1024 * MIB


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host of 16 processors and 64 GiB."""
    monkeypatch.setattr(machine, "_cores", lambda: 16)
    write(tmp_path, "proc/meminfo", "MemTotal:       67108864 kB\nMemFree: 1 kB\n")
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def test_without_a_container_it_is_the_whole_machine(root: Path) -> None:
    assert this_machine(root) == Machine(16, 64 * GIB)
    write(root, "proc/self/cgroup", "0::/user.slice/session.scope")
    write(root, "sys/fs/cgroup/user.slice/memory.max", "max")
    write(root, "sys/fs/cgroup/user.slice/cpu.max", "max 100000")
    assert this_machine(root) == Machine(16, 64 * GIB)


def test_a_container_of_version_2_is_read(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/")
    write(root, "sys/fs/cgroup/memory.max", str(2 * GIB))
    write(root, "sys/fs/cgroup/cpu.max", "250000 100000")
    assert this_machine(root) == Machine(2, 2 * GIB)


def test_the_narrowest_of_the_groups_above_counts(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/pod/lab/worker")
    write(root, "sys/fs/cgroup/pod/memory.max", str(4 * GIB))
    write(root, "sys/fs/cgroup/pod/lab/memory.max", str(8 * GIB))
    write(root, "sys/fs/cgroup/pod/lab/worker/cpu.max", "50000 100000")
    assert this_machine(root) == Machine(1, 4 * GIB)


def test_a_container_of_version_1_is_read_also_where_the_path_is_the_hosts(root: Path) -> None:
    write(root, "proc/self/cgroup", "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/")
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", str(3 * GIB))
    write(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000")
    write(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000")
    assert this_machine(root) == Machine(4, 3 * GIB)
    write(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1")
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
    assert this_machine(root) == Machine(16, 64 * GIB)


@pytest.mark.parametrize(
    ("cores", "memory", "workers"),
    [
        (2, 2 * GIB, 2),
        (8, 2 * GIB, 3),
        (2, 24 * GIB, 2),
        (2, 690 * MIB, 1),
        (1, 64 * GIB, 1),
        (64, 256 * GIB, 64),
    ],
)
def test_all_workers_together_fit_beside_the_server(cores: int, memory: int, workers: int) -> None:
    room = room_for_workers(Machine(cores, memory))
    assert room.workers == workers
    assert LEAST <= room.memory <= MOST
    assert SERVER + room.workers * room.memory <= max(memory, SERVER + LEAST)


def test_this_machine_is_read_without_an_error() -> None:
    found = this_machine()
    assert found.cores >= 1
    assert found.memory > 0


def test_runs_take_a_part_of_the_servers_memory() -> None:
    assert room_for_runs(Machine(2, 2048 * MIB)) == 2048 * MIB // 10
    assert room_for_runs(Machine(64, 2048 * 1024 * MIB)) == 512 * MIB
