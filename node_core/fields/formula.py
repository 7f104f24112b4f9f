r"""Vector fields that a user types: {"x": "y", "y": "mu*(1 - x^2)*y - x"} -> a `System` like any other.

Grammar (precedence as in mathematics, ^ and ** mean the same and bind to the right):

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/") signed)*
    signed  = ("+" | "-") signed | power
    power   = atom [("^" | "**") signed]
    atom    = number | name | function "(" sum ["," sum] ")" | "(" sum ")"

Only this can be written: the parser knows no attribute, index, string or keyword, and no text is ever handed
to Python. Length, nesting, numbers and exponents are limited. Names that are neither a state, `t`, a constant
nor a function become parameters. Torch-free at import.
"""

from __future__ import annotations

import difflib
import keyword
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from node_core.fields.expression import (
    ARITY,
    CONSTANTS,
    Binary,
    Call,
    Compiled,
    Expression,
    Name,
    Negative,
    Number,
    constant_value,
    jacobian,
    names_in,
)
from node_core.fields.expression_latex import GREEK, latex, name_latex
from node_core.fields.system import Interval, Parameter, System

MAX_LENGTH = 200
MAX_DEPTH = 20
MAX_NUMBER = 1e12
MAX_EXPONENT = 20.0
MAX_NAME_LENGTH = 20
MAX_STATES = 6
MAX_PARAMETERS = 12

_TYPOGRAPHY = {"−": "-", "–": "-", "·": "*", "⋅": "*", "×": "*", "÷": "/"}
_GREEK_LETTERS = {
    letter: "lambda_" if name == "lambda" else name  # lambda is a word of Python's
    for letter, name in zip("αβγδεζηθικλμνξπρστυφχψω", GREEK, strict=True)
}
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[A-Za-z][A-Za-z0-9_]*|[α-ω])"
    r"|(?P<symbol>\*\*|[-+*/^(),−–·⋅×÷])"
)
_HINTS = {
    "=": "write only the right-hand side",
    "'": "text is no part of a formula",
    '"': "text is no part of a formula",
    ".": "a point belongs inside a number, like 0.5",
    "[": "use round brackets",
    "]": "use round brackets",
    "{": "use round brackets",
    "}": "use round brackets",
    ";": "write one formula only",
    "²": "write ^2",
    "³": "write ^3",
    "√": "write sqrt(...)",
    "%": "a remainder is not available",
    "|": "write abs(...)",
    "_": "names begin with a letter",
}


class FormulaError(ValueError):
    """A formula that cannot be read.

    `.sentence` says what to change, `.text` is the formula, `.position` the index of the offending character
    (`len(text)` when something is missing at the end). `str(error)` shows the three with a caret line.
    """

    def __init__(self, sentence: str, text: str, position: int) -> None:
        self.sentence = sentence
        self.text = text
        self.position = position
        shown = "".join(c if c.isprintable() else " " for c in text[:MAX_LENGTH])
        super().__init__(f"{sentence}\n{shown}\n{' ' * min(position, MAX_LENGTH)}^")

    def __reduce__(self) -> tuple[type[FormulaError], tuple[str, str, int]]:
        return type(self), (self.sentence, self.text, self.position)


class _Token(NamedTuple):
    kind: str  # number, name, symbol or end
    text: str
    position: int


@dataclass(frozen=True)
class Formula:
    """A parsed formula: its text and its expression tree."""

    text: str
    expression: Expression

    @property
    def latex(self) -> str:
        """The formula as LaTeX."""
        return latex(self.expression)

    @property
    def names(self) -> tuple[str, ...]:
        """States, `t` and parameters in it, in order of appearance."""
        return tuple(name for name in names_in(self.expression) if name not in CONSTANTS)


def parse_formula(text: str) -> Formula:
    """Read one formula. Raises FormulaError pointing at the character that is wrong."""
    if not isinstance(text, str):
        raise FormulaError(f"A formula is text, not {type(text).__name__}.", str(text), 0)
    return Formula(text, _Parser(text).parse())


def free_parameters(formulas: str | Sequence[str], states: Sequence[str] = ("x", "y")) -> tuple[str, ...]:
    """Names in the formulas that are neither states nor `t`, in order of appearance: the parameters.

    Raises FormulaError.
    """
    texts = [formulas] if isinstance(formulas, str) else list(formulas)
    found = dict.fromkeys(name for text in texts for name in parse_formula(text).names)
    return tuple(name for name in found if name != "t" and name not in states)


def parse_field(
    equations: Mapping[str, str],
    parameters: Mapping[str, float | Parameter] | None = None,
    *,
    y0: Sequence[float] | None = None,
    t_span: Interval = (0.0, 20.0),
    view: tuple[Interval, Interval] | None = None,
    key: str = "formula",
    name: str = "Your own field",
) -> System:
    """A System from one right-hand side for each state: {"x": "y", "y": "-x"} is x' = y, y' = -x.

    Free names become parameters with default 1 and range -10..10; `parameters` overrides this with another
    default or a whole `Parameter`. The Jacobian is symbolic. Raises FormulaError for a formula, ValueError
    for names.
    """
    states = _checked_states(equations)
    formulas = [parse_formula(text) for text in equations.values()]
    given = dict(parameters or {})
    free = dict.fromkeys([*given, *free_parameters([f.text for f in formulas], states)])
    if len(free) > MAX_PARAMETERS:
        raise ValueError(
            f"the formulas have {len(free)} parameters ({', '.join(free)}); use at most {MAX_PARAMETERS}"
        )
    for parameter in given:
        if parameter in states or parameter == "t" or not _is_name(parameter):
            raise ValueError(f"{parameter!r} cannot be a parameter's name; use a letter that is not a state")
    declared = tuple(_as_parameter(n, given.get(n, 1.0)) for n in free)
    expressions = tuple(f.expression for f in formulas)
    entries = jacobian(expressions, states)
    start = tuple(float(v) for v in y0) if y0 is not None else (1.0,) + (0.0,) * (len(states) - 1)
    window = (-4.0, 4.0)
    rows = (rf"\dot {{{name_latex(s)}}} &= {f.latex}" for s, f in zip(states, formulas, strict=True))
    return System(
        key=key,
        name=name,
        latex=r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}",
        look_for="Your own field: where do the steps shorten, and which method leaves the path first?",
        dim=len(states),
        state_names=states,
        parameters=declared,
        y0=start,
        t_span=t_span,
        view=view or ((t_span if len(states) == 1 else window), window),
        stiff=False,
        autonomous=all("t" not in f.names for f in formulas),
        rhs=Compiled(expressions, states, tuple(free)),
        jacobian=None if entries is None else Compiled(entries, states, tuple(free), columns=len(states)),
    )


def _as_parameter(name: str, value: float | Parameter) -> Parameter:
    if isinstance(value, Parameter):
        if value.name != name:
            raise ValueError(f"the parameter of {name!r} is named {value.name!r}; give both the same name")
        return value
    number = float(value)
    if not math.isfinite(number) or abs(number) > MAX_NUMBER:
        raise ValueError(f"{name} = {number:g} is no usable number; give a finite one")
    reach = max(10.0, 2 * abs(number))
    return Parameter(name, name_latex(name), number, -reach, reach)


def _checked_states(equations: Mapping[str, str]) -> tuple[str, ...]:
    states = tuple(equations)
    if not 1 <= len(states) <= MAX_STATES:
        raise ValueError(f"the field has {len(states)} equations; give 1 to {MAX_STATES}")
    for state in states:
        if not _is_name(state) or state == "t":
            raise ValueError(
                f"{state!r} cannot be a state's name; use letters and digits, like x or y1, and not t"
            )
    return states


def _is_name(name: str) -> bool:
    match = _TOKEN.fullmatch(name)
    plain = (
        match is not None and match.lastgroup == "name" and name.isascii() and len(name) <= MAX_NAME_LENGTH
    )
    return plain and not keyword.iskeyword(name) and name not in ARITY and name not in CONSTANTS


class _Parser:
    """Recursive descent over the tokens; every complaint knows its position in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > MAX_LENGTH:
            self.fail(f"The formula has {len(text)} characters; use at most {MAX_LENGTH}.", MAX_LENGTH)
        self.tokens = self._tokenize()
        self.index = 0
        self.depth = 0

    def parse(self) -> Expression:
        if self.token.kind == "end":
            self.fail("The formula is empty; write for instance y - x^3.", 0)
        expression = self._sum()
        if self.token.kind != "end":
            self._fail_after_operand()
        return expression

    def fail(self, sentence: str, position: int) -> NoReturn:
        raise FormulaError(sentence, self.text, position)

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def _take(self, *symbols: str) -> _Token | None:
        token = self.token
        if token.kind == "symbol" and token.text in symbols:
            self.index += 1
            return token
        return None

    def _tokenize(self) -> list[_Token]:
        tokens, position = [], 0
        while position < len(self.text):
            if self.text[position] in " \t":
                position += 1
                continue
            match = _TOKEN.match(self.text, position)
            if match is None or match.lastgroup is None:
                self._fail_at_character(position)
            text = match.group()
            if match.lastgroup == "symbol":
                text = "^" if text == "**" else _TYPOGRAPHY.get(text, text)
            tokens.append(_Token(match.lastgroup, _GREEK_LETTERS.get(text, text), position))
            position = match.end()
        return [*tokens, _Token("end", "", len(self.text))]

    def _fail_at_character(self, position: int) -> NoReturn:
        character = self.text[position]
        hint = _HINTS.get(character, "use numbers, names, + - * / ^ and round brackets")
        shown = repr(character) if character.isprintable() else f"U+{ord(character):04X}"
        self.fail(f"{shown} cannot be in a formula: {hint}.", position)

    def _fail_after_operand(self) -> NoReturn:
        token, before = self.token, self.tokens[self.index - 1]
        if token.text == ")":
            self.fail("This closing bracket has no opening one.", token.position)
        if token.text == ",":
            self.fail(
                "A comma stands only between the two arguments of min and max; write 0.5, not 0,5.",
                token.position,
            )
        if token.text == "(" and before.kind == "name":
            close = difflib.get_close_matches(before.text, ARITY, n=1)
            guess = f"did you mean {close[0]}?" if close else f"to multiply, write {before.text}*(...)."
            self.fail(
                f"{before.text} is not a function ({', '.join(sorted(ARITY))}); {guess}", before.position
            )
        left = before.text if before.kind != "symbol" else "(...)"
        right = token.text if token.text != "(" else "(...)"
        self.fail(f"A sign is missing here; to multiply, write {left}*{right}.", token.position)

    def _nested(self, position: int) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"The formula is nested deeper than {MAX_DEPTH} levels; simplify it.", position)

    def _sum(self) -> Expression:
        left = self._product()
        while operator := self._take("+", "-"):
            left = Binary(operator.text, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._signed()
        while operator := self._take("*", "/"):
            left = Binary(operator.text, left, self._signed())
        return left

    def _signed(self) -> Expression:
        sign = self._take("+", "-")
        if sign is None:
            return self._power()
        self._nested(sign.position)
        argument = self._signed()
        self.depth -= 1
        return Negative(argument) if sign.text == "-" else argument

    def _power(self) -> Expression:
        base = self._atom()
        operator = self._take("^")
        if operator is None:
            return base
        self._nested(operator.position)
        start = self.token.position
        exponent = self._signed()
        self.depth -= 1
        if not any(name not in CONSTANTS for name in names_in(exponent)):
            value = constant_value(exponent)
            if value is None or abs(value) > MAX_EXPONENT:
                self.fail(
                    f"This exponent is too large; use one between -{MAX_EXPONENT:g} and {MAX_EXPONENT:g}.",
                    start,
                )
        return Binary("^", base, exponent)

    def _atom(self) -> Expression:
        token = self.token
        self.index += 1
        if token.kind == "number":
            return self._number(token)
        if token.kind == "name":
            return self._name(token)
        if token.text == "(":
            self._nested(token.position)
            inner = self._sum()
            self._close(token)
            self.depth -= 1
            return inner
        self.index -= 1
        if token.kind == "end":
            self.fail(
                "The formula breaks off here; a number, a name or a bracket is missing.", token.position
            )
        self.fail(f"A number, a name or a bracket is missing before {token.text!r}.", token.position)

    def _number(self, token: _Token) -> Expression:
        value = float(token.text)
        if value > MAX_NUMBER:
            self.fail(f"This number is too large; use at most {MAX_NUMBER:g}.", token.position)
        return Number(value)

    def _name(self, token: _Token) -> Expression:
        name = token.text
        if name in ARITY:
            return self._call(token)
        if keyword.iskeyword(name):
            self.fail(f"{name!r} is a reserved word; choose another name.", token.position)
        if "__" in name:
            self.fail("A name has no double underscore; choose another name.", token.position)
        if len(name) > MAX_NAME_LENGTH:
            self.fail(f"This name is too long; use at most {MAX_NAME_LENGTH} characters.", token.position)
        return Name(name)

    def _call(self, token: _Token) -> Expression:
        opening = self._take("(")
        if opening is None:
            self.fail(f"{token.text} needs its argument in brackets: {token.text}(x).", token.position)
        self._nested(opening.position)
        arguments = [self._sum()]
        while len(arguments) < ARITY[token.text] and self._take(","):
            arguments.append(self._sum())
        missing = ARITY[token.text] - len(arguments)
        if missing and self.token.text == ")":
            self.fail(f"{token.text} takes two arguments: {token.text}(x, y).", self.token.position)
        if self.token.text == ",":
            self.fail(f"{token.text} takes {ARITY[token.text]} argument(s).", self.token.position)
        self._close(opening)
        self.depth -= 1
        return Call(token.text, tuple(arguments))

    def _close(self, opening: _Token) -> None:
        if self._take(")"):
            return
        if self.token.kind == "end":
            self.fail("This bracket is never closed; add a ')'.", opening.position)
        self._fail_after_operand()
