"""A small live run without torch: a net whose weights turn slowly, drawn with everything the canvas knows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from node_core.runs.snapshot import Row, Snapshot
from node_core.training.checkpoint import read, write

TASK = "tests.ui.live.demo:advance"


@dataclass(frozen=True)
class DemoConfig:
    """The demo's knobs; speed may change live, a speed of 13 breaks the run, dim is a new run."""

    dim: int = 2
    speed: float = 1.0
    width: int = 16
    jumps: bool = False

    def __post_init__(self) -> None:
        if self.dim not in (1, 2, 3):
            raise ValueError(f"dim must be 1, 2 or 3, not {self.dim}.")


@dataclass(frozen=True)
class DemoState:
    iteration: int
    angle: float


def layers(config: DemoConfig, angle: float) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    sizes = [(config.width, config.dim), (config.width, config.width), (config.dim, config.width)]
    net = [(rng.normal(size=size) / size[1] ** 0.5, 0.3 * rng.normal(size=size[0])) for size in sizes]
    turn = 1.0 + 0.5 * np.sin(angle)
    return [(w * turn, b) for w, b in net]


def field(net: list[tuple[np.ndarray, np.ndarray]], y: np.ndarray) -> np.ndarray:
    for w, b in net[:-1]:
        y = np.tanh(y @ w.T + b)
    return 2.0 * 0.5 * (y @ net[-1][0].T + net[-1][1])


def flow(net: list[tuple[np.ndarray, np.ndarray]], y: np.ndarray, steps: int) -> np.ndarray:
    path, dt = [y], 1.0 / steps
    for _ in range(steps):
        k1 = field(net, y)
        k2 = field(net, y + 0.5 * dt * k1)
        k3 = field(net, y + 0.5 * dt * k2)
        k4 = field(net, y + dt * k3)
        y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(y)
    return np.stack(path)


def snapshot(config: DemoConfig, state: DemoState) -> Snapshot:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    radius = np.where(labels == 0, 0.6, 1.5) + 0.1 * rng.normal(size=120)
    angle = rng.uniform(0, 2 * np.pi, 120)
    points = np.zeros((120, config.dim))
    points[:, 0] = radius * np.cos(angle)
    if config.dim > 1:
        points[:, 1] = radius * np.sin(angle)
    net = layers(config, state.angle)
    axis = np.linspace(-2, 2, 64)
    x, y = np.meshgrid(axis, axis)
    p = 1 / (1 + np.exp(-4 * (np.hypot(x + 0.3 * np.sin(state.angle), y) - 1.05 - 0.2 * np.cos(2 * x))))
    arrays = {
        "points": points,
        "labels": labels,
        "trajectories": flow(net, points[:40], 5 if config.jumps else 20),
        "trajectory_labels": labels[:40],
    }
    if config.dim > 1:
        arrays["grid"] = np.round(255 * p).astype("u1")
    for k, (w, b) in enumerate(net, start=1):
        arrays |= {f"W{k}": w, f"b{k}": b}
    loss = 1.0 / (1 + state.iteration)
    return Snapshot(
        arrays,
        {
            "iteration": state.iteration,
            "loss": loss,
            "accuracy": 1 - 0.5 * loss,
            "nfe_forward": 20 + state.iteration % 7,
            "nfe_backward": 40,
            "extent": [-2.0, 2.0, -2.0, 2.0],
            "dim": config.dim,
            "t0": 0.0,
            "t1": 1.0,
            "activation": "tanh",
            "path": "jumps" if config.jumps else "curve",
        },
        rows=({"iteration": state.iteration, "loss": loss},),
    )


def advance(config: DemoConfig, state: DemoState | None, budget: float) -> tuple[Snapshot, DemoState]:
    """An iteration turns the weights by `speed` hundredths of a radian."""
    state = state or DemoState(0, 0.0)
    end = time.perf_counter() + budget
    while budget > 0:
        if config.speed == 13:
            raise ValueError("The loss became infinite: take a smaller learning rate.")
        state = DemoState(state.iteration + 1, state.angle + 0.01 * config.speed)
        time.sleep(0.005)
        if time.perf_counter() >= end:
            break
    return snapshot(config, state), state


def keep(config: DemoConfig, state: DemoState, rows: Sequence[Row]) -> bytes:
    """What a page keeps of the run: a file whose header says the iteration, as that of the trainers does."""
    if config.dim == 3:
        raise ValueError("Three dimensions are too many to be kept.")
    numbers = np.array([config.dim, state.iteration, state.angle])
    return write({"format": "demo", "config": "{}", "iteration": str(state.iteration)}, {"numbers": numbers})


def resume(config: DemoConfig, raw: bytes) -> tuple[DemoConfig, DemoState, tuple[Row, ...]]:
    """The run that a page has kept."""
    dim, iteration, angle = read(raw, "demo")[1]["numbers"].tolist()
    if dim != config.dim:
        raise ValueError("it has another dim.")
    return config, DemoState(int(iteration), float(angle)), ()
