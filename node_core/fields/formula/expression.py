"""Arithmetic expressions as data: derivative, LaTeX, and compilation to a fast function of arrays.

An expression is a tree of five node types, and nothing else can be in it; `node_core.fields.formula.formula` builds
such trees from text. Compilation goes tree -> Python syntax tree -> code object, never through source text,
and the function sees no builtins. Torch-free at import.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A state, `t`, a parameter, or one of `CONSTANTS`."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """-argument."""

    argument: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """The operation `left operator right`, operator one of + - * / ^."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A listed function of one or two arguments."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Number | Name | Negative | Binary | Call

CONSTANTS = {"pi": math.pi, "e": math.e}
ZERO, ONE, TWO = Number(0.0), Number(1.0), Number(2.0)
MAX_DERIVATIVE_NODES = 5000


def _add(a: Expression, b: Expression) -> Expression:
    return b if a == ZERO else a if b == ZERO else Binary("+", a, b)


def _subtract(a: Expression, b: Expression) -> Expression:
    return a if b == ZERO else _negative(b) if a == ZERO else Binary("-", a, b)


def _multiply(a: Expression, b: Expression) -> Expression:
    if ZERO in (a, b):
        return ZERO
    return b if a == ONE else a if b == ONE else Binary("*", a, b)


def _divide(a: Expression, b: Expression) -> Expression:
    return ZERO if a == ZERO else a if b == ONE else Binary("/", a, b)


def _power(a: Expression, b: Expression) -> Expression:
    return ONE if b == ZERO else a if b == ONE else Binary("^", a, b)


def _negative(a: Expression) -> Expression:
    return ZERO if a == ZERO else a.argument if isinstance(a, Negative) else Negative(a)


def _square(a: Expression) -> Expression:
    return Binary("^", a, TWO)


def _call(name: str, *arguments: Expression) -> Call:
    return Call(name, arguments)


_OUTER: dict[str, Callable[[Expression], Expression]] = {
    "sin": lambda u: _call("cos", u),
    "cos": lambda u: _negative(_call("sin", u)),
    "tan": lambda u: _add(ONE, _square(_call("tan", u))),
    "asin": lambda u: _divide(ONE, _call("sqrt", _subtract(ONE, _square(u)))),
    "acos": lambda u: _negative(_divide(ONE, _call("sqrt", _subtract(ONE, _square(u))))),
    "atan": lambda u: _divide(ONE, _add(ONE, _square(u))),
    "exp": lambda u: _call("exp", u),
    "log": lambda u: _divide(ONE, u),
    "log2": lambda u: _divide(ONE, _multiply(Number(math.log(2.0)), u)),
    "log10": lambda u: _divide(ONE, _multiply(Number(math.log(10.0)), u)),
    "sqrt": lambda u: _divide(Number(0.5), _call("sqrt", u)),
    "abs": lambda u: _call("sign", u),
    "sinh": lambda u: _call("cosh", u),
    "cosh": lambda u: _call("sinh", u),
    "tanh": lambda u: _subtract(ONE, _square(_call("tanh", u))),
    "sigmoid": lambda u: _multiply(_call("sigmoid", u), _subtract(ONE, _call("sigmoid", u))),
    "sign": lambda u: ZERO,
    "heaviside": lambda u: ZERO,
    "floor": lambda u: ZERO,
    "ceil": lambda u: ZERO,
}
"""The derivative of each function of one argument, as an expression of that argument."""

ARITY = {**dict.fromkeys(_OUTER, 1), "min": 2, "max": 2, "mod": 2}
"""Every function that a formula may call, and how many arguments it takes."""


def names_in(expression: Expression) -> list[str]:
    """The names in an expression, each once, in order of appearance."""
    found: dict[str, None] = {}

    def visit(e: Expression) -> None:
        if isinstance(e, Name):
            found[e.name] = None
        for child in _children(e):
            visit(child)

    visit(expression)
    return list(found)


def _children(e: Expression) -> tuple[Expression, ...]:
    if isinstance(e, Negative):
        return (e.argument,)
    if isinstance(e, Binary):
        return (e.left, e.right)
    return e.arguments if isinstance(e, Call) else ()


def size(expression: Expression) -> int:
    """The number of nodes."""
    return 1 + sum(size(child) for child in _children(expression))


def constant_value(e: Expression) -> float | None:
    """The value of an expression of numbers and constants only; None for others and if not finite."""
    unknown = [name for name in names_in(e) if name not in CONSTANTS]
    if unknown:
        return None
    value = float(Compiled((e,), (), ())(0.0, (), {}, np)[0])
    return value if math.isfinite(value) else None


def derivative(e: Expression, name: str) -> Expression:
    """The partial derivative of `e` with respect to `name`, with zeros and ones simplified away.

    Kinks get one-sided values: abs' = sign; min and max follow the argument that they return. Where a function jumps
    (sign, heaviside, floor, ceil, mod) the jump is left out.
    """
    if isinstance(e, Number):
        return ZERO
    if isinstance(e, Name):
        return ONE if e.name == name else ZERO
    if isinstance(e, Negative):
        return _negative(derivative(e.argument, name))
    if isinstance(e, Call):
        inner = [derivative(argument, name) for argument in e.arguments]
        if len(inner) == 1:
            return ZERO if inner[0] == ZERO else _multiply(_OUTER[e.function](e.arguments[0]), inner[0])
        if e.function == "mod":  # u - v floor(u / v)
            whole = _call("floor", _divide(*e.arguments))
            return _subtract(inner[0], _multiply(whole, inner[1]))
        if inner[0] == inner[1]:
            return inner[0]
        larger, smaller = e.arguments if e.function == "max" else reversed(e.arguments)
        return _call("_where_ge", larger, smaller, *inner)  # the first argument is returned
    u, v = e.left, e.right
    du, dv = derivative(u, name), derivative(v, name)
    if e.operator == "+":
        return _add(du, dv)
    if e.operator == "-":
        return _subtract(du, dv)
    if e.operator == "*":
        return _add(_multiply(du, v), _multiply(u, dv))
    if e.operator == "/":
        return _subtract(_divide(du, v), _divide(_multiply(u, dv), _square(v)))
    lowered = Number(v.value - 1) if isinstance(v, Number) else Binary("-", v, ONE)
    by_base = _multiply(_multiply(v, _power(u, lowered)), du)
    by_exponent = _multiply(_multiply(e, _call("log", u)), dv) if dv != ZERO else ZERO
    return _add(by_base if du != ZERO else ZERO, by_exponent)


def jacobian(expressions: Sequence[Expression], states: Sequence[str]) -> tuple[Expression, ...] | None:
    """All d expressions[i] / d states[j], row by row; None if they grow past `MAX_DERIVATIVE_NODES`."""
    entries = tuple(derivative(e, state) for e in expressions for state in states)
    return entries if sum(map(size, entries)) <= MAX_DERIVATIVE_NODES else None


# --- compilation ---

_OPERATORS: dict[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "^": ast.Pow,
}
_NUMPY_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "min": "minimum", "max": "maximum"}


def _is_plain(*values: Any) -> bool:
    return all(isinstance(value, (float, int)) for value in values)


def _quiet(function: Callable[..., Any]) -> Callable[..., float]:
    """A NumPy function on plain numbers: inf or nan instead of Python's exceptions and complex results."""

    def plain(*values: float) -> float:
        with np.errstate(all="ignore"):
            return float(function(*(np.float64(v) for v in values)))

    return plain


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # no overflow on either side


def _heaviside(x: Any) -> Any:
    return np.heaviside(x, 0.5)


_NUMPY: dict[str, Callable[..., Any]] = {
    name: getattr(np, _NUMPY_NAMES.get(name, name)) for name in ARITY if name not in ("sigmoid", "heaviside")
} | {"sigmoid": _sigmoid, "heaviside": _heaviside}
"""What each function is in NumPy."""

_PLAIN: dict[str, Callable[..., float]] = {
    **{name: _quiet(function) for name, function in _NUMPY.items()},
    "_divide": _quiet(np.divide),
    "_power": _quiet(np.power),
    "_where_ge": lambda a, b, u, v: u if a >= b else v,
}
"""Functions of plain numbers only (parameters and a float t)."""


def _numpy_functions() -> dict[str, Any]:
    functions: dict[str, Any] = {**_NUMPY, "_where_ge": lambda a, b, u, v: np.where(a >= b, u, v)}
    functions |= {"_divide": _either("_divide", np.divide), "_power": _either("_power", np.power)}
    return functions


def _either(name: str, on_arrays: Callable[..., Any]) -> Callable[..., Any]:
    """`on_arrays`, or its plain version when every argument is a plain number."""
    plain = _PLAIN[name]

    def function(*values: Any) -> Any:
        return plain(*values) if _is_plain(*values) else on_arrays(*values)

    return function


def _torch_functions(xp: ModuleType) -> dict[str, Any]:
    """Functions of tensors, plain numbers, or a mixture: torch's own refuse plain numbers."""

    def minimum(a: Any, b: Any) -> Any:
        if _is_plain(b):
            return xp.clamp(a, max=b)
        return xp.clamp(b, max=a) if _is_plain(a) else xp.minimum(a, b)

    def maximum(a: Any, b: Any) -> Any:
        if _is_plain(b):
            return xp.clamp(a, min=b)
        return xp.clamp(b, min=a) if _is_plain(a) else xp.maximum(a, b)

    on_tensors: dict[str, Callable[..., Any]] = {
        name: getattr(xp, name) for name in ARITY if ARITY[name] == 1 and name != "heaviside"
    }
    on_tensors |= {"min": minimum, "max": maximum, "mod": xp.remainder}
    on_tensors["heaviside"] = lambda x: 0.5 * (1.0 + xp.sign(x))
    on_tensors |= {"_divide": lambda a, b: a / b, "_power": lambda a, b: a**b}
    functions = {name: _either(name, function) for name, function in on_tensors.items()}

    def where_ge(a: Any, b: Any, u: Any, v: Any) -> Any:
        if _is_plain(a, b):
            return u if a >= b else v
        like = b if _is_plain(a) else a  # of two plain numbers torch.where would make float32
        u, v = (like.new_full((), w) if _is_plain(w) else w for w in (u, v))
        return xp.where(a >= b, u, v)

    return functions | {"_where_ge": where_ge}


class Compiled:
    """Expressions as one function `(t, components, p, xp) -> tuple` (of rows when `columns` is given).

    Pickles as its expressions; two with equal expressions are equal.
    """

    def __init__(
        self,
        expressions: tuple[Expression, ...],
        states: tuple[str, ...],
        parameters: tuple[str, ...],
        columns: int | None = None,
    ) -> None:
        self._key = (expressions, states, parameters, columns)
        self._parameters = parameters
        self._columns = columns
        self._code = self._compile(expressions, states, parameters)
        self._functions: dict[ModuleType, FunctionType] = {np: self._bind(_numpy_functions())}

    def __call__(self, t: Any, y: Sequence[Any], p: Any, xp: ModuleType) -> tuple[Any, ...]:
        """Evaluate at time t, components y (each of the batch shape) and parameters p."""
        function = self._functions.get(xp)
        if function is None:
            function = self._functions[xp] = self._bind(_torch_functions(xp))
        flat: tuple[Any, ...] = function(t, *y, *[p[name] for name in self._parameters])
        if self._columns is None:
            return flat
        return tuple(flat[i : i + self._columns] for i in range(0, len(flat), self._columns))

    def __reduce__(self) -> tuple[Any, ...]:
        return Compiled, self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compiled) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def _bind(self, functions: dict[str, Any]) -> FunctionType:
        scope = {f"f_{name}": function for name, function in functions.items()}
        return FunctionType(self._code, {"__builtins__": {}, **scope})

    @staticmethod
    def _compile(
        expressions: tuple[Expression, ...], states: tuple[str, ...], parameters: tuple[str, ...]
    ) -> CodeType:
        """The code object of `lambda t, s_x, ..., p_mu, ...: (...)`; prefixes keep names apart."""
        variables = {"t": "t"} | {s: f"s_{s}" for s in states} | {p: f"p_{p}" for p in parameters}
        body = ast.Tuple([_to_python(e, variables, frozenset(states)) for e in expressions], ast.Load())
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(variable) for variable in variables.values()],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
        constants = compile(tree, "<formula>", "eval").co_consts
        return next(constant for constant in constants if isinstance(constant, CodeType))


def _to_python(e: Expression, variables: dict[str, str], states: frozenset[str]) -> ast.expr:
    """The Python syntax tree of an expression whose names are all in `variables` or `CONSTANTS`."""
    if isinstance(e, Number):
        return ast.Constant(float(e.value))
    if isinstance(e, Name):
        if e.name in variables:
            return ast.Name(variables[e.name], ast.Load())
        return ast.Constant(CONSTANTS[e.name])
    if isinstance(e, Negative):
        return ast.UnaryOp(ast.USub(), _to_python(e.argument, variables, states))
    parts = [_to_python(child, variables, states) for child in _children(e)]
    if isinstance(e, Call):
        return ast.Call(ast.Name(f"f_{e.function}", ast.Load()), parts, [])
    # Python's own / and ** raise on plain numbers (1 / 0); with a state in them, the operands are arrays
    if e.operator in "/^" and states.isdisjoint(names_in(e)):
        helper = "f__divide" if e.operator == "/" else "f__power"
        return ast.Call(ast.Name(helper, ast.Load()), parts, [])
    return ast.BinOp(parts[0], _OPERATORS[e.operator](), parts[1])
