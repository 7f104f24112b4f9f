"""The controls of the lesson Architectures: which nets, which images, how they are trained; all in the URL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import streamlit as st

from node_core.studies.architectures.table_config import MODELS, TableConfig, row_config
from node_core.training.images.checkpoint import pretrained_for
from node_core.training.images.config import ImagesConfig, KindName, iterations_of
from pages.ui.address import Url, sentence
from pages.ui.architectures.lesson import ARCHITECTURES
from pages.ui.architectures.own_images import ask_images, image_data
from pages.ui.layout import choose, log_grid, slide, whole_number
from pages.ui.live.controls import Preset, scale, show_complaints, solver_controls

METHOD_CHOICES = ("dopri5", "tsit5", "bosh3", "dopri8", "euler", "midpoint", "rk4")
GRADIENTS = {
    "backprop": "through the solver",
    "checkpointed": "checkpointed",
    "adjoint": "adjoint",
    "adjoint_seminorm": "adjoint, seminorm",
    "interpolated": "adjoint, interpolated",
}
KINDS = {"dense": "dense", "conv": "convolutional"}
NETS = {name: row.label for name, row in MODELS.items()}
TRAINED, FRESH = "Already trained", "From scratch"
EPOCHS = (5, 10, 20, 40, 80, 160)
WIDTHS = (8, 16, 32, 64, 128, 256)
CHANNELS = (4, 8, 16, 32)
RATES = log_grid(1e-4, 0.1)
MAX_SEEDS = 5
SEEDS_HELP = (
    "With more than one, each net is trained again once it is trained: the table tells mean and spread."
)

PRESETS = {
    "table": Preset(
        "Table 1",
        {"nets": list(NETS.values()), "kind": "dense", "seeds": 1, "images": "digits", "rtol": 1e-3},
        icon=":material/table_chart:",
    ),
    "needed": Preset(
        "Is the block needed?",
        {"nets": [NETS["none"], NETS["resnet1"], NETS["odenet"]], "kind": "dense", "seeds": 3},
        icon=":material/help:",
    ),
    "conv": Preset(
        "Convolutional",
        {
            "nets": list(NETS.values()),
            "kind": "conv",
            "seeds": 1,
            "start": TRAINED,
            "images": "digits",
            "rtol": 0.01,
        },
        icon=":material/grid_on:",
    ),
}


@dataclass(frozen=True)
class Choice:
    """What the widgets describe: the table's rows, how each is trained, and with how many seeds."""

    train: ImagesConfig
    nets: tuple[str, ...]
    seeds: int
    ready: bool

    def table(self) -> TableConfig:
        """For who repeats it elsewhere."""
        return TableConfig(self.train, self.nets, self.seeds)

    def config(self, net: str, seed: int = 0) -> ImagesConfig:
        """The training of a row, with its `seed`-th seed.

        What a net has no use for stays as it is by default: a change of the ODE-Net's solver is no reason to train the
        others again. Weights that were trained beforehand are there once; a second seed begins at random.
        """
        plain, train = ARCHITECTURES.default, row_config(net, self.train)
        if train.model != "odenet":
            unused = ("method", "rtol", "atol", "dt", "gradient")
            train = replace(train, **{name: getattr(plain, name) for name in unused})
        if train.model != "rknet":
            train = replace(train, steps=plain.steps)
        if train.model == "mlp":
            train = replace(train, kind="dense", channels=plain.channels)
        if seed:
            return replace(train, seed=train.seed + seed)
        return replace(train, start=pretrained_for(train)) if self.ready else train


def architectures_controls() -> Choice | None:
    """Draw the controls; what can't be used is told in a sentence, and the answer is then None."""
    url = Url()
    nets = st.pills(
        "Nets",
        list(NETS.values()),
        selection_mode="multi",
        default=list(NETS.values()),
        key="nets",
        bind="query-params",
    )
    url.note("nets", nets)
    images, what, count, more = st.columns([1.5, 1.4, 1, 1.2], vertical_alignment="bottom")
    with images:
        name = ask_images(url)
    with what:
        kind = choose("Blocks", list(KINDS), "kind", "dense", format_func=lambda key: KINDS[key])
        url.note("kind", KINDS[kind])
    with count:
        seeds = whole_number("Seeds", "seeds", 1, 1, MAX_SEEDS, help=SEEDS_HELP)
        url.note("seeds", seeds)
    with more, st.popover("Training", icon=":material/tune:", width="stretch"):
        values = _training_controls(kind, url)
    ready = kind == "conv" and name == "digits" and _begins_trained(url)
    show_complaints(url)
    if not nets:
        st.error("No net is chosen: choose one or more.", icon=":material/error:")
        return None
    chosen_nets = tuple(name for name, label in NETS.items() if label in nets)
    try:
        data, epochs = image_data(name), values.pop("epochs")
        if data is None:
            return None
        train = ImagesConfig(data=data, kind=cast(KindName, kind), **values)
        train = replace(train, iterations=iterations_of(train, epochs))
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return None
    return Choice(train, chosen_nets, seeds, ready)


def _begins_trained(url: Url) -> bool:
    chosen = st.segmented_control(
        "Begin with",
        [TRAINED, FRESH],
        default=TRAINED,
        required=True,
        key="start",
        bind="query-params",
        help="From scratch they take 2 to 14 seconds of processor time, the ODE-Net the longest.",
    )
    url.note("start", chosen)
    return chosen == TRAINED


def _training_controls(kind: str, url: Url) -> dict[str, Any]:
    plain = ARCHITECTURES.default
    values: dict[str, Any] = {"epochs": int(scale("Epochs", "epochs", 40, EPOCHS, url))}
    values["lr"] = scale("Learning rate", "lr", plain.lr, RATES, url)
    values["noise"] = slide("Noise on the pixels", "noise", plain.noise, 0.0, 0.5, 0.05)
    url.note("noise", values["noise"])
    values["hidden"] = int(scale("Hidden units", "hidden", plain.hidden, WIDTHS, url))
    if kind == "conv":
        values["channels"] = int(scale("Channels", "channels", plain.channels, CHANNELS, url))
    st.markdown("**ODE-Net**")
    values |= solver_controls(METHOD_CHOICES, url)
    gradient = choose("Gradient", list(GRADIENTS), "gradient", "backprop", format_func=lambda g: GRADIENTS[g])
    url.note("gradient", GRADIENTS[gradient])
    st.markdown("**RK-Net**")
    values["steps"] = whole_number("Steps of Runge-Kutta 4", "steps", plain.steps, 1, 16)
    url.note("steps", values["steps"])
    seed = whole_number("Seed", "seed", 0, 0, 9999)
    url.note("seed", seed)
    return {**values, "gradient": gradient, "seed": seed}
