"""The controls of the ODE-Net lesson: what may change while it trains, and what begins a new run; all in the URL."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from node_core.data.dataset import DataConfig
from node_core.data.toy import DATASETS, USER_SETS
from node_core.solvers.methods import METHODS
from node_core.training.checkpoint import pretrained, pretrained_for
from node_core.training.config import LossName, TrainConfig, parameter_shapes
from pages.ui.address import Url, sentence, set_control
from pages.ui.layout import choose, log_grid, slide, slide_int, switch
from pages.ui.own_data import csv_data, drawn_data, keep

METHOD_CHOICES = ("dopri5", "tsit5", "bosh3", "dopri8", "fehlberg45", "euler", "midpoint", "heun", "rk4")
GRADIENTS = {
    "backprop": "through the solver",
    "checkpointed": "checkpointed",
    "adjoint": "adjoint",
    "adjoint_seminorm": "adjoint, seminorm",
    "interpolated": "adjoint, interpolated",
}
NONE, KINETIC, JACOBIAN, STEER = "none", "kinetic energy", "Jacobian norm", "random end time (STEER)"
RATES = [*log_grid(1e-4, 1.0), 10.0, 100.0]
TOLERANCES = log_grid(1e-6, 0.1, (1.0, 3.0))
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
WIDTHS = (4, 8, 16, 24, 32, 48, 64, 96, 128)
WEIGHTS = log_grid(1e-4, 10.0)
LARGER, RESNET = "one more dimension", "a ResNet"
TRAINED, FRESH = "Already trained", "From scratch"
SETS = [*DATASETS, *USER_SETS]
SET_NAMES = {key: spec.label for key, spec in DATASETS.items()} | USER_SETS


@dataclass(frozen=True)
class Choice:
    """The run that the widgets describe (None where they cannot), and what is trained beside it."""

    config: TrainConfig | None
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Preset:
    """A case worth seeing: its button, what it sets, and what to watch for."""

    label: str
    icon: str
    values: Mapping[str, Any]
    watch: str


PRESETS = {
    "circles": Preset(
        "Circles",
        ":material/adjust:",
        {"data": "circles", "n": 400, "width": 32, "augment": 0, "lr": 0.01, "rtol": 1e-3, "beside": []},
        "Paths can't cross, so the inner ring's colour leaves the outer ring through a channel between two of its "
        "points; the thinner the channel, the more evaluations a solve costs.",
    ),
    "spirals": Preset(
        "Spirals",
        ":material/cyclone:",
        {"data": "two_spirals", "n": 400, "width": 48, "augment": 1, "lr": 0.01, "rtol": 1e-3, "beside": []},
        "Look from the side (3-D): the arms are lifted apart and unwound.",
    ),
    "annulus": Preset(
        "Annulus",
        ":material/trip_origin:",
        {
            "data": "annulus",
            "n": 2000,
            "width": 32,
            "augment": 0,
            "lr": 0.02,
            "rtol": 1e-4,
            "beside": [LARGER],
        },
        "A flow of the plane only bends the straight line that divides it, so both colours reach to infinity: the "
        "ball can't be freed, its colour runs out through a channel torn in the shell. Points in the channel are lost, "
        "and narrowing it costs ever more evaluations. With one more dimension the boundary closes round the ball.",
    ),
    "flip": Preset(
        "Sign flip",
        ":material/swap_vert:",
        {
            "data": "sign_flip",
            "n": 200,
            "width": 32,
            "augment": 0,
            "lr": 0.02,
            "rtol": 1e-3,
            "beside": [LARGER, RESNET],
        },
        "−1 must go to +1 and +1 to −1. On a line the paths would have to cross, so the plain ODE-Net "
        "stays at a loss of 1; in a plane they pass each other, and a ResNet jumps.",
    ),
}


def preset_buttons() -> DeltaGenerator:
    """One button a case; returns the row, for what else belongs there."""
    row = st.container(horizontal=True, vertical_alignment="center")
    for key, preset in PRESETS.items():
        row.button(preset.label, key=f"preset_{key}", icon=preset.icon, on_click=_take_preset, args=(key,))
    return row


def _take_preset(key: str) -> None:
    """Set the case's values (in a callback, before the next run)."""
    values = PRESETS[key].values
    _set({"noise": DATASETS[str(values["data"])].noise, "reg": NONE, "method": "dopri5"})
    _set({"gradient": "backprop", "per_sample": False, **values})


def _set(values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        set_control(key, value)


def watch_for(config: TrainConfig) -> str:
    """What to see with this data, and how to see it from the beginning."""
    cases = [preset.watch for preset in PRESETS.values() if preset.values["data"] == config.data.name]
    spec = DATASETS.get(config.data.name)
    what = cases[0] if cases else spec.look_for if spec else "See whether a flow can untangle your points."
    if config.start:
        done = pretrained(config.start).state.iteration
        what += (
            f" This net has learned for {done:,} iterations: choose *{FRESH}* above and Play to watch how."
        )
    return what


def show_config(config: TrainConfig) -> TrainConfig:
    """Set the widgets to a configuration (in a callback, before the next run), and say what they then describe."""
    data = config.data
    rate, rtol = _nearest(RATES, config.lr), _nearest(TOLERANCES, config.rtol)
    dt, width = _nearest(STEPS, config.dt), int(_nearest(WIDTHS, config.hidden[0]))
    _set({"data": data.name, "seed": config.seed, "width": width, "augment": config.augment})
    _set({"sees_t": config.time_dependent, "method": config.method, "gradient": config.gradient})
    _set({"lr": rate, "rtol": rtol, "dt": dt, "per_sample": config.per_sample, "beside": []})
    if data.name in USER_SETS:
        keep(data)
    else:
        _set({"n": data.n, "noise": data.noise})
        data = DataConfig(data.name, data.n, data.noise, config.seed)
    chosen = next((name for name in (KINETIC, JACOBIAN, STEER) if getattr(config, FIELD[name]) > 0), NONE)
    set_control("reg", chosen)
    if chosen == STEER:
        set_control("steer", config.steer)
    elif chosen != NONE:
        set_control("weight", _nearest(WEIGHTS, getattr(config, FIELD[chosen])))
    set_control("start", TRAINED if config.start else FRESH)
    shown = TrainConfig(
        data=data,
        hidden=(width, width),
        augment=config.augment,
        time_dependent=config.time_dependent,
        seed=config.seed,
        loss=loss_for(data.name),
    )
    return begun(shown) if config.start else shown


def begun(config: TrainConfig) -> TrainConfig:
    """The same, beginning with the weights that were trained beforehand, where there are some for it."""
    return replace(config, start=pretrained_for(config))


def parameters_of(config: TrainConfig) -> int:
    """Trainable numbers of the model."""
    return sum(math.prod(shape) for shape in parameter_shapes(config).values())


def loss_for(name: str) -> LossName:
    """How a data set is learned: the sign flip is a map to be learned, the others are classified."""
    return "flow_map" if name == "sign_flip" else "cross_entropy"


def _nearest(options: Sequence[float], value: float) -> float:
    return min(options, key=lambda option: abs(option - value))


FIELD = {KINETIC: "kinetic", JACOBIAN: "jacobian", STEER: "steer"}


def odenet_controls(row: DeltaGenerator) -> Choice:
    """Draw the controls; a value that can't be used is told in a sentence, and the config is then None.

    Args:
        row: takes the choice of what to begin with, which belongs to the presets.
    """
    url = Url()
    with st.container(border=True):
        st.markdown("**While it trains** :gray[takes effect at once]")
        live = _live_controls(url)
    with st.container(border=True):
        st.markdown("**Data and model** :gray[a change begins a new run]")
        data, structure = _structure_controls(url)
    beside = st.pills(
        "Beside it", [LARGER, RESNET], selection_mode="multi", key="beside", bind="query-params"
    )
    config = None
    try:
        config = None if data is None else TrainConfig(data=data, **structure, **live)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
    if config is not None:
        config = _beginning(config, row, url)
    complaints = url.complaints()
    if complaints:
        st.warning("  \n".join(complaints), icon=":material/link_off:")
    return Choice(config, tuple(beside or ()))


def _beginning(config: TrainConfig, row: DeltaGenerator, url: Url) -> TrainConfig:
    """Ask what to begin with, where there is a choice."""
    ready = begun(config)
    if not ready.start:
        return config
    chosen = row.segmented_control(
        "Begin with",
        [TRAINED, FRESH],
        default=TRAINED,
        required=True,
        key="start",
        bind="query-params",
        label_visibility="collapsed",
        help="Either begins a new run.",
    )
    url.note("start", chosen)
    return ready if chosen == TRAINED else config


def beside_configs(config: TrainConfig, beside: tuple[str, ...]) -> list[tuple[str, str, TrainConfig]]:
    """(key, title, configuration) of every run of the page: the net itself and what stands beside it."""
    dims = f"{config.dim + config.augment} dimension{'s' if config.dim + config.augment > 1 else ''}"
    shown = [("run", f"ODE-Net in {dims}", config)]
    if LARGER in beside:
        larger = replace(config, augment=config.augment + 1, start="")
        larger = begun(larger) if config.start else larger
        shown.append(("larger", f"ODE-Net in {larger.dim + larger.augment} dimensions", larger))
    if RESNET in beside:
        layers = 3
        jumping = replace(config, model="resnet", layers=layers, steer=0.0, per_sample=False, start="")
        jumping = begun(jumping) if config.start else jumping
        shown.append(("resnet", f"ResNet of {layers} layers", jumping))
    return shown


def _live_controls(url: Url) -> dict[str, Any]:
    lr = _scale("Learning rate", "lr", 0.01, RATES, url)
    method = choose("Solver", METHOD_CHOICES, "method", "dopri5", format_func=lambda m: METHODS[m].label)
    url.note("method", METHODS[method].label)
    values: dict[str, Any] = {"lr": lr, "method": method}
    if METHODS[method].adaptive:
        values["rtol"] = values["atol"] = _scale("Tolerance", "rtol", 1e-3, TOLERANCES, url)
    else:
        values["dt"] = _scale("Step size", "dt", 0.1, list(STEPS), url)
    gradient = choose("Gradient", list(GRADIENTS), "gradient", "backprop", format_func=lambda g: GRADIENTS[g])
    url.note("gradient", GRADIENTS[gradient])
    reg = choose("Regulariser", [NONE, KINETIC, JACOBIAN, STEER], "reg", NONE)
    url.note("reg", reg)
    if reg == STEER:
        values["steer"] = slide("b / T", "steer", 0.5, 0.05, 0.95, 0.05, "The end time is random in T ± b.")
    elif reg != NONE:
        values[FIELD[reg]] = _scale("Weight λ", "weight", 0.01, WEIGHTS, url)
    if METHODS[method].adaptive:
        values["per_sample"] = switch(
            "Steps of its own for each path",
            "per_sample",
            help="Switch on Steps above the picture to see them.",
        )
    return {"gradient": gradient, **values}


def _structure_controls(url: Url) -> tuple[DataConfig | None, dict[str, Any]]:
    name = choose("Data", SETS, "data", "circles", format_func=lambda key: SET_NAMES[key])
    url.note("data", SET_NAMES[name])
    seed = st.number_input("Seed", 0, 9999, 0, 1, key="seed", bind="query-params")
    url.note("seed", seed)
    data: DataConfig | None
    if name == "drawn":
        data = drawn_data(0)
    elif name == "csv":
        data = csv_data(0)
        if data is None:
            st.info("Choose a file: a row a point, the class in its last column.", icon=":material/upload:")
    else:
        n = slide_int("Points", "n", 400, 50, 2000, 50)
        noise = slide("Noise", "noise", DATASETS[name].noise, 0.0, 0.5, 0.01)
        url.note("n", n)
        url.note("noise", noise)
        data = DataConfig(name, n, noise, int(seed))
    width = st.select_slider("Width of f", WIDTHS, 32, key="width", bind="query-params")
    augment = slide_int("Extra dimensions", "augment", 0, 0, 5)
    sees_t = switch("f sees the time t", "sees_t")
    url.note("width", width)
    url.note("augment", augment)
    structure: dict[str, Any] = {"hidden": (width, width), "augment": augment, "time_dependent": sees_t}
    return data, structure | {"seed": int(seed), "loss": loss_for(name)}


def _scale(label: str, key: str, default: float, values: list[float], url: Url) -> float:
    value = st.select_slider(
        label, values, default, key=key, format_func=lambda v: f"{v:g}", bind="query-params"
    )
    url.note(key, value)
    return float(value)
