"""The controls of the CNF lesson: what may change while it trains, and what begins a new run; all in the URL."""

from __future__ import annotations

from typing import Any

import streamlit as st

from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS
from node_core.solvers.methods import METHODS
from node_core.training.cnf_checkpoint import pretrained_for
from node_core.training.cnf_config import CNFConfig
from pages.ui.address import Url, sentence, set_control
from pages.ui.cnf_target import drawn_target, image_target
from pages.ui.layout import choose, log_grid

METHOD_CHOICES = ("dopri5", "tsit5", "bosh3", "dopri8", "euler", "midpoint", "rk4")
RATES = log_grid(1e-4, 1.0)
TOLERANCES = log_grid(1e-6, 0.1, (1.0, 3.0))
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
PENALTIES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
SIZES = (2, 4, 8, 16, 32, 64, 96)
LAYERS = (2, 4, 8, 16, 32)
MLP, PAPER, PLANAR, COUPLING = "CNF: an MLP field", "CNF: the paper's field", "Planar flow", "RealNVP"
FLOWS = (MLP, PAPER, PLANAR, COUPLING)
TARGET_NAMES = {key: target.label for key, target in TARGETS.items()} | {
    "drawn": "Draw one",
    "image": "A picture",
}
BASES = {"normal": "Gaussian", "mixture": "4 Gaussians", "disc": "disc"}
TRACES = {"exact": "exact", "hutchinson": "Hutchinson", "hutch++": "Hutch++"}
SAMPLES, DENSITY, COVER = "samples of it", "its formula, KL(q‖p)", "its formula, KL(p‖q)"
OBJECTIVES = {SAMPLES: "likelihood", DENSITY: "reverse_kl", COVER: "forward_kl"}
TRAINED, RANDOM = "trained", "random"
_PLAY = "cnf play"
PRESETS = ("two_moons", "two_circles", "eight_gaussians", "pinwheel", "s_curve", "two_spirals")

WATCH = {
    "two_moons": "Watch t run: the Gaussian is pulled apart in the middle and each half bends into a moon.",
    "two_circles": "A continuous map can't tear the plane: the ring's hole opens where few particles are, and a thin "
    "bridge of density stays.",
    "eight_gaussians": "Eight arms grow out of the Gaussian; between them stay thin bridges, which no flow can cut.",
    "pinwheel": "The Gaussian is drawn out into blades, then turned.",
    "two_spirals": "The longest way: see NFE grow while the arms are wound up.",
}
DIRECTIONS = {
    "reverse_kl": "KL(q‖p) asks only where the flow's own particles are: a part of the target that it never visits "
    "costs nothing, so it may settle in one and forget the others.",
    "forward_kl": "KL(p‖q) asks where the target is: a part left out costs much, so the flow covers all of them, and "
    "the gaps between them too. Its own samples are weighed by p/q, which is rough while few of them count.",
}


def preset_buttons() -> None:
    """One button a target worth seeing."""
    with st.container(horizontal=True):
        for key in PRESETS:
            st.button(TARGET_NAMES[key], key=f"preset_{key}", on_click=_take_preset, args=(key,))


def _take_preset(key: str) -> None:
    """Show the trained flow of a target (in a callback, before the next run)."""
    for name, value in {
        "target": key,
        "flow": MLP,
        "width": 64,
        "base": "normal",
        "seed": 0,
        "learn": SAMPLES,
        "begin": TRAINED,
        "method": "dopri5",
        "rtol": 1e-3,
        "trace": "exact",
        "kinetic": 0.0,
        "lr": 0.005,
    }.items():
        set_control(name, value)


def take_runner(flow: str, size: int, target: str) -> None:
    """Set the controls to a runner of the precomputed race and play it (in a callback, before the next run)."""
    planar = flow == "planar"
    values = {"target": target, "flow": PLANAR if planar else PAPER, "learn": DENSITY, "seed": 0, "lr": 0.01}
    values |= {"base": "normal", "layers" if planar else "width": size}
    for name, value in values.items():
        set_control(name, value)
    st.session_state[_PLAY] = True


def asked_to_play() -> bool:
    """Whether the last click was on something that is to run at once; told once."""
    return bool(st.session_state.pop(_PLAY, False))


def watch_for(config: CNFConfig) -> str:
    """What to see with this target."""
    if config.objective in DIRECTIONS:
        return DIRECTIONS[config.objective]
    if not config.start:
        return "Press Play and watch the Gaussian learn to move; scrub t while it does."
    return WATCH.get(config.target.name, "Watch t run: the Gaussian rotates and spreads into the target.")


def cnf_controls() -> CNFConfig | None:
    """Draw the controls; a value that can't be used is told in a sentence, and the answer is then None."""
    url = Url()
    with st.container(border=True):
        st.markdown("**Density and flow** :gray[a change begins a new run]")
        target, structure = _structure_controls(url)
    with st.container(border=True):
        st.markdown("**While it trains** :gray[takes effect at once]")
        live = _live_controls(url, structure["flow"] == "cnf")
    complaints = url.complaints()
    if complaints:
        st.warning("  \n".join(complaints), icon=":material/link_off:")
    try:
        return CNFConfig(target=target, **structure, **live)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return None


def _structure_controls(url: Url) -> tuple[TargetConfig, dict[str, Any]]:
    name = choose("Target", list(TARGET_NAMES), "target", "two_moons", format_func=TARGET_NAMES.__getitem__)
    url.note("target", TARGET_NAMES[name])
    if name == "drawn":
        target = drawn_target()
    elif name == "image":
        target = image_target()
    else:
        target = TargetConfig(name)
    flow = choose("Flow", FLOWS, "flow", MLP)
    url.note("flow", flow)
    values: dict[str, Any] = {"seed": 0}
    if flow in (MLP, PAPER):
        width = int(_scale("Width", "width", 64, SIZES, url))
        values |= {"flow": "cnf", "field": "mlp" if flow == MLP else "hypernetwork"}
        values |= {"hidden": (width, width)} if flow == MLP else {"width": width}
    else:
        values |= {"flow": "planar" if flow == PLANAR else "realnvp"}
        values |= {"depth": int(_scale("Layers", "layers", 8, LAYERS, url))}
    first, second = st.columns([1.5, 1])
    with first:
        values["base"] = choose("Noise", list(BASES), "base", "normal", format_func=BASES.__getitem__)
    with second:
        values["seed"] = int(st.number_input("Seed", 0, 9999, 0, 1, key="seed", bind="query-params"))
    learn = choose("Learn from", tuple(OBJECTIVES), "learn", SAMPLES)
    url.note("learn", learn)
    smooth = name == "drawn" or (name in TARGETS and TARGETS[name].smooth)
    if learn != SAMPLES and not smooth:
        st.error(
            f"{TARGET_NAMES[name]} has no smooth formula to follow, so the flow learns from samples of it.",
            icon=":material/error:",
        )
    values["objective"] = OBJECTIVES[learn] if smooth else "likelihood"
    url.note("base", BASES[values["base"]])
    url.note("seed", values["seed"])
    name = pretrained_for(CNFConfig(target=target, **values))
    begin = _choice("Weights at the start", (TRAINED, RANDOM), "begin", url, disabled=not name)
    if name and begin == TRAINED:
        values["start"] = name
    return target, values


def _live_controls(url: Url, continuous: bool) -> dict[str, Any]:
    values: dict[str, Any] = {"lr": _scale("Learning rate", "lr", 0.005, RATES, url)}
    if not continuous:
        return values
    method = choose("Solver", METHOD_CHOICES, "method", "dopri5", format_func=lambda m: METHODS[m].label)
    url.note("method", METHODS[method].label)
    values["method"] = method
    if METHODS[method].adaptive:
        values["rtol"] = values["atol"] = _scale("Tolerance", "rtol", 1e-3, TOLERANCES, url)
    else:
        values["dt"] = _scale("Step size", "dt", 0.1, STEPS, url)
    trace = choose("Trace", list(TRACES), "trace", "exact", format_func=TRACES.__getitem__)
    url.note("trace", TRACES[trace])
    kinetic = _scale("Kinetic penalty", "kinetic", 0.0, PENALTIES, url)
    return values | {"divergence": trace, "kinetic": kinetic}


def _choice(label: str, options: tuple[str, ...], key: str, url: Url, disabled: bool = False) -> str:
    chosen = st.segmented_control(
        label,
        options,
        default=options[0],
        key=key,
        bind="query-params",
        required=True,
        disabled=disabled,
        help="There is no trained flow for this target with these settings." if disabled else None,
    )
    url.note(key, chosen)
    return str(chosen or options[0])


def _scale(label: str, key: str, default: float, values: Any, url: Url) -> float:
    value = st.select_slider(
        label, list(values), default, key=key, format_func=lambda v: f"{v:g}", bind="query-params"
    )
    url.note(key, value)
    return float(value)
