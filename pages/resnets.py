"""ResNets to ODEs: jumps become curves. Controls -> two pictures of one trained net -> error and cost against L."""

from __future__ import annotations

import streamlit as st

from node_core.studies.resnets.limit_config import (
    DEPTHS,
    FIRST_DEPTH,
    NETS,
    DepthConfig,
    LimitConfig,
    LimitResult,
)
from node_core.studies.resnets.snippets import limit_snippet
from node_core.training.classifier.checkpoint import pretrained
from node_core.visualization.resnets.limit import count_info, depth_figure, error_info
from pages.ui.address import Url
from pages.ui.later import rest_may_come
from pages.ui.layout import choose, explain, formula_and_code, lesson_header, look_for, presented
from pages.ui.live.chart import live_chart
from pages.ui.live.run import live_run, live_view
from pages.ui.study import study

LIMIT = "node_core.studies.resnets.limit:run"
PICTURE = "node_core.studies.resnets.limit:advance"

RESNET = r"h_{l+1} = h_l + \tfrac{T}{L}\, f(t_l, h_l)"
ODE = r"\tfrac{dh}{dt} = f(t, h)"
LIMIT_EQUATION = rf"{RESNET} \;\xrightarrow{{L \to \infty}}\; {ODE}"


def _controls() -> tuple[str, int]:
    url = Url()
    left, right = st.columns([1, 2], gap="medium")
    with left:
        net = choose("Trained net", list(NETS), "net", "moons", format_func=lambda key: NETS[key])
        url.note("net", NETS[net])
    with right, presented("slider"):
        layers = st.select_slider(
            "Layers L",
            DEPTHS,
            FIRST_DEPTH,
            key="layers",
            bind="query-params",
            help="All layers share the block that the ODE-Net was trained with; a deeper ResNet takes shorter jumps.",
        )
        url.note("layers", layers)
    complaints = url.complaints()
    if complaints:
        st.warning("  \n".join(complaints), icon=":material/link_off:")
    return net, int(layers)


def _canvas(name: str, title: str, equation: str, config: DepthConfig, view: str) -> None:
    with presented("picture", name):
        st.markdown(f"**{title}** &ensp; ${equation}$")
        live_view(
            live_run(PICTURE, config, name=name),
            height=470,
            view="space" if view == "space" else "plane",
            layers=("boundary", "points", "paths"),
            offered=("boundary", "points", "paths"),
            key=f"view_{name}",
            subject=f"{NETS[config.net]}: {title}",
        )


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _pictures(net: str, layers: int, result: LimitResult | None) -> None:
    saved = pretrained(net).config
    view = "space" if saved.dim + saved.augment > 2 else "plane"
    left, right = st.columns(2, gap="medium")
    with left:
        _canvas(
            "depth", f"ResNet: {_counted(layers, 'jump', 'jumps')}", RESNET, DepthConfig(net, layers), view
        )
    with right:
        _canvas("limit", "ODE-Net: L → ∞", ODE, DepthConfig(net), view)
    sentence = (
        "The same data and the same weights: more layers, shorter jumps, until the arrows are the curves."
    )
    if result is not None:
        index = DEPTHS.index(layers)
        sentence += (
            f" With L = {layers} the points end {result.error[index]:.2g} from where the ODE takes them, and "
            f"{result.accuracy[index]:.0%} are in their class ({result.ode_accuracy:.0%} by the ODE)."
        )
    look_for(sentence)
    formula_and_code(LIMIT_EQUATION, limit_snippet(saved, layers))


def _studies(result: LimitResult, layers: int) -> None:
    left, right = st.columns(2, gap="medium")
    code = limit_snippet(pretrained(result.config.net).config, layers)
    with left:
        st.subheader("How fast it gets there")
        live_chart(
            depth_figure(error_info(result, layers)), "error", "Distance to the ODE against the layers"
        )
        explain(
            f"Twice the layers, half the distance: the measured slope is −{result.slope:.2f}. A ResNet with shared "
            "weights is Euler's method, of order 1.",
            r"\|h_L - h(T)\| \approx \frac{C}{L}",
            code,
        )
    with right:
        st.subheader("What it costs")
        live_chart(depth_figure(count_info(result, layers)), "counts", "Parameters against the layers")
        explain(
            f"With a block for each layer, {_counted(layers, 'layer has', 'layers have')} "
            f"{result.block * layers + result.head:,} parameters; "
            f"the ODE-Net has {result.block + result.head:,} at any depth, and its solver took {result.ode_nfe} "
            "evaluations of f.",
            r"\#\text{ResNet} = L\,\#f + \#W, \quad \#\text{ODE-Net} = \#f + \#W",
        )


def _page() -> None:
    lesson_header("ResNets to ODEs")
    net, layers = _controls()
    result: LimitResult | None = study(LIMIT, LimitConfig(net))
    _pictures(net, layers, result)
    if result is not None and rest_may_come():
        _studies(result, layers)


_page()
