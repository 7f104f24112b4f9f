"""Pictures of the race between planar and continuous flows (Chen et al. 2018, Figs. 4 and 5)."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from node_core.studies.cnf.race_config import SIZES, TIMES, CNFRace, Learned, Picture, Runner
from node_core.visualization.style import FONT_SIZE, lane_colour, layout_style, styled

SCALE = [[0.0, "rgba(112,96,230,0)"], [0.5, "rgba(112,96,230,0.75)"], [1.0, "rgba(214,71,143,1)"]]
FLOWS = {"planar": "Planar flow, K layers", "cnf": "CNF, M hidden units"}
LETTERS = {"planar": "K", "cnf": "M"}


def densities_figure(race: CNFRace) -> go.Figure:
    """The target, then a row of planar flows above a row of continuous ones, their KL divergence in the titles."""
    by_name: dict[tuple[str, int], Runner] = {(runner.flow, runner.size): runner for runner in race.runners}
    titles = ["target"]
    titles += [f"K = {k}: KL = {by_name['planar', k].kl:.2f}" for k in SIZES]
    titles += [f"M = {m}: KL = {by_name['cnf', m].kl:.2f}" for m in SIZES]
    figure = _grid(2, 4, titles, specs=[[{"rowspan": 2}, {}, {}, {}], [None, {}, {}, {}]])
    _add(figure, race.truth, race.extent, 1, 1)
    for row, flow in enumerate(("planar", "cnf"), start=1):
        for column, size in enumerate(SIZES, start=2):
            _add(figure, by_name[flow, size].picture, race.extent, row, column)
    return _finished(figure, 430)


def learned_figure(learned: Learned, extent: float) -> go.Figure:
    """The CNF's density from noise to data, then the planar flow's, and the truth."""
    titles = [f"t = {t:g}" for t in TIMES] + ["planar, K = 32", "target"]
    figure = _grid(1, len(titles), titles)
    for column, picture in enumerate((*learned.movie, learned.planar, learned.truth), start=1):
        _add(figure, picture, extent, 1, column)
    return _finished(figure, 190)


def race_figure(race: CNFRace) -> go.Figure:
    """KL(q || p) against the iteration: dotted for planar flows, solid for continuous ones."""
    figure = go.Figure()
    for runner in race.runners:
        figure.add_scatter(
            x=runner.iteration,
            y=runner.loss,
            name=f"{'planar' if runner.flow == 'planar' else 'CNF'}, {LETTERS[runner.flow]} = {runner.size}",
            line={
                "color": lane_colour(SIZES.index(runner.size)),
                "width": 2.5,
                "dash": "dot" if runner.flow == "planar" else "solid",
            },
            hovertemplate="%{y:.3f} nats at %{x:.0f}<extra>%{fullData.name}</extra>",
        )
    values = [float(v) for runner in race.runners for v in runner.loss if math.isfinite(v) and v > 0]
    low, high = math.log10(max(1e-3, min(values))), math.log10(max(values))
    axis = {"yaxis": {"type": "log", "range": [low - 0.1, high + 0.1], "exponentformat": "power"}}
    return styled(figure, height=360, x="iteration", y="KL(q || p), nats", layout=axis)


def _grid(
    rows: int, columns: int, titles: list[str], specs: list[list[dict | None]] | None = None
) -> go.Figure:
    return make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles,
        specs=specs,
        horizontal_spacing=0.012,
        vertical_spacing=0.1,
    )


def _add(figure: go.Figure, picture: Picture, extent: float, row: int, column: int) -> None:
    step = 2 * extent / picture.shape[0]
    figure.add_heatmap(
        z=picture.astype(int),
        x0=-extent + step / 2,
        dx=step,
        y0=-extent + step / 2,
        dy=step,
        colorscale=SCALE,
        zmin=0,
        zmax=255,
        showscale=False,
        hoverinfo="skip",
        zsmooth="best",
        row=row,
        col=column,
    )


def _finished(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout({**layout_style(height), "margin": {"l": 4, "r": 4, "t": 30, "b": 4}})
    figure.update_xaxes(visible=False, constrain="domain", fixedrange=True)
    figure.update_yaxes(visible=False, constrain="domain", fixedrange=True)
    for number in range(1, len(figure.data) + 1):
        name = "" if number == 1 else str(number)
        figure.update_layout({f"yaxis{name}": {"scaleanchor": f"x{name}", "scaleratio": 1}})
    figure.update_annotations(font_size=FONT_SIZE - 2)
    return figure
