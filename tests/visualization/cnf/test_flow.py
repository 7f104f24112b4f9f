"""Pictures of flows: what they are told is what they draw."""

import numpy as np
import plotly.graph_objects as go
import pytest

from node_core.cnf.painted import TargetConfig
from node_core.studies.cnf.audit_config import Band, Check, CNFAuditConfig, CNFAuditResult
from node_core.studies.cnf.cost_config import WAYS, CNFCostConfig, CNFCostResult
from node_core.studies.cnf.race_config import SIZES, TIMES, load_race
from node_core.training.flow.config import CNFConfig
from node_core.visualization.cnf.flow import (
    band_figure,
    cost_figure,
    likelihood_info,
    round_trip_figure,
    theorem_figure,
    theorem_info,
)
from node_core.visualization.cnf.race import densities_figure, learned_figure, race_figure
from node_core.visualization.training_curves import Run

ROWS = [{"iteration": i, "loss": 3.0 - 0.1 * i} for i in range(1, 6)]


def named(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def sine_arrays() -> dict[str, np.ndarray]:
    """One particle whose density first rises, then falls: -tr = cos(pi t), log p = sin(pi t) / pi."""
    ts = np.linspace(0, 1, 51)
    return {
        "trajectory_ts": ts.astype(np.float32),
        "divergence": -np.cos(np.pi * ts)[:, None].repeat(2, 1),
        "log_prob": (np.sin(np.pi * ts) / np.pi)[:, None].repeat(2, 1),
    }


def test_the_likelihood_is_minus_the_loss_below_the_best_possible() -> None:
    info = likelihood_info(Run("", ROWS), -2.0, "likelihood", "r")
    curve, best = info.curves
    assert np.allclose(curve.y, [-2.9, -2.8, -2.7, -2.6, -2.5])
    assert np.array_equal(best.y, [-2.0, -2.0])
    assert not info.log_y
    assert info.revision == "r"


def test_a_divergence_to_a_known_density_is_drawn_as_it_is() -> None:
    info = likelihood_info(Run("", ROWS), None, "reverse_kl")
    assert np.allclose(info.curves[0].y, [2.9, 2.8, 2.7, 2.6, 2.5])
    assert "log q − log p" in info.y_title


def test_before_the_first_iteration_there_is_nothing_to_draw() -> None:
    assert likelihood_info(Run("", []), -2.0, "likelihood").curves == ()


def test_the_shaded_area_is_what_log_p_changes_by() -> None:
    info = theorem_info(sine_arrays(), 1)
    assert info is not None
    figure = theorem_figure(info)
    areas = []
    for name, sign in (("the density rises", 1), ("the density falls", -1)):
        trace = named(figure, name)
        assert np.all(sign * np.asarray(trace.y) >= 0)
        areas.append(np.trapezoid(trace.y, trace.x))
    assert areas[0] == pytest.approx(1 / np.pi, abs=1e-3)
    assert areas[1] == pytest.approx(-1 / np.pi, abs=1e-3)
    change = info.log_prob[-1] - info.log_prob[0]
    assert sum(areas) == pytest.approx(change, abs=1e-3)
    assert "area = " in figure.layout.annotations[0].text


def test_only_a_flow_in_time_and_a_particle_that_exists_have_a_path() -> None:
    assert theorem_info({"trajectories": np.zeros((2, 3, 2))}, 0) is None
    with pytest.raises(ValueError, match="particle 2: choose 0 to 1"):
        theorem_info(sine_arrays(), 2)


def audit(band: Band | None) -> CNFAuditResult:
    config = CNFAuditConfig(CNFConfig(TargetConfig("blobs")))
    checks = (
        Check("loose", 1.01, np.array([1e-3, 1e-2]), 14),
        Check("tight", 1.0, np.array([0.0, 1e-6]), 80),
    )
    return CNFAuditResult(config, 5, checks, -2.5, -2.4, band)


def test_the_band_holds_the_exact_line_and_a_discrete_flow_has_none() -> None:
    ts = np.linspace(0, 1, 5)
    estimates = np.stack([ts, -ts, 2 * ts, -2 * ts])
    figure = band_figure(audit(Band(ts, 0 * ts, estimates)))
    assert figure is not None
    band = named(figure, "mean of 4 ± 2 standard errors")
    assert max(band.y) == pytest.approx(2 * estimates[:, -1].std(ddof=1) / 2)
    assert np.array_equal(named(figure, "exact trace").y, 0 * ts)
    assert band_figure(audit(None)) is None


def test_the_round_trips_of_both_solvers_end_at_all_samples() -> None:
    figure = round_trip_figure(audit(None))
    assert [trace.name for trace in figure.data] == ["loose", "tight"]
    assert all(trace.y[-1] == 100 for trace in figure.data)
    assert min(figure.data[1].x) > 0  # a logarithmic axis has no zero


def test_the_cost_is_drawn_for_every_way_with_its_exponent() -> None:
    dims = np.array([2, 4, 8])
    seconds = {way: 1e-3 * (k + 1) * dims.astype(float) for k, way in enumerate(WAYS)}
    config = CNFCostConfig(dims=(2, 4, 8))
    figure = cost_figure(CNFCostResult(config, dims, seconds, dict.fromkeys(WAYS, 1.04), 0.0))
    assert len(figure.data) == len(WAYS)
    assert np.allclose(figure.data[1].y, 2 * dims)
    assert all("1.0" in trace.name for trace in figure.data)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_the_race_draws_every_flow_in_equal_units() -> None:
    race = load_race()
    figure = densities_figure(race)
    assert len(figure.data) == 1 + 2 * len(SIZES)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[0] == "target"
    assert [title[:5] for title in titles[1:4]] == ["K = 2", "K = 8", "K = 3"]
    assert len(race_figure(race).data) == len(race.runners)
    learned = learned_figure(race.learned[0], race.extent)
    assert len(learned.data) == len(TIMES) + 2
    assert learned.layout.yaxis2.scaleanchor == "x2"
