"""The controls of the Control lesson: what may change while it trains, and what begins a new run; all in the URL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from node_core.models.control.plant import Plant, Task
from node_core.models.control.plants import PLANTS
from node_core.training.control.checkpoint import pretrained_for
from node_core.training.control.config import ControlConfig
from pages.ui.address import Url, sentence, set_control
from pages.ui.layout import choose, log_grid, presented, slide, switch, whole_number
from pages.ui.live.controls import (
    Preset,
    nearest,
    scale,
    set_controls,
    show_complaints,
)

GRADIENTS = {
    "backprop": "through the solver",
    "checkpointed": "checkpointed",
    "adjoint": "adjoint: the costate",
    "interpolated": "adjoint, interpolated",
}
RATES = log_grid(1e-4, 1.0)
WEIGHTS = (0.0, *log_grid(0.01, 10.0))
SIZES = (4, 8, 16, 32, 64, 128)
PLANT_NAMES = {key: plant.name for key, plant in PLANTS.items()}
EFFORT = 0.01
DRIVERS = ("net", "lqr", "nobody")
TRAINED, FRESH = "trained", "random"
LIMIT = {"pendulum": "Torque limit (N m)", "cart_pole": "Force limit (N)", "unicycle": "Speed limit (m/s)",
         "lotka_volterra": "Harvest limit (1/year)"}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The run that the widgets describe (None where they cannot), and who drives on the stage."""

    config: ControlConfig | None
    driver: str


def _case(plant: str, task: str, horizon: float, **values: Any) -> dict[str, Any]:
    """What a preset sets: the plant, what is given, and everything else as at first."""
    chosen = PLANTS[plant]
    return {
        "plant": plant,
        own("task", chosen): task,
        own("horizon", chosen): horizon,
        own("limit", chosen): chosen.controls[0].limit,
        grows(chosen.task(task)): chosen.task(task).growing,
        "effort": EFFORT,
        "speed": 1.0,
        "lr": 0.01,
        "gradient": "backprop",
        "width": 32,
        "seed": 0,
        "driver": "net",
        **values,
    }


def own(key: str, plant: Plant) -> str:
    """The key of a control whose range and default are the plant's own."""
    return f"{key}_{plant.key}"


def grows(task: Task) -> str:
    """The key of the switch for a growing horizon: whether it helps is the task's own."""
    return f"growing_{task.key}"


PRESETS = {
    "balance": Preset(
        "Balance a cart-pole",
        _case("cart_pole", "balance", 3.0, start=FRESH, anew=True),
        "Press Play: the horizon grows from 0.4 s, and within seconds the net holds the pole. Push it meanwhile.",
        ":material/balance:",
    ),
    "fails": Preset(
        "Why it fails: a fixed long horizon",
        _case("cart_pole", "balance", 3.0, growing_balance=False, start=FRESH, anew=True),
        "Press Play: nothing is learned. A pole that falls for 3 s forgets how it was pushed at first, and the "
        "gradient that comes back from there is huge and says little; clipped, it leads nowhere. Switch on the growing "
        "horizon, and the same net learns.",
        ":material/trending_down:",
    ),
    "swing": Preset(
        "Swing up a pendulum",
        _case("pendulum", "swing_up", 5.0, start=TRAINED),
        "The motor is too weak to lift the bob, so the net swings it to and fro first. Pull it down and watch.",
        ":material/rotate_right:",
    ),
    "lqr": Preset(
        "LQR against the net",
        _case("pendulum", "swing_up", 5.0, start=TRAINED, driver="lqr"),
        "LQR knows the plant only near the top, where it is optimal: push a little and it holds, push hard and it "
        "never comes back. Then let the net drive, and see how much more of the plane is shaded.",
        ":material/compare_arrows:",
    ),
}  # fmt: skip

LQR_ELSEWHERE = (
    "LQR knows the plant only near its target, where it is optimal: see from where it arrives, and from where the "
    "net does."
)


def watch_for(config: ControlConfig, driver: str) -> str:
    """What to see with these settings, and with who drives on the stage."""
    if driver == "nobody":
        return "Nobody drives: see what the plant does by itself, then let the net take over."
    if driver == "lqr" and config.of_plant().linear and config.effort > 0:  # else the net drives
        swings = config.plant == "pendulum" and config.task == "swing_up"
        return PRESETS["lqr"].watch if swings else LQR_ELSEWHERE
    if config.plant == "cart_pole" and config.task == "balance" and not config.start:
        return PRESETS["balance" if config.curriculum == "growing" else "fails"].watch
    if config.plant == "pendulum" and config.task == "swing_up" and config.start:
        return PRESETS["swing"].watch
    return config.of_plant().look_for


def control_controls() -> Choice:
    """Draw the controls; a value that can't be used is told in a sentence, and the config is then None."""
    url = Url()
    driver = _driver(url)
    with st.container(border=True):
        st.markdown("**Plant and net** :gray[a change begins a new run]")
        plant, structure = _structure(url)
    with st.container(border=True):
        st.markdown("**While it trains** :gray[takes effect at once]")
        live = _live(url, plant, plant.task(structure["task"]))
    config = None
    try:
        config = ControlConfig(**structure, **live)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
    show_complaints(url)
    return Choice(config, driver)


def asked_anew() -> bool:
    """Whether a preset was just chosen that shows how an untrained net learns: asked once."""
    return bool(st.session_state.pop("anew", False))


def show_config(config: ControlConfig) -> ControlConfig:
    """Set the widgets to a configuration (in a callback, before the next run), and say what they then describe."""
    plant = config.of_plant()
    width = int(nearest(SIZES, config.hidden))
    set_controls(
        {"plant": config.plant, own("task", plant): config.task, "width": width, "seed": config.seed}
    )
    set_controls({own("horizon", plant): config.horizon, own("limit", plant): config.limit})
    set_controls({grows(config.of_task()): config.curriculum == "growing", "gradient": config.gradient})
    set_controls({"effort": nearest(WEIGHTS, config.effort), "speed": nearest(WEIGHTS, config.speed)})
    set_control("lr", nearest(RATES, config.lr))
    set_control("start", TRAINED if config.start else FRESH)
    shown = ControlConfig(config.plant, config.task, width, config.seed, limit=config.limit)
    return replace(shown, start=pretrained_for(shown)) if config.start else shown


def take_driver() -> None:
    """Somebody else is to drive, as was chosen on the stage (in its callback)."""
    picked = st.session_state["view"].picked
    if picked in DRIVERS:
        set_control("driver", picked)


def _driver(url: Url) -> str:
    """Who drives stands in the address only: the stage has the buttons, which act at once."""
    asked = st.session_state.pop("driver", None)
    if asked is not None:
        st.query_params["driver"] = asked
    found = st.query_params.get("driver", "net")
    driver = found if found in DRIVERS else "net"
    url.note("driver", driver)
    return driver


def _structure(url: Url) -> tuple[Plant, dict[str, Any]]:
    key = choose("Plant", list(PLANTS), "plant", "pendulum", format_func=PLANT_NAMES.__getitem__)
    url.note("plant", PLANT_NAMES[key])
    plant = PLANTS[key]
    tasks = {task.key: task.name for task in plant.tasks}
    task = plant.tasks[0].key
    if len(tasks) > 1:
        task = choose("Task", list(tasks), own("task", plant), task, format_func=tasks.__getitem__)
        url.note(own("task", plant), tasks[task])
    first, second = st.columns([1.5, 1])
    with first:
        width = int(scale("Width", "width", 32, SIZES, url))
    with second:
        seed = whole_number("Seed", "seed", 0, 0, 9999)
    url.note("seed", seed)
    values: dict[str, Any] = {"plant": key, "task": task, "hidden": width, "seed": seed}
    name = pretrained_for(ControlConfig(**values, limit=plant.controls[0].limit))
    begin = st.segmented_control(
        "Weights at the start",
        [TRAINED, FRESH],
        default=TRAINED,
        required=True,
        key="start",
        bind="query-params",
        disabled=not name,
        help=None if name else "There is no trained net for this task with these settings.",
    )
    url.note("start", begin)
    if name and begin != FRESH:
        values["start"] = name
    return plant, values


def _live(url: Url, plant: Plant, task: Task) -> dict[str, Any]:
    values: dict[str, Any] = {}
    horizon = own("horizon", plant)
    with presented("slider"):
        values["horizon"] = slide(f"Horizon T ({plant.time})", horizon, task.horizon, 0.2, 10.0, 0.2)
    url.note(horizon, values["horizon"])
    key = grows(task)
    told = f"From 0.4 {plant.time}, in the first iterations."
    growing = switch("The horizon grows to T", key, task.growing, help=told)
    url.note(key, growing)
    values["curriculum"] = "growing" if growing else "fixed"
    control = plant.controls[0]
    limit = own("limit", plant)
    values["limit"] = slide(
        LIMIT[plant.key], limit, control.limit, 0.0, control.largest, control.largest / 40
    )
    url.note(limit, values["limit"])
    values["effort"] = scale("Price of control", "effort", EFFORT, WEIGHTS, url)
    values["speed"] = scale("Price of motion", "speed", 1.0, WEIGHTS, url)
    values["lr"] = scale("Learning rate", "lr", 0.01, RATES, url)
    gradient = choose("Gradient", list(GRADIENTS), "gradient", "backprop", format_func=GRADIENTS.__getitem__)
    url.note("gradient", GRADIENTS[gradient])
    values["gradient"] = gradient
    return values
