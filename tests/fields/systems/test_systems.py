"""The registry of systems: NumPy and torch, shapes, Jacobians, closed forms, parameters."""

import pickle
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from node_core.fields.base import VectorField, namespace_of, stack_last
from node_core.fields.formula.formula import parse_field
from node_core.fields.systems.systems import SYSTEMS, Parameter, System, get_system, system_from_callable

ALL = [pytest.param(system, id=key) for key, system in SYSTEMS.items()]
EXACT = [pytest.param(system, id=key) for key, system in SYSTEMS.items() if system.exact is not None]


def states(system: System, *batch: int) -> np.ndarray:
    """Seeded states near the initial value, at the scale of each component."""
    rng = np.random.default_rng(7)
    scale = np.array([1.0, 1e-5, 1.0]) if system.key == "robertson" else np.ones(system.dim)
    return np.asarray(system.y0) + scale * rng.uniform(0.1, 0.9, (*batch, system.dim))


def test_the_registry_holds_every_system_of_the_lessons():
    assert {
        "linear_decay", "linear_spiral", "harmonic_oscillator", "pendulum", "lotka_volterra", "van_der_pol",
        "lorenz", "fitzhugh_nagumo", "robertson", "sudden_bend",
    } <= set(SYSTEMS)  # fmt: skip
    assert all(key == system.key for key, system in SYSTEMS.items())


@pytest.mark.parametrize("system", ALL)
def test_a_parameter_is_told_without_latex(system):
    for parameter in system.parameters:
        assert not set(parameter.words) & set("$\\{}")
        assert parameter.name.replace("_", "") in parameter.words.replace("_", "").translate(
            str.maketrans("₀₁₂₃", "0123")
        )


def test_typed_parameters_are_told_as_they_were_typed():
    system = parse_field({"x": "mu*x + speed*y + x1_2*Omega*k1", "y": "alpha_2*x"})
    words = ["μ (mu)", "speed", "x1_2", "Ω (Omega)", "k₁", "α₂ (alpha_2)"]
    assert [parameter.words for parameter in system.parameters] == words


@pytest.mark.parametrize("system", ALL)
def test_each_system_says_what_it_is_and_what_to_look_for(system):
    assert system.latex.count(r"\dot") >= system.dim
    assert system.look_for.endswith(".")
    assert system.look_for.count(". ") == 0
    assert max(system.plane) < system.dim or system.dim == 1
    for low, high in (*system.view, system.t_span):
        assert low < high
    frame = system.frame()
    assert frame.t_span == system.t_span
    assert frame.view == system.view
    assert frame.stiff == system.stiff
    if system.dim > 1:
        for i, (low, high) in zip(system.plane, system.view, strict=True):
            assert low <= system.y0[i] <= high


@pytest.mark.parametrize("system", ALL)
@pytest.mark.parametrize("batch", [(), (5,), (3, 4), (0,)])
def test_numpy_and_torch_agree_for_every_batch_shape(system, batch):
    f, y = system.field(), states(system, *batch)
    out = f(0.7, y)
    out_torch = f(0.7, torch.tensor(y))
    assert out.shape == y.shape
    assert out_torch.shape == y.shape
    np.testing.assert_allclose(out, out_torch.numpy(), rtol=1e-13, atol=1e-15)
    assert isinstance(f, VectorField)


@pytest.mark.parametrize("system", ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_of_the_state_is_kept(system, dtype):
    f, y = system.field(), states(system, 4).astype(dtype)
    assert f(np.float64(0.5), y).dtype == dtype
    assert f(0.5, y[0]).dtype == dtype
    tensor = torch.tensor(y)
    time = torch.tensor(0.5, dtype=torch.float64)
    for state in (tensor, tensor[0]):
        assert f(time, state).dtype == tensor.dtype
        assert f.jacobian(time, state).dtype == tensor.dtype


@pytest.mark.parametrize("system", ALL)
def test_a_batch_is_its_samples_with_times_of_their_own(system):
    f, y = system.field(), states(system, 5)
    times = np.linspace(2.9, 3.1, 5)
    expected = np.stack([f(float(t), row) for t, row in zip(times, y, strict=True)])
    np.testing.assert_allclose(f(times[:, None], y), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(f(times, y), expected, rtol=1e-12, atol=1e-15)
    column = torch.tensor(times)[:, None]
    np.testing.assert_allclose(f(column, torch.tensor(y)).numpy(), expected, rtol=1e-12, atol=1e-15)
    jacobians = np.stack([f.jacobian(float(t), row) for t, row in zip(times, y, strict=True)])
    np.testing.assert_allclose(f.jacobian(times[:, None], y), jacobians, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("system", ALL)
def test_the_jacobian_equals_autograd(system):
    f, y = system.field(), states(system, 3)
    ours = f.jacobian(2.95, y)
    assert ours.shape == (3, system.dim, system.dim)
    np.testing.assert_allclose(ours, f.jacobian(2.95, torch.tensor(y)).numpy(), rtol=1e-13)
    for row, jacobian in zip(y, ours, strict=True):
        by_autograd = torch.autograd.functional.jacobian(lambda z: f(2.95, z), torch.tensor(row))
        np.testing.assert_allclose(jacobian, by_autograd.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("system", EXACT)
def test_the_exact_solution_starts_at_y0_and_satisfies_the_equation(system):
    f = system.field()
    y0, t0 = np.asarray(system.y0) * 0.9, 0.4
    np.testing.assert_allclose(f.exact(np.array([t0]), y0, t0), [y0], rtol=1e-10, atol=1e-12)
    t, h = np.linspace(0.5, system.t_span[1], 41), 1e-4
    slope = (f.exact(t + h, y0, t0) - f.exact(t - h, y0, t0)) / (2 * h)
    np.testing.assert_allclose(slope, f(t, f.exact(t, y0, t0)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("y0", [(2.8, 0.0), (1.0, 1.0), (0.5, 3.0), (7.0, -2.5), (-4.0, 0.3), (0.0, 0.0)])
def test_the_pendulum_follows_its_elliptic_functions_swinging_and_rotating(y0):
    f = SYSTEMS["pendulum"].field(omega=1.3)
    t = np.linspace(0.0, 20.0, 30)
    reference = solve_ivp(f, (0, 20), y0, method="DOP853", rtol=1e-12, atol=1e-12, t_eval=t).y.T
    exact = f.exact(t, y0)
    assert exact is not None
    np.testing.assert_allclose(exact, reference, atol=1e-7)


def test_a_damped_pendulum_has_no_exact_solution():
    assert SYSTEMS["pendulum"].field(damping=0.1).exact(np.array([1.0]), (1.0, 0.0)) is None
    assert SYSTEMS["lorenz"].field().exact(np.array([1.0]), (1.0, 0.0, 0.0)) is None


@pytest.mark.parametrize("system", ALL)
def test_a_system_is_autonomous_just_when_its_field_does_not_depend_on_time(system):
    field, y = system.field(), np.array(system.y0) + 0.1
    values = [field(t, y) for t in (*np.linspace(system.t_span[0], system.t_span[1], 50), *field.jumps)]
    assert field.autonomous == all(np.array_equal(value, values[0]) for value in values)


def test_the_sudden_bend_turns_round_at_its_bend():
    f = SYSTEMS["sudden_bend"].field(bend=2.0, sharpness=200.0)
    before, after = f(1.9, np.array([1.0, 0.0])), f(2.1, np.array([1.0, 0.0]))
    assert before[1] == pytest.approx(1.2)
    assert after[1] == pytest.approx(-1.2)


@pytest.mark.parametrize("omega", [1.0, 0.3])
@pytest.mark.parametrize("damping", [0.0, 0.2, 0.6, 2.0])
@pytest.mark.parametrize("t0", [0.0, 4.9, 5.3, 9.0])
def test_the_struck_oscillator_is_solved_exactly_in_both_directions(omega, damping, t0):
    # 0.6 at omega = 0.3 is the damping that just lets nothing swing.
    f = SYSTEMS["struck_oscillator"].field(width=0.5, omega=omega, damping=damping)
    assert f.jumps == (5.0, 5.5)
    t = np.linspace(0.0, 10.0, 101)
    exact = f.exact(t, (0.3, -0.2), t0)
    assert exact is not None
    for end in (0.0, 10.0):
        stops = sorted({t0, end, *(s for s in f.jumps if min(t0, end) < s < max(t0, end))}, reverse=end < t0)
        y = np.array((0.3, -0.2))
        for a, b in pairwise(stops):
            push = 2.0 * (5.0 <= 0.5 * (a + b) < 5.5)
            found = solve_ivp(
                lambda _, z, push=push: [z[1], -(omega**2) * z[0] - damping * z[1] + push],
                (a, b), y, rtol=1e-12, atol=1e-13,
            )  # fmt: skip
            y = found.y[:, -1]
        np.testing.assert_allclose(exact[np.searchsorted(t, end)], y, atol=1e-9)
    assert f(5.2, np.zeros(2))[1] == 2.0
    assert f(4.999, np.zeros(2))[1] == f(5.5, np.zeros(2))[1] == 0.0


def test_robertson_conserves_mass_and_lorenz_is_at_rest_at_its_equilibrium():
    assert SYSTEMS["robertson"].field()(0.0, np.array([0.7, 2e-5, 0.3])).sum() == pytest.approx(
        0.0, abs=1e-12
    )
    side = np.sqrt(8 / 3 * 27)
    np.testing.assert_allclose(SYSTEMS["lorenz"].field()(0.0, np.array([side, side, 27.0])), 0.0, atol=1e-12)


def test_gradients_flow_through_the_state():
    y = torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: SYSTEMS["van_der_pol"].field(mu=3.0)(0.0, z), (y,))
    SYSTEMS["pendulum"].field()(0.0, y).sum().backward()
    assert y.grad is not None


def test_lists_and_integers_are_read_as_floats():
    f = SYSTEMS["van_der_pol"].field(mu=0.5)
    np.testing.assert_array_equal(f(0.0, [1, 2]), f(0.0, np.array([1.0, 2.0])))
    assert f(0.0, torch.tensor([2, 1])).dtype == torch.float32


def test_an_overflow_is_infinite_and_silent():
    assert not np.isfinite(SYSTEMS["van_der_pol"].field()(0.0, np.array([1e200, 1e200]))).all()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"mu": 5000}, ["mu = 5000", "0 to 1000"]),
        ({"mu": -1}, ["mu = -1", "0 to 1000"]),
        ({"mu": float("nan")}, ["mu = nan"]),
        ({"mu": "fast"}, ["'fast'", "not a number"]),
        ({"nu": 1.0}, ["'nu'", "mu"]),
    ],
)
def test_a_bad_parameter_is_refused_with_its_value_and_range(params, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are checked below
        SYSTEMS["van_der_pol"].field(**params)
    assert all(word in str(caught.value) for word in words)


def test_a_state_or_time_of_the_wrong_shape_is_refused():
    f = SYSTEMS["van_der_pol"].field()
    with pytest.raises(ValueError, match=r"2 state\(s\), but y has shape \(3,\)"):
        f(0.0, np.zeros(3))
    with pytest.raises(ValueError, match=r"shape \(\)"):
        f(0.0, torch.tensor(1.0))
    with pytest.raises(ValueError, match="one time a sample"):
        f(np.zeros((4, 2)), np.zeros((4, 2)))


def test_an_unknown_key_is_answered_with_the_known_ones():
    assert get_system("lorenz") is SYSTEMS["lorenz"]
    with pytest.raises(ValueError, match=r"'lorentz'.*lorenz"):
        get_system("lorentz")


@pytest.mark.parametrize("system", ALL)
def test_slider_positions_ascend_between_the_bounds_and_include_the_default(system):
    for parameter in system.parameters:
        positions = parameter.positions()
        assert list(positions) == sorted(set(positions))
        assert positions[0] == parameter.minimum
        assert positions[-1] == parameter.maximum
        assert parameter.default in positions
        assert len(positions) <= 250


def test_a_logarithmic_slider_covers_the_decades_from_zero():
    positions = SYSTEMS["van_der_pol"].parameters[0].positions()
    assert {0.0, 0.1, 1.0, 10.0, 100.0, 1000.0} <= set(positions)


def test_a_parameter_with_an_empty_range_or_a_default_outside_is_refused():
    with pytest.raises(ValueError, match="minimum < maximum"):
        Parameter("a", "a", 1.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="a = 3"):
        Parameter("a", "a", 3.0, 0.0, 2.0)


def test_the_frame_of_van_der_pol_grows_with_mu():
    slow = SYSTEMS["van_der_pol"].frame(mu=1000.0)
    assert slow.stiff
    assert slow.t_span[1] > 3000
    assert slow.view[1][1] > 1333
    with pytest.raises(ValueError, match="mu = 2000"):
        SYSTEMS["van_der_pol"].frame(mu=2000.0)


def test_systems_and_fields_survive_pickling():
    for system in SYSTEMS.values():
        assert pickle.loads(pickle.dumps(system)) == system
        f = pickle.loads(pickle.dumps(system.field()))
        np.testing.assert_array_equal(
            f(0.0, np.asarray(system.y0)), system.field()(0.0, np.asarray(system.y0))
        )


def turned(t, y):
    """A rotation on whole states whose speed grows with time."""
    return t * (y @ np.array([[0.0, 1.0], [-1.0, 0.0]])) if isinstance(y, np.ndarray) else t * y


def test_any_callable_becomes_a_system():
    system = system_from_callable(
        turned, key="turned", name="Turned", latex="", look_for="", y0=(1.0, 0.0), t_span=(0.0, 1.0),
        view=((-1, 1), (-1, 1)),
    )  # fmt: skip
    f = system.field()
    y = states(system, 3)
    np.testing.assert_allclose(f(2.0, y), turned(2.0, y))
    times = np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(f(times, y), turned(times, y))
    assert f(2.0, torch.tensor(y)).shape == (3, 2)
    assert not f.has_jacobian
    with pytest.raises(ValueError, match="no analytic Jacobian"):
        f.jacobian(0.0, y)


def test_stacking_without_a_model_takes_shape_and_dtype_from_the_components():
    np.testing.assert_array_equal(stack_last(np, [1.0, np.array([2.0, 3.0])]), [[1.0, 2.0], [1.0, 3.0]])
    out = stack_last(torch, [1.0, torch.tensor([2.0, 3.0])])
    assert torch.equal(out, torch.tensor([[1.0, 2.0], [1.0, 3.0]]))
    assert namespace_of(out) is torch
    assert namespace_of([1.0]) is np


def test_importing_and_using_systems_and_formulas_never_loads_torch():
    code = (
        "import sys, numpy as np\n"
        "import node_core.fields.base, node_core.fields.systems.systems as s, node_core.fields.formula.formula as g\n"
        "s.SYSTEMS['lorenz'].field().jacobian(0.0, np.ones(3))\n"
        "g.parse_field({'x': 'y', 'y': '-sin(x)'}).field()(0.0, np.ones(2))\n"
        "loaded = {'torch', 'streamlit', 'plotly'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
