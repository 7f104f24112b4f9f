"""ResNets to ODEs: jumps become curves. Controls -> two pictures of one trained net -> error and cost against L."""

from __future__ import annotations

import streamlit as st

from node_core.studies.resnet_limit_config import DEPTHS, NETS, DepthConfig, LimitConfig, LimitResult
from node_core.studies.training_snippets import limit_snippet
from node_core.training.checkpoint import pretrained
from node_core.visualization.resnet_race import count_info, depth_figure, error_info
from pages.ui.address import Url
from pages.ui.layout import choose, explain, page_header
from pages.ui.live import live_run, live_view
from pages.ui.live_chart import live_chart
from pages.ui.study import study

LIMIT = "node_core.studies.resnet_limit:run"
PICTURE = "node_core.studies.resnet_limit:advance"

RESNET = r"h_{l+1} = h_l + \tfrac{T}{L}\, f(t_l, h_l)"
ODE = r"\tfrac{dh}{dt} = f(t, h)"
LIMIT_EQUATION = rf"{RESNET} \;\xrightarrow{{L \to \infty}}\; {ODE}"
DEFAULT_DEPTH = 4


def _controls() -> tuple[str, int]:
    url = Url()
    left, right = st.columns([1, 2], gap="large")
    with left:
        net = choose("Trained net", list(NETS), "net", "moons", format_func=lambda key: NETS[key])
        url.note("net", NETS[net])
    with right:
        layers = st.select_slider(
            "Layers L",
            DEPTHS,
            DEFAULT_DEPTH,
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
    st.markdown(f"**{title}**")
    st.latex(equation)
    token = live_run(PICTURE, config, name=name)
    live_view(
        token,
        height=470,
        view="space" if view == "space" else "plane",
        layers=("boundary", "points", "paths"),
        offered=("boundary", "points", "paths"),
        key=f"view_{name}",
    )


def _pictures(net: str, layers: int, result: LimitResult | None) -> None:
    saved = pretrained(net).config
    view = "space" if saved.dim + saved.augment > 2 else "plane"
    left, right = st.columns(2, gap="medium")
    arrow = "jump" if layers == 1 else "jumps"
    with left:
        _canvas("depth", f"ResNet: {layers} {arrow}", RESNET, DepthConfig(net, layers), view)
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
    explain(sentence, LIMIT_EQUATION, limit_snippet(saved, layers))


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
            f"With a block for each layer, {layers} layers have {result.block * layers + result.head:,} parameters; "
            f"the ODE-Net has {result.block + result.head:,} at any depth, and its solver took {result.ode_nfe} "
            "evaluations of f.",
            r"\#\text{ResNet} = L\,\#f + \#W, \quad \#\text{ODE-Net} = \#f + \#W",
        )


def _page() -> None:
    page_header(
        "ResNets to ODEs", "Add layers to a residual network until its jumps become the curves of an ODE."
    )
    net, layers = _controls()
    result: LimitResult | None = study(LIMIT, LimitConfig(net))
    _pictures(net, layers, result)
    if result is not None:
        _studies(result, layers)


_page()
