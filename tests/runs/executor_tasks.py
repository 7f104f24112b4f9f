"""Tasks that the executor's tests send to a worker: the well-behaved and the others."""

import os
import resource
import signal
import time
from pathlib import Path


def add(a: float, b: float) -> float:
    return a + b


def process() -> dict[str, float]:
    return {
        "pid": os.getpid(),
        "nice": os.nice(0),
        "memory_limit": resource.getrlimit(resource.RLIMIT_AS)[0],
        "threads": torch_threads(),
    }


def torch_threads() -> int:
    import torch

    return torch.get_num_threads()


def main_module() -> str:
    import __main__

    return str(getattr(__main__, "__file__", None))


def refuse(value: float) -> None:
    raise ValueError(f"{value} is too large: take less than 1.")


def break_down() -> float:
    return 1 / int("0")


def spin() -> None:
    while True:
        time.sleep(0.01)


def stop(marker: str) -> None:
    """Stop the worker as a terminal does, or a debugger; nothing in it goes on, its alarm neither."""
    Path(marker).touch()
    os.kill(os.getpid(), signal.SIGSTOP)


def allocate(size: int) -> int:
    return len(bytearray(size))


def die_once(marker: str) -> str:
    """Kill the worker the first time, answer the second."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for(marker: str) -> str:
    while not Path(marker).exists():
        time.sleep(0.01)
    return marker


def note(path: str, text: str) -> None:
    with open(path, "a") as log:
        log.write(text + "\n")
