"""Typed formulas: values, Jacobians, LaTeX, errors that point at a character, and attacks that must fail."""

import math
import pickle

import numpy as np
import pytest
import torch

from node_core.fields.formula.formula import free_parameters, parse_field, parse_formula
from node_core.fields.formula.parser import MAX_DEPTH, MAX_LENGTH, FormulaError
from node_core.fields.systems.systems import SYSTEMS, Parameter

VALUES = [
    ("y", lambda x, y, t: y),
    ("1", lambda x, y, t: np.ones_like(x)),
    ("-x^2", lambda x, y, t: -(x**2)),
    ("2^-1*x", lambda x, y, t: 0.5 * x),
    ("2^3^2 + x", lambda x, y, t: 512 + x),
    ("x**2 - y/3*2", lambda x, y, t: x**2 - y / 3 * 2),
    ("x - y - 1", lambda x, y, t: x - y - 1),
    ("1/x/y", lambda x, y, t: 1 / x / y),
    ("--x + +y", lambda x, y, t: x + y),
    ("sin(x)*cos(y) + tan(t)", lambda x, y, t: np.sin(x) * np.cos(y) + np.tan(t)),
    ("asin(x/3) + acos(y/3) + atan(x)", lambda x, y, t: np.arcsin(x / 3) + np.arccos(y / 3) + np.arctan(x)),
    ("exp(-x) + log(y) + sqrt(x*y)", lambda x, y, t: np.exp(-x) + np.log(y) + np.sqrt(x * y)),
    ("abs(x - y) + sign(y - x)", lambda x, y, t: np.abs(x - y) + np.sign(y - x)),
    ("sinh(x) + cosh(y) + tanh(x*y)", lambda x, y, t: np.sinh(x) + np.cosh(y) + np.tanh(x * y)),
    ("sigmoid(x - 2*y)", lambda x, y, t: 1 / (1 + np.exp(-(x - 2 * y)))),
    ("min(x, y) + max(x, 1) * min(0.5, t)",
     lambda x, y, t: np.minimum(x, y) + np.maximum(x, 1) * np.minimum(0.5, t)),
    ("max(1, t) + min(2, x)", lambda x, y, t: np.maximum(1, t) + np.minimum(2, x)),
    ("pi*x + e^y + 1.5e-1 + .5 + 2.", lambda x, y, t: np.pi * x + np.e**y + 2.65),
    ("x^y + y^0.5 + (x + y)^(1/3)", lambda x, y, t: x**y + y**0.5 + (x + y) ** (1 / 3)),
    ("x − y·2 + y × 3 ÷ x", lambda x, y, t: x - y * 2 + y * 3 / x),
    ("π*x", lambda x, y, t: np.pi * x),
    ("sin(pi*t)*x/2^t", lambda x, y, t: np.sin(np.pi * t) * x / 2**t),
    ("ln(x) + log2(y) + log10(x*y) - log(y)",
     lambda x, y, t: np.log(x) + np.log2(y) + np.log10(x * y) - np.log(y)),
    ("heaviside(x - 1)*y + H(1 - x) + step(t - 1)", lambda x, y, t: np.where(x > 1, y, 1.0)),
    ("mod(x + 3*y, 0.7) + mod(x, y)", lambda x, y, t: (x + 3 * y) % 0.7 + x % y),
    ("|x - y|*|1 - |x|| + 2*|y|", lambda x, y, t: abs(x - y) * abs(1 - abs(x)) + 2 * abs(y)),
    ("floor(3*x) + ceil(y) + sgn(y - x)", lambda x, y, t: np.floor(3 * x) + np.ceil(y) + np.sign(y - x)),
    ("arcsin(x/3) + arccos(y/3) - arctan(x)",
     lambda x, y, t: np.arcsin(x / 3) + np.arccos(y / 3) - np.arctan(x)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[text for text, _ in VALUES])
def test_a_formula_has_its_value_in_numpy_and_in_torch(text, expected):
    rng = np.random.default_rng(3)
    y = rng.uniform(0.4, 1.8, (6, 2))
    f = parse_field({"x": text, "y": "0"}).field()
    value = np.broadcast_to(expected(y[:, 0], y[:, 1], 0.3), (6,))
    np.testing.assert_allclose(f(0.3, y)[:, 0], value, rtol=1e-13)
    np.testing.assert_allclose(f(0.3, torch.tensor(y))[:, 0].numpy(), value, rtol=1e-13)
    np.testing.assert_allclose(f(0.3, y[2])[0], value[2], rtol=1e-13)
    times = np.full((6, 1), 0.3)
    np.testing.assert_allclose(f(times, y)[:, 0], value, rtol=1e-13)
    np.testing.assert_allclose(f(torch.tensor(times), torch.tensor(y))[:, 0].numpy(), value, rtol=1e-13)
    assert f(0.3, y.astype(np.float32)).dtype == np.float32
    assert f(0.3, torch.tensor(y, dtype=torch.float32)).dtype == torch.float32


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[text for text, _ in VALUES])
def test_the_symbolic_jacobian_equals_autograd(text, expected):
    f = parse_field({"x": text, "y": "x*y"}).field()
    y = np.random.default_rng(5).uniform(0.4, 1.8, (4, 2))
    ours = f.jacobian(0.3, y)
    np.testing.assert_allclose(ours, f.jacobian(0.3, torch.tensor(y)).numpy(), rtol=1e-12)
    for row, jacobian in zip(y, ours, strict=True):
        by_autograd = torch.autograd.functional.jacobian(lambda z: f(0.3, z), torch.tensor(row))
        np.testing.assert_allclose(jacobian, by_autograd.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mu", [0.5, 5.0])
def test_a_typed_van_der_pol_is_the_built_in_one(mu):
    typed = parse_field({"x": "y", "y": "mu*(1-x^2)*y - x"}, {"mu": Parameter("mu", r"\mu", 1.0, 0.0, 10.0)})
    built_in, f = SYSTEMS["van_der_pol"].field(mu=mu), typed.field(mu=mu)
    y = np.random.default_rng(1).normal(size=(5, 2))
    np.testing.assert_allclose(f(0.0, y), built_in(0.0, y))
    np.testing.assert_allclose(f.jacobian(0.0, y), built_in.jacobian(0.0, y))
    with pytest.raises(ValueError, match=r"mu = 11 .* 0 to 10"):
        typed.field(mu=11)


def test_free_names_become_parameters_in_order_of_appearance():
    assert free_parameters("b*x + a*sin(t*pi) + b*e") == ("b", "a")
    assert free_parameters(["u*v", "k*u"], states=("u", "v")) == ("k",)
    system = parse_field({"x": "k*y", "y": "-w*x"}, {"w": 4.0})
    assert {p.name: p.default for p in system.parameters} == {"w": 4.0, "k": 1.0}
    np.testing.assert_allclose(system.field(k=3.0)(0.0, np.array([1.0, 2.0])), [6.0, -4.0])


def test_greek_letters_are_names():
    assert free_parameters("μ*x + λ") == ("mu", "lambda_")
    assert parse_formula("λ*x").latex == r"\lambda\,x"


def test_one_to_six_states_of_any_name_are_read():
    system = parse_field({"u1": "-u1 + u2", "u2": "u3", "u3": "-u1"})
    assert system.state_names == ("u1", "u2", "u3")
    np.testing.assert_allclose(system.field()(0.0, np.array([1.0, 2.0, 3.0])), [1.0, 3.0, -1.0])
    assert parse_field({"y": "t - y^2"}).field()(1.0, np.array([[2.0]])) == [[-3.0]]


def test_division_by_zero_and_overflow_give_inf_or_nan_and_no_exception():
    field = parse_field({"x": "1/a + x", "y": "log(a - 1) + exp(1000*y) + a^-2"}).field(a=0.0)
    with np.errstate(all="raise"):
        out = field(0.0, np.array([1.0, 1.0]))
    assert out[0] == math.inf
    assert math.isnan(out[1])
    out = field(0.0, torch.ones(2, dtype=torch.float64))
    assert out[0] == math.inf
    assert math.isnan(out[1])


def test_gradients_flow_through_a_formula():
    y = torch.tensor([[0.7, 1.2]], dtype=torch.float64, requires_grad=True)
    f = parse_field({"x": "sin(x)*y^2 + min(x, 2)", "y": "1"}).field()
    assert torch.autograd.gradcheck(lambda z: f(0.0, z), (y,))


def test_a_typed_system_survives_pickling_and_compares_by_value():
    system = parse_field({"x": "y", "y": "-a*x"}, {"a": 2.0})
    copy = pickle.loads(pickle.dumps(system))
    assert copy == system
    assert hash(copy) == hash(system)
    assert copy != parse_field({"x": "y", "y": "-a*y"}, {"a": 2.0})
    np.testing.assert_array_equal(copy.field()(0.0, np.ones(2)), system.field()(0.0, np.ones(2)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mu*(1-x^2)*y - x", r"\mu\,\left(1 - x^{2}\right)\,y - x"),
        ("x/(1+y)", r"\frac{x}{1 + y}"),
        ("(x+y)^2", r"\left(x + y\right)^{2}"),
        ("-x^2", "-x^{2}"),
        ("(-x)^2", r"\left(-x\right)^{2}"),
        ("x-(y-1)", r"x - \left(y - 1\right)"),
        ("x-(-y)", r"x - \left(-y\right)"),
        ("2*3*x", r"2 \cdot 3\,x"),
        ("sqrt(x)*exp(-y)", r"\sqrt{x}\,e^{-y}"),
        ("sin(x)^2", r"\left(\sin\left(x\right)\right)^{2}"),
        ("abs(k_1)+speed", r"\left|k_{1}\right| + \mathrm{speed}"),
        ("|x| + H(t - 1)", r"\left|x\right| + H\left(t - 1\right)"),
        ("log10(x)*mod(x, 2)", r"\log_{10}\left(x\right)\,x \bmod 2"),
        ("floor(x/2)", r"\left\lfloor \frac{x}{2} \right\rfloor"),
        ("1e-5*x", r"10^{-5}\,x"),
        ("min(x, y)", r"\min\left(x, y\right)"),
    ],
)
def test_a_formula_is_shown_as_mathematics(text, shown):
    assert parse_formula(text).latex == shown


@pytest.mark.parametrize(
    ("text", "position", "word"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("2x", 1, "2*x"),
        ("x y", 2, "x*y"),
        ("2(x+1)", 1, "2*(...)"),
        ("(x+1)(y)", 5, "(...)*(...)"),
        ("(x+1)y", 5, "(...)*y"),
        ("x(y)", 0, "x*(...)"),
        ("1 + sn(x)", 4, "did you mean sin?"),
        ("sin x", 0, "sin(x)"),
        ("x + ", 4, "breaks off"),
        ("x + * y", 4, "missing before '*'"),
        ("*x", 0, "missing before '*'"),
        ("(x + y", 0, "never closed"),
        ("x*(y + (1 - x)", 2, "never closed"),
        ("sin(x", 3, "never closed"),
        ("x + y)", 5, "no opening"),
        ("()", 1, "missing before ')'"),
        ("max(x)", 5, "two arguments"),
        ("max(x, y, 1)", 8, "2 argument"),
        ("sin(x, y)", 5, "1 argument"),
        ("0,5*x", 1, "0.5"),
        ("x = y", 2, "right-hand side"),
        ("y'", 1, "text"),
        ("x²", 1, "^2"),
        ("x + $", 4, "cannot be in a formula"),
        ("x//y", 2, "missing before '/'"),
        ("x % 2", 2, "remainder"),
        ("x % 2", 2, "mod(x, y)"),
        ("|x", 0, "never closed"),
        ("|x + (y|", 7, "closes nothing"),
        ("x|y", 1, "closes nothing"),
        ("cot(x)", 0, "1/tan(...)"),
        ("relu(x)", 0, "max(x, 0)"),
        ("pulse(t)", 0, "heaviside(t - 1) - heaviside(t - 2)"),
        ("mod(x)", 5, "two arguments"),
        ("x + 1e99", 4, "too large"),
        ("x^(30 + 1)", 2, "exponent"),
        ("1.2.3", 3, "1.2*.3"),
        ("y*if", 2, "reserved"),
        ("x\n+y", 1, "U+000A"),
    ],
)
def test_an_error_points_at_the_character(text, position, word):
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    error = caught.value
    assert error.position == position
    assert word in error.sentence
    assert error.text == text
    sentence, _, caret = str(error).split("\n")
    assert sentence == error.sentence
    assert caret == " " * position + "^"


ATTACKS = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "x.real",
    "sin.__globals__",
    "lambda: 1",
    "(lambda x: x)(1)",
    "[x for x in (1, 2)]",
    "{x: y}",
    "x[0]",
    "'a' * 10",
    '"a"',
    "f'{x}'",
    "f(x)",
    "(x := 1)",
    "9**9**9",
    "9^9^9^9",
    "x^1000",
    "x^-1000",
    "2^(1/0)",
    "(" * 60 + "x" + ")" * 60,
    "-" * 100 + "x",
    "x^" * 60 + "x",
    "abs(" * 40 + "x" + ")" * 40,
    "x" + "+x" * 1000,
    "9" * 150,
    "sin(x=1)",
    "sin(*x)",
    "max(*x, **y)",
    "exec('1')",
    "eval(x)",
    "open(x)",
    "print(x)",
    "getattr(x, y)",
    "True if x else y",
    "x if y else 1",
    "not x",
    "x and y",
    "x < y",
    "x == y",
    "x; y",
    "import os",
    "yield x",
    "await x",
    "x @ y",
    "x << 9",
    "~x",
    "x # y",
    "`x`",
    "1j*x",
    "0x10",
    "1_000*x",
    "_x",
    "a__b",
    "ｓｉｎ(x)",
    "x ＋ y",
    "е^x",  # Cyrillic
    "١ + x",  # Arabic digit
    "x\x00",
    "x\u202e+y",
    "\ufeffx",
    "x\\\n+y",
    "None",
    "...",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_is_refused(text):
    with pytest.raises(FormulaError):
        parse_formula(text)


def test_names_of_pythons_own_are_mere_parameters_without_any_power():
    f = parse_field({"x": "print + open*x", "y": "s_x + f_sin"}).field()
    np.testing.assert_allclose(f(0.0, np.array([2.0, 0.0])), [3.0, 2.0])


def test_limits_refuse_one_past_what_they_allow():
    parse_formula("x" + "+x" * ((MAX_LENGTH - 1) // 2))
    parse_formula("(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH)
    with pytest.raises(FormulaError, match="201 characters"):
        parse_formula("x" * (MAX_LENGTH + 1))
    with pytest.raises(FormulaError, match="deeper"):
        parse_formula("(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1))


def test_the_longest_formulas_still_compile_and_may_go_without_a_jacobian():
    long = parse_field({"x": "x" + "*x" * 99, "y": "y" + "/x" * 99})
    assert long.jacobian is None
    np.testing.assert_allclose(long.field()(0.0, np.array([1.0, 2.0])), [1.0, 2.0])
    assert pickle.loads(pickle.dumps(long)) == long


@pytest.mark.parametrize(
    ("equations", "parameters", "word"),
    [
        ({}, {}, "0 equations"),
        ({f"x{i}": "1" for i in range(7)}, {}, "7 equations"),
        ({"t": "1"}, {}, "'t'"),
        ({"sin": "1"}, {}, "'sin'"),
        ({"pi": "1"}, {}, "'pi'"),
        ({"lambda": "1"}, {}, "'lambda'"),
        ({"x.y": "1"}, {}, "'x.y'"),
        ({"x": "x"}, {"x": 1.0}, "'x'"),
        ({"x": "a"}, {"a": math.inf}, "a = inf"),
        ({"x": "a"}, {"a": Parameter("b", "b", 1.0, 0.0, 2.0)}, "'b'"),
        ({"x": "+".join(f"a{i}" for i in range(13))}, {}, "13 parameters"),
    ],
)
def test_bad_names_and_numbers_are_refused(equations, parameters, word):
    with pytest.raises(ValueError, match=r"give|use") as caught:
        parse_field(equations, parameters)
    assert word in str(caught.value)


def test_a_formula_that_is_no_text_is_refused():
    with pytest.raises(FormulaError, match="not int"):
        parse_formula(3)  # type: ignore[arg-type]


def test_a_field_without_t_in_its_formulas_is_autonomous():
    assert parse_field({"x": "y", "y": "-sin(x)"}).field().autonomous
    assert not parse_field({"x": "y", "y": "-sin(x) + cos(t)"}).field().autonomous


def test_h_and_theta_are_parameters_where_no_bracket_follows() -> None:
    field = parse_field({"x": "H*x + theta*H(t - 1)"}, {"H": 2.0, "theta": 3.0}).field()
    assert field(0.0, np.array([1.5]))[0] == 3.0
    assert field(1.0, np.array([1.5]))[0] == 4.5  # half of the step at the step itself
    assert field(2.0, np.array([1.5]))[0] == 6.0
