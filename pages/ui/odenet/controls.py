"""The controls of the ODE-Net lesson: what may change while it trains, and what begins a new run; all in the URL."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from node_core.data.dataset import DataConfig
from node_core.data.toy import DATASETS, USER_SETS
from node_core.solvers.methods import METHODS
from node_core.training.classifier.checkpoint import is_coarse, pretrained, pretrained_for
from node_core.training.classifier.config import LossName, TrainConfig, parameter_shapes
from pages.ui.address import Url, sentence, set_control
from pages.ui.layout import choose, log_grid, slide, slide_int, switch, whole_number
from pages.ui.live.controls import (
    STEPS,
    TOLERANCES,
    Preset,
    nearest,
    scale,
    set_controls,
    show_complaints,
    solver_controls,
)
from pages.ui.odenet.own_data import csv_data, drawn_data, keep

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
WIDTHS = (4, 8, 16, 24, 32, 48, 64, 96, 128)
WEIGHTS = log_grid(1e-4, 10.0)
LARGER, RESNET = "one more dimension", "a ResNet"
TRAINED, COARSE, FRESH = "Already trained", "By two Euler steps", "From scratch"
CLOUD_TAB = "hλ cloud"
SETS = [*DATASETS, *USER_SETS]
SET_NAMES = {key: spec.label for key, spec in DATASETS.items()} | USER_SETS


@dataclass(frozen=True)
class Choice:
    """The run that the widgets describe (None where they cannot), and what is trained beside it."""

    config: TrainConfig | None
    beside: tuple[str, ...]


def _case(name: str, **values: Any) -> dict[str, Any]:
    """What a preset sets: the data, what is given, and everything else as at first."""
    values = {"augment": 0, "rtol": 1e-3, "beside": [], **values}
    return {
        "data": name,
        "noise": DATASETS[name].noise,
        "start": TRAINED,
        "reg": NONE,
        "method": "dopri5",
        "gradient": "backprop",
        "per_sample": False,
        **values,
    }


PRESETS = {
    "circles": Preset(
        "Circles",
        _case("circles", n=400, width=32, lr=0.01),
        "Paths can't cross, so the inner ring's colour leaves the outer ring through a channel between two of its "
        "points; the thinner the channel, the more evaluations a solve costs.",
        ":material/adjust:",
    ),
    "spirals": Preset(
        "Spirals",
        _case("two_spirals", n=400, width=48, augment=1, lr=0.01),
        "In the plane the arms have to be unwound turn by turn, for they can't cross: try one extra dimension.",
        ":material/cyclone:",
    ),
    "annulus": Preset(
        "Annulus",
        _case("annulus", n=2000, width=32, lr=0.02, rtol=1e-4, beside=[LARGER]),
        "A flow of the plane only bends the straight line that divides it, so both colours reach to infinity: the "
        "ball can't be freed, its colour runs out through a channel torn in the shell. Points in the channel are lost, "
        "and narrowing it costs ever more evaluations. With one more dimension the boundary closes round the ball.",
        ":material/trip_origin:",
    ),
    "flip": Preset(
        "Sign flip",
        _case("sign_flip", n=200, width=32, lr=0.02, beside=[LARGER, RESNET]),
        "−1 must go to +1 and +1 to −1. On a line the paths would have to cross, so the plain ODE-Net "
        "stays at a loss of 1; in a plane they pass each other, and a ResNet jumps.",
        ":material/swap_vert:",
    ),
    "stiff": Preset(
        "Stiff",
        _case("circles", n=400, width=32, lr=0.02, start=COARSE, method="euler", dt=0.5, study=CLOUD_TAB),
        "Two Euler steps learned this, which leap over what the field does on the way: it decays faster than such "
        "steps can follow. Choose an accurate solver while it stands, and points end in the other class; the hλ cloud "
        "below shows where the steps leave their region.",
        ":material/speed:",
    ),
}

LIFTED = {
    "circles": "the inner ring can be lifted out of the outer one, so that no channel has to be torn.",
    "two_spirals": "the arms can be lifted apart.",
    "annulus": "the ball can be lifted out of its shell, and the boundary closes round it.",
    "sign_flip": "with a dimension more than the line the two can pass each other, and the loss can go to 0.",
}
"""What to watch for with dimensions to spare."""


def watch_for(config: TrainConfig) -> str:
    """What to see with this data, and how to see it from the beginning."""
    if config.start and is_coarse(config.start):
        return PRESETS["stiff"].watch
    spec = DATASETS.get(config.data.name)
    what = spec.look_for if spec else "See whether a flow can untangle your points."
    if config.augment:  # a third dimension is what the view from the side is offered for
        view = "Look from the side (3-D): " if config.dim + config.augment > 2 else ""
        what = view + LIFTED.get(
            config.data.name, "the flow may leave the data's plane to tell the colours apart."
        )
        what = what[0].upper() + what[1:]
    else:
        cases = [preset.watch for preset in PRESETS.values() if preset.values["data"] == config.data.name]
        what = cases[0] if cases else what
    if config.start:
        done = pretrained(config.start).state.iteration
        what += f"\n\nIts first {done:,} iterations were run beforehand: choose *{FRESH}* above and Play to watch them."
    return what


def show_config(config: TrainConfig) -> TrainConfig:
    """Set the widgets to a configuration (in a callback, before the next run), and say what they then describe."""
    data = config.data
    rate, rtol = nearest(RATES, config.lr), nearest(TOLERANCES, config.rtol)
    dt, width = nearest(STEPS, config.dt), int(nearest(WIDTHS, config.hidden[0]))
    set_controls({"data": data.name, "seed": config.seed, "width": width, "augment": config.augment})
    set_controls({"sees_t": config.time_dependent, "method": config.method, "gradient": config.gradient})
    set_controls({"lr": rate, "rtol": rtol, "dt": dt, "per_sample": config.per_sample, "beside": []})
    if data.name in USER_SETS:
        keep(data)
    else:
        set_controls({"n": data.n, "noise": data.noise})
        data = DataConfig(data.name, data.n, data.noise, config.seed)
    chosen = next((name for name in (KINETIC, JACOBIAN, STEER) if getattr(config, FIELD[name]) > 0), NONE)
    set_control("reg", chosen)
    if chosen == STEER:
        set_control("steer", config.steer)
    elif chosen != NONE:
        set_control("weight", nearest(WEIGHTS, getattr(config, FIELD[chosen])))
    coarse = bool(config.start) and is_coarse(config.start)
    set_control("start", COARSE if coarse else TRAINED if config.start else FRESH)
    shown = TrainConfig(
        data=data,
        hidden=(width, width),
        augment=config.augment,
        time_dependent=config.time_dependent,
        seed=config.seed,
        loss=loss_for(data.name),
    )
    return begun(shown, coarse=coarse) if config.start else shown


def begun(config: TrainConfig, *, coarse: bool = False) -> TrainConfig:
    """The same, beginning with weights that were trained beforehand, where there are some (see `pretrained_for`)."""
    return replace(config, start=pretrained_for(config, coarse=coarse))


def parameters_of(config: TrainConfig) -> int:
    """Trainable numbers of the model."""
    return sum(math.prod(shape) for shape in parameter_shapes(config).values())


def loss_for(name: str) -> LossName:
    """How a data set is learned: the sign flip is a map to be learned, the others are classified."""
    return "flow_map" if name == "sign_flip" else "cross_entropy"


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
    show_complaints(url)
    return Choice(config, tuple(beside or ()))


def _beginning(config: TrainConfig, row: DeltaGenerator, url: Url) -> TrainConfig:
    """Ask what to begin with, where there is a choice."""
    ready = {TRAINED: begun(config), COARSE: begun(config, coarse=True)}
    offered = [*(name for name, found in ready.items() if found.start), FRESH]
    if len(offered) == 1:
        return config
    if st.session_state.get("start", offered[0]) not in offered:  # of other data
        set_control("start", offered[0])
    chosen = row.segmented_control(
        "Begin with",
        offered,
        default=offered[0],
        required=True,
        key="start",
        bind="query-params",
        label_visibility="collapsed",
        help="Each begins a new run.",
    )
    url.note("start", chosen)
    return ready.get(str(chosen), config)


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
    values: dict[str, Any] = {"lr": scale("Learning rate", "lr", 0.01, RATES, url)}
    values |= solver_controls(METHOD_CHOICES, url)
    gradient = choose("Gradient", list(GRADIENTS), "gradient", "backprop", format_func=lambda g: GRADIENTS[g])
    url.note("gradient", GRADIENTS[gradient])
    reg = choose("Regulariser", [NONE, KINETIC, JACOBIAN, STEER], "reg", NONE)
    url.note("reg", reg)
    if reg == STEER:
        values["steer"] = slide("b / T", "steer", 0.5, 0.05, 0.95, 0.05, "The end time is random in T ± b.")
        url.note("steer", values["steer"])
    elif reg != NONE:
        values[FIELD[reg]] = scale("Weight λ", "weight", 0.01, WEIGHTS, url)
    if METHODS[values["method"]].adaptive:
        values["per_sample"] = switch(
            "Steps of its own for each path",
            "per_sample",
            help="Switch on Steps above the picture to see them.",
        )
    return {"gradient": gradient, **values}


def _structure_controls(url: Url) -> tuple[DataConfig | None, dict[str, Any]]:
    name = choose("Data", SETS, "data", "circles", format_func=lambda key: SET_NAMES[key])
    url.note("data", SET_NAMES[name])
    seed = whole_number("Seed", "seed", 0, 0, 9999)
    url.note("seed", seed)
    data: DataConfig | None
    if name == "drawn":
        data = drawn_data(0)
    elif name == "csv":
        data = csv_data(0)
        if data is None:
            st.info("Choose a file: a row a point, its numbers and its class.", icon=":material/upload:")
    else:
        n = slide_int("Points", "n", 400, 50, 2000, 50)
        noise = slide("Noise", "noise", DATASETS[name].noise, 0.0, 0.5, 0.01)
        url.note("n", n)
        url.note("noise", noise)
        data = DataConfig(name, n, noise, seed)
    width = st.select_slider("Width of f", WIDTHS, 32, key="width", bind="query-params")
    augment = slide_int("Extra dimensions", "augment", 0, 0, 5)
    sees_t = switch("f sees the time t", "sees_t")
    url.note("width", width)
    url.note("augment", augment)
    structure: dict[str, Any] = {"hidden": (width, width), "augment": augment, "time_dependent": sees_t}
    return data, structure | {"seed": seed, "loss": loss_for(name)}
