"""Variables and expressions of ESI 1.0 (W3C note of 2001): parsed once into closures that cannot loop, call or raise.

expression = conjunction { "|" conjunction }        conjunction = negation { "&" negation }
negation = "!" negation | "(" expression ")" | operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand ]
operand = "$(" variable ")" | "'" text "'" | number
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastedge.limits import esi_depth_max, esi_expression_bytes_max, esi_expression_terms_max

Values = tuple[Any, ...]
Test = Callable[[Values], bool]
Operand = Callable[[Values], str | None]

# Variables, and whether a key in braces belongs to them.
VARIABLES = {
    "HTTP_COOKIE": True,
    "HTTP_HEADER": True,
    "GEO": True,
    "QUERY_STRING": None,  # with or without
    "HTTP_HOST": False,
    "HTTP_REFERER": False,
    "HTTP_USER_AGENT": False,
}
_VARIABLE = re.compile(r"([A-Z_]+)(?:\{([^{}|()\s]+)\})?(?:\|(?:'([^']*)'|([^'|]*)))?")
_TOKEN = re.compile(r"\s*(\$\(([^()]*)\)|'([^']*)'|-?\d+(?:\.\d+)?|==|!=|<=|>=|[<>!&|()])")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class EsiError(ValueError):
    """What an ESI tag says cannot be understood. Never leaves `compile_page`."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`$(NAME{key}|default)`: an input whose value is a fact about the request; None where there is none."""

    name: str
    key: str = ""
    default: str = ""


def parse_variable(text: str) -> Variable:
    """The variable between `$(` and `)`."""
    found = _VARIABLE.fullmatch(text.strip())
    if found is None or found[1] not in VARIABLES:
        raise EsiError(f"no variable: {text[:40]!r}")
    needs = VARIABLES[found[1]]
    if needs is not None and needs != bool(found[2]):
        raise EsiError(f"{found[1]} {'needs' if needs else 'has no'} key")
    return Variable(found[1], found[2] or "", found[3] or found[4] or "")


def parse_expression(text: str, number_of: Callable[[Variable], int]) -> Test:
    """Whether it holds, as a function of the values of a template; `number_of` says which of them a variable's is."""
    if len(text) > esi_expression_bytes_max:
        raise EsiError("an expression is too long")
    parser = _Parser(text, number_of)
    test = parser.disjunction()
    if parser.next is not None:
        raise EsiError(f"expected the end, found {parser.next!r}")
    return test


class _Parser:
    def __init__(self, text: str, number_of: Callable[[Variable], int]) -> None:
        self._tokens = _tokens(text)
        self._number_of = number_of
        self._at = self._depth = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *wanted: str) -> str | None:
        token = self.next
        if token is None or (wanted and token not in wanted):
            return None
        self._at += 1
        return token

    def disjunction(self) -> Test:
        tests = [self._conjunction()]
        while self._take("|"):
            tests.append(self._conjunction())
        return tests[0] if len(tests) == 1 else lambda values: any(test(values) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._negation()]
        while self._take("&"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else lambda values: all(test(values) for test in tests)

    def _negation(self) -> Test:
        if self._take("!"):
            test = self._deeper(self._negation)
            return lambda values: not test(values)
        if self._take("("):
            inner = self._deeper(self.disjunction)
            if not self._take(")"):
                raise EsiError("a parenthesis is not closed")
            return inner
        return self._comparison()

    def _deeper(self, read: Callable[[], Test]) -> Test:
        self._depth += 1
        if self._depth > esi_depth_max:
            raise EsiError("an expression is too deep")
        test = read()
        self._depth -= 1
        return test

    def _comparison(self) -> Test:
        left = self._operand()
        sign = self._take(*_COMPARISONS)
        if sign is None:
            return lambda values: bool(left(values))
        right, compare = self._operand(), _COMPARISONS[sign]
        return lambda values: _holds(compare, left(values), right(values))

    def _operand(self) -> Operand:
        token = self._take()
        if token is None or not (token[0] in "$'-" or token[0].isdigit()):
            raise EsiError(f"expected a variable, a text or a number, found {token!r}")
        if token[0] != "$":
            literal = token.strip("'")
            return lambda values: literal
        variable = parse_variable(token[2:-1])
        number = self._number_of(variable)
        return lambda values: _text(values[number]) or variable.default or None


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise EsiError(f"cannot be read: {text[at : at + 20]!r}")
        tokens.append(found[1])
        at = found.end()
    if len(tokens) > 4 * esi_expression_terms_max:
        raise EsiError("an expression has too many terms")
    return tokens


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _holds(compare: Callable[[Any, Any], bool], left: str | None, right: str | None) -> bool:
    """Numbers are compared as numbers, all else as text; what is absent compares to nothing (§5.3)."""
    if left is None or right is None:
        return False
    if _NUMBER.fullmatch(left) and _NUMBER.fullmatch(right):
        return compare(float(left), float(right))
    return compare(left, right)
