r"""From text to an expression tree, by recursive descent.

Grammar (precedence as in mathematics, ^ and ** mean the same and bind to the right):

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/") signed)*
    signed  = ("+" | "-") signed | power
    power   = atom [("^" | "**") signed]
    atom    = number | name | function "(" sum ["," sum] ")" | "(" sum ")" | "|" sum "|"

Only this can be written: the parser knows no attribute, index, string or keyword, and no text is ever handed
to Python. Length, nesting, numbers and exponents are limited. Torch-free at import.
"""

from __future__ import annotations

import difflib
import keyword
import re
from typing import NamedTuple, NoReturn

from node_core.fields.formula.expression import (
    ARITY,
    CONSTANTS,
    Binary,
    Call,
    Expression,
    Name,
    Negative,
    Number,
    constant_value,
    names_in,
)
from node_core.fields.formula.expression_latex import GREEK

MAX_LENGTH = 200
MAX_DEPTH = 20
MAX_NUMBER = 1e12
MAX_EXPONENT = 20.0
MAX_NAME_LENGTH = 20

_TYPOGRAPHY = {"−": "-", "–": "-", "·": "*", "⋅": "*", "×": "*", "÷": "/"}
_GREEK_LETTERS = {
    letter: "lambda_" if name == "lambda" else name  # lambda is a word of Python's
    for letter, name in zip("αβγδεζηθικλμνξπρστυφχψω", GREEK, strict=True)
}
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[A-Za-z][A-Za-z0-9_]*|[α-ω])"
    r"|(?P<symbol>\*\*|[-+*/^(),|−–·⋅×÷])"
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
    "%": "for a remainder write mod(x, y)",
    "_": "names begin with a letter",
}
_ALIASES = {
    "ln": "log",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "sgn": "sign",
    "step": "heaviside",
    "H": "heaviside",
    "theta": "heaviside",
}
"""Other spellings of functions. Where no bracket follows they are names like any other: H may be a parameter."""

_INSTEAD = {
    "cot": "write 1/tan(...)",
    "sec": "write 1/cos(...)",
    "csc": "write 1/sin(...)",
    "pow": "write x^y",
    "square": "write (...)^2",
    "cbrt": "write sign(x)*abs(x)^(1/3)",
    "relu": "write max(x, 0)",
    "softplus": "write log(1 + exp(x))",
    "round": "write floor(x + 0.5)",
    "rect": "write heaviside(t - 1) - heaviside(t - 2)",
    "pulse": "write heaviside(t - 1) - heaviside(t - 2)",
    "delta": "an impulse has no value; write a short pulse, heaviside(t - 1) - heaviside(t - 1.1)",
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


def parse_expression(text: str) -> Expression:
    """Read one formula. Raises FormulaError pointing at the character that is wrong."""
    if not isinstance(text, str):
        raise FormulaError(f"A formula is text, not {type(text).__name__}.", str(text), 0)
    return _Parser(text).parse()


def is_name(name: str) -> bool:
    """Whether a state or parameter may have this name."""
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
        if token.text == "|":
            self.fail("This bar closes nothing; write |...| around a term, or abs(...).", token.position)
        if token.text == ",":
            self.fail(
                "A comma stands only between the two arguments of min, max and mod; write 0.5, not 0,5.",
                token.position,
            )
        if token.text == "(" and before.kind == "name":
            close = difflib.get_close_matches(before.text, ARITY, n=1, cutoff=0.7)
            guess = f"did you mean {close[0]}?" if close else f"to multiply, write {before.text}*(...)."
            if before.text in _INSTEAD:
                guess = f"{_INSTEAD[before.text]}."
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
        if token.text == "|":
            return self._absolute(token)
        self.index -= 1
        if token.kind == "end":
            self.fail(
                "The formula breaks off here; a number, a name or a bracket is missing.", token.position
            )
        self.fail(f"A number, a name or a bracket is missing before {token.text!r}.", token.position)

    def _absolute(self, opening: _Token) -> Expression:
        self._nested(opening.position)
        inner = self._sum()
        if not self._take("|"):
            if self.token.kind == "end":
                self.fail("This bar is never closed; add a '|', or write abs(...).", opening.position)
            self._fail_after_operand()
        self.depth -= 1
        return Call("abs", (inner,))

    def _number(self, token: _Token) -> Expression:
        value = float(token.text)
        if value > MAX_NUMBER:
            self.fail(f"This number is too large; use at most {MAX_NUMBER:g}.", token.position)
        return Number(value)

    def _name(self, token: _Token) -> Expression:
        name = token.text
        if name in _ALIASES and self.token.text == "(":
            token = token._replace(text=_ALIASES[name])
        if token.text in ARITY:
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
