"""LaTeX of expressions and names, for showing a typed formula as mathematics."""

from __future__ import annotations

import re

from node_core.fields.formula.expression import Binary, Call, Expression, Name, Negative, Number

GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
)
"""Names that are shown as Greek letters, in the order of those letters."""

_CAPITALS = {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"}
_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_COMMANDS = {"sin", "cos", "tan", "log", "sinh", "cosh", "tanh", "min", "max"}
_OTHER = {
    "asin": r"\arcsin",
    "acos": r"\arccos",
    "atan": r"\arctan",
    "sigmoid": r"\sigma",
    "heaviside": "H",
    "log2": r"\log_{2}",
    "log10": r"\log_{10}",
}


def name_latex(name: str) -> str:
    r"""A name in LaTeX: mu -> \mu, x1 and x_1 -> x_{1}, speed -> \mathrm{speed}."""
    match = re.fullmatch(r"([A-Za-z]+)_?([A-Za-z0-9_]*)", name)
    base, index = match.groups() if match else (name, "")
    if base in GREEK or base in _CAPITALS:
        letter = "\\" + ("varepsilon" if base == "epsilon" else base)
    else:
        letter = base if len(base) == 1 else rf"\mathrm{{{base}}}"
    return letter + (f"_{{{index}}}".replace("_", r"\_").replace(r"\_{", "_{", 1) if index else "")


def latex(expression: Expression) -> str:
    """The expression in LaTeX, with only the parentheses that precedence needs."""
    return _latex(expression)[0]


def _latex(e: Expression) -> tuple[str, int]:
    """LaTeX and binding strength."""
    if isinstance(e, Number):
        return _number(e.value)
    if isinstance(e, Name):
        return name_latex(e.name), _ATOM
    if isinstance(e, Negative):
        return "-" + _wrap(e.argument, _PRODUCT), _SUM
    if isinstance(e, Call):
        return _call(e)
    if e.operator == "/":
        return rf"\frac{{{latex(e.left)}}}{{{latex(e.right)}}}", _POWER
    if e.operator == "^":
        return f"{_wrap(e.left, _ATOM)}^{{{latex(e.right)}}}", _POWER
    if e.operator == "*":
        sign = r" \cdot " if _starts_with_digit(e.right) else r"\,"
        return f"{_wrap(e.left, _PRODUCT)}{sign}{_wrap(e.right, _PRODUCT)}", _PRODUCT
    right = _wrap(e.right, _PRODUCT if e.operator == "-" or isinstance(e.right, Negative) else _SUM)
    return f"{_wrap(e.left, _SUM)} {e.operator} {right}", _SUM


def _wrap(e: Expression, at_least: int) -> str:
    text, strength = _latex(e)
    return text if strength >= at_least else rf"\left({text}\right)"


def _starts_with_digit(e: Expression) -> bool:
    while isinstance(e, Binary) and e.operator in "*^":
        e = e.left
    return isinstance(e, Number)


def _number(value: float) -> tuple[str, int]:
    text = f"{value:.12g}"
    if "e" not in text:
        return text, _ATOM
    mantissa, exponent = text.split("e")
    power = f"10^{{{int(exponent)}}}"
    return (power, _POWER) if mantissa == "1" else (rf"{mantissa} \cdot {power}", _PRODUCT)


def _call(e: Call) -> tuple[str, int]:
    inner = ", ".join(latex(argument) for argument in e.arguments)
    if e.function == "sqrt":
        return rf"\sqrt{{{inner}}}", _ATOM
    if e.function == "abs":
        return rf"\left|{inner}\right|", _ATOM
    if e.function in ("floor", "ceil"):
        return rf"\left\l{e.function} {inner} \right\r{e.function}", _ATOM
    if e.function == "mod":
        left, right = (_wrap(argument, _PRODUCT) for argument in e.arguments)
        return rf"{left} \bmod {right}", _PRODUCT
    if e.function == "exp":
        return f"e^{{{inner}}}", _POWER
    if e.function in _COMMANDS:
        command = "\\" + e.function
    else:
        command = _OTHER.get(e.function, rf"\operatorname{{{e.function}}}")
    return rf"{command}\left({inner}\right)", _POWER
