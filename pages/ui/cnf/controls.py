"""The controls of the CNF lesson: what may change while it trains, and what begins a new run; all in the URL."""

from __future__ import annotations

from typing import Any

import streamlit as st

from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS
from node_core.solvers.methods import METHODS
from node_core.training.flow.checkpoint import pretrained_for
from node_core.training.flow.config import MATCHING, CNFConfig, Objective
from pages.ui.address import Url, sentence
from pages.ui.cnf.target import drawn_target, image_target
from pages.ui.layout import choose, log_grid, whole_number
from pages.ui.live.controls import Preset, scale, set_controls, show_complaints, solver_controls

LOOSE, LONG = 0.03, 0.2  # a tolerance and a step that show
METHOD_CHOICES = ("dopri5", "tsit5", "bosh3", "dopri8", "euler", "midpoint", "rk4")
RATES = log_grid(1e-4, 1.0)
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
BY: dict[Objective, str] = {
    "likelihood": "likelihood",
    "flow_matching": "flow matching",
    "ot_flow_matching": "flow matching, OT pairs",
    "reflow": "reflow: its own pairs",
}
"""How samples are learned from, by the objective; the net is kept when it changes."""
MATCHED = {
    "flow_matching": "No ODE is solved now: the field learns the mean velocity of straight lines from noise to "
    "samples, hundreds of iterations a second. Where many lines cross, the paths bend.",
    "ot_flow_matching": "No ODE is solved now, and optimal transport joins each batch's noise and samples: its "
    "straight lines hardly cross, so that the paths become straight.",
    "reflow": "The flow learns the straight lines between the ends of its own paths, as they were when this was "
    "chosen: watch the paths straighten while what they lead to stays.",
}
TRAINED, RANDOM = "trained", "random"
_PLAY = "cnf play"

WATCH = {
    "two_moons": "Watch t run: the Gaussian is pulled apart in the middle and each half bends into a moon.",
    "two_circles": "A continuous map can't tear the plane: the ring's hole opens where few particles are, and a thin "
    "bridge of density stays.",
    "eight_gaussians": "Eight arms grow out of the Gaussian; between them stay thin bridges, which no flow can cut.",
    "pinwheel": "The Gaussian is drawn out into blades, then turned.",
    "two_spirals": "The longest way: its NFE grew while the arms were wound up, as the curve beside shows.",
    "s_curve": "Watch t run: two hollows open in the Gaussian, one on each side, until the S is left.",
}
DIRECTIONS = {
    "reverse_kl": "KL(q‖p) asks only where the flow's own particles are: a part of the target that it never visits "
    "costs nothing, so it may settle in one and forget the others.",
    "forward_kl": "KL(p‖q) asks where the target is: a part left out costs much, so the flow covers all of them, and "
    "the gaps between them too. Its own samples are weighed by p/q, which is rough while few of them count.",
}


_FLOW = {
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
    "by": "likelihood",
}
PRESETS = {
    key: Preset(TARGET_NAMES[key], {"target": key, **_FLOW})
    for key in ("two_moons", "two_circles", "eight_gaussians", "pinwheel", "s_curve", "two_spirals")
}
"""The trained flow of a target."""


def take_runner(flow: str, size: int, target: str) -> None:
    """Set the controls to a runner of the precomputed race and play it (in a callback, before the next run)."""
    planar = flow == "planar"
    values = {"target": target, "flow": PLANAR if planar else PAPER, "learn": DENSITY, "seed": 0, "lr": 0.01}
    values |= {"base": "normal", "by": "likelihood", "layers" if planar else "width": size}
    set_controls(values)
    st.session_state[_PLAY] = True


def asked_to_play() -> bool:
    """Whether the last click was on something that is to run at once; told once."""
    return bool(st.session_state.pop(_PLAY, False))


def watch_for(config: CNFConfig) -> str:
    """What to see with this target."""
    if config.objective in DIRECTIONS:
        return DIRECTIONS[config.objective]
    if config.objective in MATCHED:
        return MATCHED[config.objective]
    if not config.start:
        what = f"Press Play and watch the {BASES[config.base]} learn to move"
        if config.flow != "cnf":
            return f"{what}: it leaps from layer to layer, with no time between."
        return f"{what}; scrub t meanwhile.{_coarse(config)}"
    return WATCH[config.target.name] + _coarse(config)


def _coarse(config: CNFConfig) -> str:
    """What to add where the solver is so loose that it shows."""
    loose = config.rtol >= LOOSE if METHODS[config.method].adaptive else config.dt >= LONG
    return (
        " With steps as coarse as these the solver has its part in what you see: *Audit* says how large."
        * loose
    )


def cnf_controls() -> CNFConfig | None:
    """Draw the controls; a value that can't be used is told in a sentence, and the answer is then None."""
    url = Url()
    with st.container(border=True):
        st.markdown("**Density and flow** :gray[a change begins a new run]")
        target, structure = _structure_controls(url)
    with st.container(border=True):
        st.markdown("**While it trains** :gray[takes effect at once]")
        live = _live_controls(url, structure["flow"] == "cnf", structure["objective"])
    show_complaints(url)
    try:
        return CNFConfig(target=target, **{**structure, **live})
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return None


def ask_target(url: Url) -> TargetConfig:
    """Ask for the density to learn."""
    name = choose("Target", list(TARGET_NAMES), "target", "two_moons", format_func=TARGET_NAMES.__getitem__)
    url.note("target", TARGET_NAMES[name])
    if name == "drawn":
        return drawn_target()
    return image_target() if name == "image" else TargetConfig(name)


def _structure_controls(url: Url) -> tuple[TargetConfig, dict[str, Any]]:
    target = ask_target(url)
    name = target.name
    flow = choose("Flow", FLOWS, "flow", MLP)
    url.note("flow", flow)
    values: dict[str, Any] = {"seed": 0}
    if flow in (MLP, PAPER):
        width = int(scale("Width", "width", 64, SIZES, url))
        values |= {"flow": "cnf", "field": "mlp" if flow == MLP else "hypernetwork"}
        values |= {"hidden": (width, width)} if flow == MLP else {"width": width}
    else:
        values |= {"flow": "planar" if flow == PLANAR else "realnvp"}
        values |= {"depth": int(scale("Layers", "layers", 8, LAYERS, url))}
    first, second = st.columns([1.5, 1])
    with first:
        values["base"] = choose("Noise", list(BASES), "base", "normal", format_func=BASES.__getitem__)
    with second:
        values["seed"] = whole_number("Seed", "seed", 0, 0, 9999)
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
    begin = one_of("Weights at the start", (TRAINED, RANDOM), "begin", url, disabled=not name)
    if name and begin == TRAINED:
        values["start"] = name
    return target, values


def _live_controls(url: Url, continuous: bool, objective: Objective) -> dict[str, Any]:
    values: dict[str, Any] = {"lr": scale("Learning rate", "lr", 0.005, RATES, url)}
    if not continuous:
        return values
    if objective == "likelihood":
        objective = choose("Trained by", list(BY), "by", "likelihood", format_func=BY.__getitem__)
        url.note("by", BY[objective])
    values |= {"objective": objective, **solver_controls(METHOD_CHOICES, url)}
    if objective in MATCHING:  # no solve has a trace to be estimated, or a length to be penalised
        return values
    trace = choose("Trace", list(TRACES), "trace", "exact", format_func=TRACES.__getitem__)
    url.note("trace", TRACES[trace])
    kinetic = scale("Kinetic penalty", "kinetic", 0.0, PENALTIES, url)
    return values | {"divergence": trace, "kinetic": kinetic}


def one_of(label: str, options: tuple[str, ...], key: str, url: Url, disabled: bool = False) -> str:
    """Ask for one of a few words; disabled where nothing was trained beforehand."""
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
