"""Tokens of a formula and a place in them: the reader, which says where text goes wrong."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, NoReturn

from hiermix.errors import FormulaError, caret
from hiermix.formula import foreign_syntax

_LONGEST = 10_000


_DEEPEST = 40


class Use(NamedTuple):
    """How a piece of formula uses a column."""

    column: str
    how: Literal["bare", "category", "number", "compared"]
    function: str = ""


class Token(NamedTuple):
    """A word of a formula: its kind, its text and where it starts."""

    kind: str
    text: str
    start: int


_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<quoted>`[^`]+`)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
  | (?P<other>//|[=!<>]=)
  | (?P<operator>\*\*|\|\||[-~+*/:^|(){},])
  | (?P<foreign>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens_of(text: str) -> Iterator[Token]:
    """Yield the tokens of a text, spaces included."""
    for match in _TOKEN.finditer(text):
        yield Token(str(match.lastgroup), match[0], match.start())


def checked_text(text: object, what: str) -> str:
    """Return a text, or raise if it is none or too long."""
    if not isinstance(text, str):
        raise FormulaError(f"{what} is {type(text).__name__}, not text: write 'y ~ x + (1 | g)'")
    if len(text) > _LONGEST:
        raise FormulaError(f"{what} has {len(text):,} characters; {_LONGEST:,} are the most")
    return text


class Reader:
    """A place in the tokens of one text, and the columns met so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [token for token in tokens_of(text) if token.kind != "space"]
        self.place = 0
        self.uses: list[Use] = []
        self._balanced()

    @property
    def token(self) -> Token:
        """The token at the current place."""
        if self.place < len(self.tokens):
            return self.tokens[self.place]
        return Token("end", "", len(self.text.rstrip()))

    def next(self) -> Token:
        """Return the token at the current place and go on."""
        token = self.token
        self.place += 1
        return token

    def at(self, *texts: str) -> bool:
        """Tell whether one of these stands at the current place."""
        return self.token.kind in ("operator", "name") and self.token.text in texts

    def take(self, text: str) -> bool:
        """Go on if this stands at the current place, and tell whether it did."""
        found = self.at(text)
        self.place += found
        return found

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Raise with the place of a token shown below the text."""
        raise FormulaError(message + caret(self.text, (token or self.token).start))

    def closing(self, bracket: int | None = None) -> int:
        """Return the place of the bracket that closes one, that at the current place by default."""
        depth = 0
        for place in range(self.place if bracket is None else bracket, len(self.tokens)):
            token = self.tokens[place]
            depth += (token.text in _CLOSER) - (token.text in _OPENER)
            if depth == 0:
                return place
        raise AssertionError("brackets were found balanced before")

    def has_bar(self) -> bool:
        """Tell whether the bracket at the current place holds a bar of its own."""
        return self._holds(self.place, "|", "||")

    def has_arguments(self) -> bool:
        """Tell whether the call at the current place has more than one argument."""
        return self._holds(self.place + 1, ",")

    def _holds(self, bracket: int, *texts: str) -> bool:
        """Tell whether one of these stands in a bracket, and in none inside of it."""
        depth = 0
        for token in self.tokens[bracket + 1 : self.closing(bracket)]:
            depth += (token.text in _CLOSER) - (token.text in _OPENER)
            if depth == 0 and token.text in texts:
                return True
        return False

    def _balanced(self) -> None:
        opened: list[Token] = []
        for before, token in zip([None, *self.tokens], self.tokens, strict=False):
            if token.kind == "foreign":
                self._foreign(token, before.text if before else "~")
            if token.text in _CLOSER:
                opened.append(token)
            elif token.text in _OPENER and (not opened or _CLOSER[opened.pop().text] != token.text):
                self.fail(f"{token.text!r} closes no bracket", token)
            if len(opened) > _DEEPEST:
                self.fail("brackets are nested too deep", token)
        if opened:
            self.fail(f"{opened[-1].text!r} is not closed", opened[-1])

    def _foreign(self, token: Token, before: str) -> None:
        if token.text in "`\"'":
            self.fail(f"{token.text} is not closed", token)
        if token.text == "." and before in _BETWEEN_TERMS:
            self.fail(foreign_syntax.DOT, token)
        if token.text not in "[]<>=&%":  # these have a meaning inside a call, read there
            self.fail(f"{token.text!r} is not allowed in a formula", token)


_BETWEEN_TERMS = frozenset("~+-*:/^(|")


_CLOSER = {"(": ")", "{": "}"}


_OPENER = {closer: opener for opener, closer in _CLOSER.items()}


def column_of(reader: Reader, token: Token) -> str:
    """Return the column that a name or a backticked name stands for."""
    if token.kind == "quoted":
        return token.text[1:-1]
    if "." in token.text:
        reader.fail(
            f"attribute access {token.text!r} is not allowed in a formula; "
            f"if it is a column, write `{token.text}`",
            token,
        )
    if token.text.startswith("__"):
        reader.fail(f"{token.text!r} is not allowed in a formula", token)
    if token.text == "lambda":
        reader.fail(foreign_syntax.keyword(token.text), token)
    return token.text
