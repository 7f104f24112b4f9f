"""The controls of the time series lesson: what may change while it trains, what begins a new run; all in the URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from node_core.training.series.checkpoint import pretrained, pretrained_for
from node_core.training.series.config import MADE, SeriesConfig
from node_core.training.series.own import OwnSeries
from node_core.training.series.presets import CO2, HARES, SPIRALS, with_model
from pages.ui.address import Url, sentence, set_control
from pages.ui.layout import choose, log_grid, slide, slide_int, switch, whole_number
from pages.ui.live.controls import (
    STEPS,
    TOLERANCES,
    Preset,
    scale,
    set_controls,
    show_complaints,
    solver_controls,
)
from pages.ui.series.edits import edits_of, keep_edits
from pages.ui.series.own_data import keep, kept, own_series

SETS = {
    "spirals": "Spirals",
    "hares": "Hares and lynxes",
    "co2": "CO2 at Mauna Loa",
    "theophylline": "Theophylline, 12 patients",
    "pendulum": "Pendulum, angle only",
    "sines": "Two sines",
    "events": "Events",
    "own": "Your CSV file",
}
MODELS = {
    "latent_ode": "Latent ODE",
    "ode_rnn": "ODE-RNN",
    "gru": "GRU (an RNN)",
    "neural_ode": "Neural ODE, fitted directly",
    "lotka_volterra": "Lotka-Volterra",
    "universal": "Universal ODE",
}
ENCODERS = {"gru": "GRU, told the gaps", "ode_rnn": "ODE-RNN"}
METHOD_CHOICES = ("dopri5", "tsit5", "bosh3", "dopri8", "euler", "midpoint", "rk4")
TRAINED, FRESH = "Already trained", "From scratch"
NOTHING = "nothing"
MOST_OBSERVATIONS = 100

BASES: dict[str, SeriesConfig] = {
    "spirals": SPIRALS,
    "hares": HARES,
    "co2": replace(CO2, shown=54),
    "theophylline": replace(SPIRALS, data="theophylline", observations=8, data_noise=0.0, batch=16),
    "pendulum": replace(SPIRALS, data="pendulum", data_noise=0.1, n_train=300, n_test=100, n_times=60),
    "sines": replace(SPIRALS, data="sines", data_noise=0.1, n_train=300, n_test=100, n_times=60),
    "events": replace(
        SPIRALS,
        data="events",
        likelihood="poisson",
        data_noise=0.0,
        n_train=300,
        n_test=100,
        observations=100,
    ),
    "own": replace(SPIRALS, data_noise=0.0, observations=60),
}
"""With what each set begins; a table of one's own comes to its settings (`_base`)."""


def _scale(options: Sequence[float], field: str) -> list[float]:
    """Round numbers, and what the sets begin with."""
    return sorted({*options, *(getattr(base, field) for base in BASES.values())})


RATES = _scale(log_grid(1e-4, 1.0), "lr")
NOISES = _scale(log_grid(0.01, 1.0), "noise")
KL_WEIGHTS = _scale((0.0, *log_grid(1e-3, 10.0, (1.0, 3.0))), "kl_weight")
WINDOWS = _scale((0, 26, 52, 104, 156, 208, 520), "window")
WIDTHS = sorted({4, 8, 16, 24, 32, 48, 64, 96, *(base.hidden[0] for base in BASES.values())})


def _nearest(options: Sequence[float], value: float) -> float:
    return min(options, key=lambda option: abs(option - value))


def _on_slider(share: float) -> float:
    """The nearest share that its slider can show."""
    return round(20 * share) / 20


def _case(name: str) -> dict[str, Any]:
    """What a preset sets: the data, and everything else as that set begins."""
    return {"data": name, "start": TRAINED, "beside": NOTHING, **_values(BASES[name])}


def _values(config: SeriesConfig) -> dict[str, Any]:
    """Controls and what they show for a configuration."""
    return {
        "model": config.model,
        "width": int(_nearest(WIDTHS, config.hidden[0])),
        "latent": config.latent,
        "encoder": config.encoder,
        "window": int(_nearest(WINDOWS, config.window)),
        "holdout": _on_slider(config.holdout),
        "log": config.log,
        "trend": config.trend,
        "data_noise": config.data_noise,
        "seed": config.seed,
        "observations": min(config.observations, MOST_OBSERVATIONS),
        "noise": _nearest(NOISES, config.noise),
        "kl": _nearest(KL_WEIGHTS, config.kl_weight),
        "lr": _nearest(RATES, config.lr),
        "method": config.method,
        "rtol": _nearest(TOLERANCES, config.rtol),
        "dt": _nearest(STEPS, config.dt),
        "shown": config.shown,
    }


PRESETS = {
    "spirals": Preset("Spirals, 30 points", _case("spirals"), icon=":material/cyclone:"),
    "hares": Preset("Hares and lynxes", _case("hares"), icon=":material/cruelty_free:"),
    "co2": Preset("CO2 with real gaps", _case("co2"), icon=":material/co2:"),
    "own": Preset("Own CSV", {"data": "own", "beside": NOTHING}, icon=":material/upload_file:"),
}

WATCH = {
    "spirals": "One spiral of a test set, seen 30 times with much noise. Take observations away, or give it two: the "
    "band of what it believes widens. It is too sure of itself, though: with thirty the truth often lies outside. "
    "Beyond the last one the latent ODE just goes on by its field.",
    "hares": "Twenty years of furs, the last five kept back. A known law with four numbers foresees them better than a "
    "net that fits the past more closely: change the model and see.",
    "co2": "Weeks at Mauna Loa, some of them really missing; the trend is taken off before learning and put on again. "
    "Straight lines and the spline cross the gaps well too; what they can't do is go on. Series 54 is 1963 to 1965, "
    "with the longest gap, among those that were learned from; 0 to 32 were kept for testing.",
    "theophylline": "A drug in the blood, measured eleven times at uneven hours. Ten patients are learned from, and "
    "the model reads another one's few points.",
    "pendulum": "Only the angle is seen. The velocity, without which nobody could foresee the next swing, is something "
    "that the latent state has to find by itself.",
    "sines": "Two sines of different speed. What is beyond the last observation depends on both phases being read "
    "rightly.",
    "events": "Events, counted in fifty intervals. The curve is the rate that the model believes in, of a Poisson "
    "process; the dashed one is the true rate.",
    "own": "Your own series. Compare the curve with straight lines and the spline before you believe in it.",
}
DIRECT = (
    " A direct fit knows this series alone: it has no encoder, so that changed observations move the curve only while "
    "it trains."
)
FORESEES = (
    " A recurrent net foresees each value from those before it: between observations it does not look ahead, and "
    "before the first it has nothing to say."
)


@dataclass(frozen=True)
class Choice:
    """The run that the widgets describe (None where they cannot), and what is trained beside it."""

    config: SeriesConfig | None
    beside: str


def watch_for(config: SeriesConfig) -> str:
    """What to see with these series and this model."""
    what = WATCH[config.data]
    if config.model in ("gru", "ode_rnn"):
        return what + FORESEES
    return what + DIRECT if config.direct else what


def started_at(config: SeriesConfig) -> str:
    """How long the weights were trained beforehand, in a sentence; "" if they were not."""
    if not config.start:
        return ""
    done = pretrained(config.start)[1].iteration
    return f"Its first {done:,} iterations were run beforehand: choose *{FRESH}* and Play to watch them."


def series_controls() -> Choice:
    """Draw the controls; a value that can't be used is told in a sentence, and the config is then None."""
    url = Url()
    with st.container(border=True):
        st.markdown("**Series and model** :gray[a change begins a new run]")
        base = _data_and_model(url)
        structure = None if base is None else _structure_controls(base, url)
    with st.container(border=True):
        st.markdown("**While it trains** :gray[takes effect at once]")
        live = _live_controls(base or BASES["spirals"], url)
    beside = _beside(base, url)
    config = None
    try:
        if base is not None and structure is not None:
            config = replace(base, **structure, **live)
            config = _beginning(replace(config, edited=edits_of(config)), url)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
    show_complaints(url)
    return Choice(config, beside)


def _data_and_model(url: Url) -> SeriesConfig | None:
    """Which series and which model: with what these begin, or None while there is no table."""
    name = _select("Series", SETS, "data", "spirals", _new_data)
    url.note("data", SETS[name])
    base = BASES[name]
    if name == "own":
        own = own_series()
        if own is None:
            return None
        base = _base(name, own)
    models = _models_for(base)
    if st.session_state.get("model", base.model) not in models:
        set_control("model", base.model)
    model = _select("Model", {key: MODELS[key] for key in models}, "model", base.model, _new_model)
    url.note("model", MODELS[model])
    return _of_model(base, model)


def _base(name: str, own: OwnSeries | None) -> SeriesConfig:
    """With what a set begins; with the user's table, where that is meant and there is one."""
    base = BASES[name]
    return replace(base, data="own", own=own) if name == "own" and own is not None else base


def _select(label: str, options: dict[str, str], key: str, default: str, on_change: Any) -> str:
    chosen = st.selectbox(
        label,
        list(options),
        list(options).index(default),
        key=key,
        format_func=lambda name: options.get(name, str(name)),
        on_change=on_change,
        bind="query-params",
    )
    return default if chosen is None else str(chosen)


def _models_for(base: SeriesConfig) -> tuple[str, ...]:
    if base.data == "events":
        return ("latent_ode",)
    two = base.data == "hares" or (base.data == "own" and len(base.own.value_names) == 2)
    return (
        tuple(MODELS)
        if two
        else tuple(name for name in MODELS if name not in ("lotka_volterra", "universal"))
    )


def _of_model(base: SeriesConfig, model: str) -> SeriesConfig:
    if model == base.model:
        return base
    if model in ("lotka_volterra", "universal"):
        base = replace(base, log=True)
    return with_model(base, model)


def _new_data() -> None:
    """Another set begins as it should, whatever was chosen for the last one (in a callback)."""
    set_controls({"beside": NOTHING, **_values(BASES[st.session_state["data"]])})


def _new_model() -> None:
    """Another model begins with the sizes that suit it (in a callback)."""
    base = _base(st.session_state.get("data", "spirals"), kept())
    wanted = _values(_of_model(base, st.session_state["model"]))
    set_controls({key: wanted[key] for key in ("width", "latent", "encoder", "log", "noise", "lr", "kl")})


def _structure_controls(base: SeriesConfig, url: Url) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if base.model != "lotka_volterra":
        width = int(
            scale(
                "Width of the field" if base.model != "gru" else "Width", "width", base.hidden[0], WIDTHS, url
            )
        )
        values["hidden"] = (width,) * len(base.hidden)
    if base.model == "latent_ode":
        values["latent"] = slide_int("Latent dimensions", "latent", base.latent, 2, 12)
        url.note("latent", values["latent"])
        values["encoder"] = choose("Encoder", list(ENCODERS), "encoder", base.encoder, ENCODERS.__getitem__)
        url.note("encoder", ENCODERS[values["encoder"]])
    if base.data in MADE and base.data != "events":
        values["data_noise"] = slide("Noise of the data", "data_noise", base.data_noise, 0.0, 1.0, 0.05)
        url.note("data_noise", values["data_noise"])
    values |= _cut_controls(base, url)
    if not base.log and base.data == "own":
        values["log"] = switch("Learn logarithms", "log", help="Of values that are all above zero.")
        url.note("log", values["log"])
    values["seed"] = whole_number("Seed", "seed", 0, 0, 9999)
    url.note("seed", values["seed"])
    return values


def _cut_controls(base: SeriesConfig, url: Url) -> dict[str, Any]:
    """How a series is cut: its end that is only foreseen, windows of a long one, the trend that is taken off."""
    values: dict[str, Any] = {}
    holdout = slide("Share at the end only foreseen", "holdout", _on_slider(base.holdout), 0.0, 0.6, 0.05)
    url.note("holdout", holdout)
    exact = abs(holdout - base.holdout) < 0.03  # the set's own share need not be on the slider
    values["holdout"] = base.holdout if exact else holdout
    if base.data in ("co2", "own") and not base.direct:
        window = scale("Window, observations (0: whole)", "window", base.window, WINDOWS, url)
        values["window"] = int(window)
    if base.data in ("co2", "own"):
        values["trend"] = slide_int("Trend taken off: degree", "trend", base.trend, 0, 2)
        url.note("trend", values["trend"])
    return values


def _live_controls(base: SeriesConfig, url: Url) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if not base.direct:
        values["observations"] = slide_int(
            "Observations", "observations", min(base.observations, MOST_OBSERVATIONS), 2, MOST_OBSERVATIONS
        )
        url.note("observations", values["observations"])
    if base.likelihood == "normal":
        values["noise"] = scale("Noise σ of the model", "noise", base.noise, NOISES, url)
    if base.model == "latent_ode":
        values["kl_weight"] = scale(
            "KL weight", "kl", base.kl_weight, sorted({*KL_WEIGHTS, base.kl_weight}), url
        )
    values["lr"] = scale("Learning rate", "lr", base.lr, RATES, url)
    if base.model not in ("gru", "ode_rnn"):
        values |= solver_controls(METHOD_CHOICES, url)
    values["shown"] = whole_number(
        "Series shown",
        "shown",
        base.shown,
        0,
        9999,
        help="First those for testing, then those that were learned from.",
    )
    url.note("shown", values["shown"])
    if base.model == "latent_ode":
        pairs = ["1, 2", "1, 3", "2, 3", "1, 4", "2, 4", "3, 4"]
        pair = choose("Latent plane", pairs, "plane", "1, 2")
        url.note("plane", pair)
        values["plane_x"], values["plane_y"] = (int(word) - 1 for word in pair.split(", "))
    return values


def _beside(base: SeriesConfig | None, url: Url) -> str:
    """What is trained beside the run."""
    own = None if base is None else base.model
    offered = [
        NOTHING,
        *(MODELS[key] for key in (_models_for(base) if base is not None else ()) if key != own),
    ]
    if len(offered) == 1:
        return ""
    if st.session_state.get("beside", NOTHING) not in offered:
        set_control("beside", NOTHING)
    chosen = choose("Beside it", offered, "beside", NOTHING)
    url.note("beside", chosen)
    return next((key for key, label in MODELS.items() if label == chosen), "")


def _beginning(config: SeriesConfig, url: Url) -> SeriesConfig:
    """Ask what to begin with, where there is a choice."""
    name = pretrained_for(config)
    if not name:
        return config
    chosen = st.segmented_control(
        "Begin with", [TRAINED, FRESH], default=TRAINED, required=True, key="start", bind="query-params"
    )
    url.note("start", chosen)
    return replace(config, start=name) if chosen == TRAINED else config


def beside_config(config: SeriesConfig, model: str) -> SeriesConfig:
    """The same series with another model, trained if there is one that was."""
    other = replace(_of_model(replace(config, start=""), model), edited=config.edited)
    return replace(other, start=pretrained_for(other)) if config.start else other


def show_config(config: SeriesConfig) -> SeriesConfig:
    """Set the widgets to a configuration (in a callback, before the next run), and say what they then describe."""
    if config.data == "own":
        keep(config.own)
    set_controls({"data": config.data, "beside": NOTHING, **_values(config)})
    set_control("start", TRAINED if config.start else FRESH)
    if config.edited:
        keep_edits(config)
    base = _of_model(_base(config.data, config.own), config.model)
    widths = (int(_nearest(WIDTHS, config.hidden[0])),) * len(base.hidden)
    names = ("data_noise", "holdout", "log", "trend", "window", "seed", "start", "latent", "encoder", "shown")
    same: dict[str, Any] = {name: getattr(config, name) for name in names}
    return replace(base, hidden=base.hidden if config.model == "lotka_volterra" else widths, **same)
