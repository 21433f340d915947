"""Text or Group specs -> Formula: response, population terms, group terms; knows no data.

The population part is Wilkinson's notation as formulaic reads it; group terms are lme4's bars.
Formulas may come from strangers, so nothing reaches formulaic that was not read here first, token
by token, and no call is let through but those of ``TRANSFORMS``. What comes out is written in one
canonical way, so that equal formulas are equal whatever their spacing.
"""

import ast
import keyword
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, NoReturn

from hiermix.errors import FormulaError, caret, did_you_mean
from hiermix.formula import foreign

_ELEMENTWISE = (
    *("log", "log1p", "log2", "log10", "exp", "expm1", "exp2", "sqrt", "cbrt", "square"),
    *("reciprocal", "abs", "sign", "floor", "ceil", "round", "maximum", "minimum", "where"),
    *("sin", "cos", "tan", "tanh", "arctan"),
)

CONTRASTS: dict[str, str] = {
    "contr.treatment": "formulaic.transforms.contrasts:TreatmentContrasts",
    "contr.sum": "formulaic.transforms.contrasts:SumContrasts",
    "contr.helmert": "formulaic.transforms.contrasts:HelmertContrasts",
    "contr.diff": "formulaic.transforms.contrasts:DiffContrasts",
    "contr.poly": "formulaic.transforms.contrasts:PolyContrasts",
    "contr.SAS": "formulaic.transforms.contrasts:SASContrasts",
    "Treatment": "formulaic.transforms.patsy_compat:Treatment",
    "Sum": "formulaic.transforms.contrasts:SumContrasts",
    "Helmert": "formulaic.transforms.contrasts:HelmertContrasts",
    "Diff": "formulaic.transforms.contrasts:DiffContrasts",
    "Poly": "formulaic.transforms.contrasts:PolyContrasts",
}
"""Contrasts that may stand in ``C(x, ...)``: name in a formula -> module:attribute."""

TRANSFORMS: dict[str, str] = {
    "C": "formulaic.transforms:C",
    "I": "formulaic.transforms:identity",
    "bs": "hiermix.formula.splines:bs",
    "cc": "hiermix.formula.splines:cc",
    "cr": "hiermix.formula.splines:cr",
    "cs": "hiermix.formula.splines:cr",
    "poly": "formulaic.transforms:poly",
    "center": "formulaic.transforms:center",
    "scale": "formulaic.transforms:scale",
    "standardize": "formulaic.transforms.patsy_compat:standardize",
    "fourier": "hiermix.formula.transforms:fourier",
    "trend": "hiermix.formula.transforms:trend",
    **CONTRASTS,
    **{name: f"numpy:{name}" for name in _ELEMENTWISE},
    **{f"np.{name}": f"numpy:{name}" for name in _ELEMENTWISE},
}
"""Every function a formula may call: name in a formula -> module:attribute, imported when used.

A function must either work element by element or be one of formulaic's stateful transforms.
"""

_FUNCTION_WORDS = frozenset(name.partition(".")[0] for name in TRANSFORMS)
_QUOTED_ALIAS = re.compile(r"__q([0-9a-f]+)")
_ALIAS = re.compile(r"__([qe])((?:[0-9a-f]{2})+)")
_LONGEST = 10_000
_DEEPEST = 40
_HIGHEST_POWER = 9
_BAR_HELP = "write (1 | g) for intercepts, (x | g) for intercepts and slopes that vary over g"


@dataclass(frozen=True)
class GroupTerm:
    """One bar: effects that vary over the levels of a grouping factor."""

    effects: str
    factor: tuple[str, ...]
    correlated: bool

    @property
    def name(self) -> str:
        """The factor as results name it, ``"a:b"`` for an interaction."""
        return in_results(":".join(self.factor))

    def __str__(self) -> str:
        factor = ":".join(quoted(column) for column in self.factor)
        return f"({self.effects} {'|' if self.correlated else '||'} {factor})"


@dataclass(frozen=True)
class Group:
    """A grouping spec: a bar without bar syntax.

    Parameters
    ----------
    by
        The grouping column, or ``"a:b"``, or ``"a/b"`` for b nested in a.
    effects
        What varies: ``"1"`` intercepts, ``"1 + x"`` intercepts and slopes, ``"0 + x"`` slopes.
    correlated
        Whether the effects of one level are correlated.
    """

    by: str
    effects: str = "1"
    correlated: bool = True


@dataclass(frozen=True)
class Formula:
    """A formula taken apart; ``str`` puts it together again in the canonical form."""

    text: str = field(compare=False)
    response: str
    population: str
    groups: tuple[GroupTerm, ...]
    offsets: tuple[str, ...]
    trials: str | None
    censored: str | None

    def __str__(self) -> str:
        left = self.response
        if self.trials is not None:
            left += f" | trials({self.trials if self.trials.isdecimal() else quoted(self.trials)})"
        if self.censored is not None:
            left += f" | cens({quoted(self.censored)})"
        offsets = [f"offset({text})" for text in self.offsets]
        return f"{left} ~ " + " + ".join([self.population, *offsets, *map(str, self.groups)])


class Use(NamedTuple):
    """How a piece of formula uses a column."""

    column: str
    how: Literal["bare", "category", "number", "compared"]
    function: str = ""


def parse(text: str, groups: Sequence[Group] = ()) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text
        A formula such as ``"y ~ x + (1 + x | g)"``.
    groups
        Group terms given as specs, added after those of the text.

    Raises
    ------
    FormulaError
        If the text is no formula, or calls what a formula may not call.
    """
    reader = _Reader(_text(text, "formula"))
    response, trials, censored = _left(reader)
    side = _right(reader)
    bars = [*side.bars, *(bar for spec in groups for bar in _spec(spec))]
    formula = Formula(
        text=text,
        response=response,
        population=_join(side.terms, side.intercept, explicit=False),
        groups=tuple(bars),
        offsets=tuple(side.offsets),
        trials=trials,
        censored=censored,
    )
    _no_repeats(formula)
    _response_on_left_only(formula)
    return formula


def uses(text: str) -> tuple[Use, ...]:
    """Return how a piece of a parsed formula uses columns, in the order of first mention."""
    reader = _Reader(text)
    _sum(reader, until="")
    return tuple(dict.fromkeys(reader.uses))


def expression_uses(text: str) -> tuple[Use, ...]:
    """Return how a Python expression, with identifiers in place of backticks, uses columns."""
    return tuple(dict.fromkeys(_uses(check_expression(text))))


def columns(text: str) -> tuple[str, ...]:
    """Return the columns that a piece of a parsed formula names."""
    return tuple(dict.fromkeys(use.column for use in uses(text)))


def terms(text: str) -> tuple[str, ...]:
    """Return the terms of a sum that a parsed formula holds."""
    return tuple(term for _, term in _sum(_Reader(text), until="").terms)


def quoted(column: str) -> str:
    """Return a column's name as a formula writes it: in backticks unless it is a plain word."""
    return column if _is_word(column) else f"`{column}`"


def in_results(name: str) -> str:
    """Return a name as results have it: a slash would read as a path in a tree of data."""
    return name.replace("/", "÷")


def alias(column: str) -> str:
    """Return an identifier that stands for the column where only identifiers will do."""
    return column if _is_word(column) else f"__q{column.encode().hex()}"


def alias_of(expression: str) -> str:
    """Return an identifier that stands for an expression."""
    return f"__e{expression.encode().hex()}"


def aliased(text: str, call: Callable[[str], str] = str) -> str:
    """Return a piece of a parsed formula with identifiers in place of backticks.

    What `call` returns takes the place of each call that is not inside another.
    """
    words = [
        alias(token.text[1:-1]) if token.kind == "quoted" else token.text for token in _tokens(text)
    ]
    parts, start = [], 0
    for end in _ends(words):
        inside = end > start + 1  # a name, its brackets and what they hold
        part = "".join(words[start:end])
        parts.append(call(part) if inside else part)
        start = end
    return "".join(parts)


def _ends(words: Sequence[str]) -> Iterator[int]:
    """Yield where each word ends, a call being one word."""
    place = 0
    while place < len(words):
        name = words[place]
        place += 1
        if place < len(words) and words[place] == "(" and name[0].isidentifier():
            depth = 0
            while True:
                depth += (words[place] == "(") - (words[place] == ")")
                place += 1
                if depth == 0:
                    break
        yield place


def unaliased(label: str) -> str:
    """Return a label with the columns' own names, and expressions as they are written."""

    def name(match: re.Match[str]) -> str:
        text = bytes.fromhex(match[2]).decode()
        return unaliased(text) if match[1] == "e" else text

    return _ALIAS.sub(name, label)


def check_expression(text: str) -> ast.expr:
    """Return the tree of a Python expression that a formula may hold, or raise."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        _allow(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        shown = unaliased(text.strip())
        raise FormulaError(f"{shown!r} can't be read: it is not allowed in a formula") from None
    return tree


# Tokens ----------------------------------------------------------------------------------------


class _Token(NamedTuple):
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


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        yield _Token(str(match.lastgroup), match[0], match.start())


def _is_word(column: str) -> bool:
    """Tell whether a column's name can stand in an expression and means nothing else there."""
    special = column.startswith("__") or column in _FUNCTION_WORDS or keyword.iskeyword(column)
    return column.isidentifier() and not special


def _text(text: object, what: str) -> str:
    if not isinstance(text, str):
        raise FormulaError(f"{what} is {type(text).__name__}, not text: write 'y ~ x + (1 | g)'")
    if len(text) > _LONGEST:
        raise FormulaError(f"{what} has {len(text):,} characters; {_LONGEST:,} are the most")
    return text


class _Reader:
    """A place in the tokens of one text, and the columns met so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [token for token in _tokens(text) if token.kind != "space"]
        self.place = 0
        self.uses: list[Use] = []
        self._balanced()

    @property
    def token(self) -> _Token:
        if self.place < len(self.tokens):
            return self.tokens[self.place]
        return _Token("end", "", len(self.text.rstrip()))

    def next(self) -> _Token:
        token = self.token
        self.place += 1
        return token

    def at(self, *texts: str) -> bool:
        return self.token.kind in ("operator", "name") and self.token.text in texts

    def take(self, text: str) -> bool:
        found = self.at(text)
        self.place += found
        return found

    def fail(self, message: str, token: _Token | None = None) -> NoReturn:
        raise FormulaError(message + caret(self.text, (token or self.token).start))

    def closing(self) -> int:
        """Return the place of the bracket that closes the one at the current place."""
        depth = 0
        for place in range(self.place, len(self.tokens)):
            token = self.tokens[place]
            depth += (token.text in _CLOSER) - (token.text in _OPENER)
            if depth == 0:
                return place
        raise AssertionError("brackets were found balanced before")

    def has_bar(self) -> bool:
        """Tell whether the bracket at the current place holds a bar of its own."""
        inside = self.tokens[self.place + 1 : self.closing()]
        depth = 0
        for token in inside:
            depth += (token.text in _CLOSER) - (token.text in _OPENER)
            if depth == 0 and token.text in ("|", "||"):
                return True
        return False

    def _balanced(self) -> None:
        opened: list[_Token] = []
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

    def _foreign(self, token: _Token, before: str) -> None:
        if token.text in "`\"'":
            self.fail(f"{token.text} is not closed", token)
        if token.text == "." and before in _BETWEEN_TERMS:
            self.fail(foreign.DOT, token)
        if token.text not in "[]<>=&%":  # these have a meaning inside a call, read there
            self.fail(f"{token.text!r} is not allowed in a formula", token)


_BETWEEN_TERMS = frozenset("~+-*:/^(|")
_CLOSER = {"(": ")", "{": "}"}
_OPENER = {closer: opener for opener, closer in _CLOSER.items()}


# Left side -------------------------------------------------------------------------------------


def _left(reader: _Reader) -> tuple[str, str | None, str | None]:
    """Read the response and what brms writes behind its bar, up to and with the tilde."""
    if not any(token.text == "~" for token in reader.tokens) or reader.at("~"):
        raise FormulaError(f"formula needs a response: y ~ ...{caret(reader.text, 0)}")
    response = _response(reader)
    terms: dict[str, str] = {}
    while reader.take("|") or (terms and reader.take("+")):
        _response_term(reader, terms)
    if not reader.take("~"):
        reader.fail(
            "the response is one column or one transformed column, such as np.log(y) or I(y / 10)"
        )
    return response, terms.get("trials"), terms.get("cens")


def _response(reader: _Reader) -> str:
    if reader.token.text in foreign.SUCCESSES and _calls(reader):
        _refuse_pair(reader)
    if reader.token.kind not in ("name", "quoted") and not reader.at("{"):
        reader.fail("the response is a column, or a transformed column such as np.log(y)")
    return _atom(reader)


def _refuse_pair(reader: _Reader) -> NoReturn:
    """Answer other tools' ways to write successes out of trials."""
    name = reader.next()
    start, end = reader.place, reader.closing()
    inside = reader.text[reader.tokens[start].start + 1 : reader.tokens[end].start]
    reader.fail(foreign.successes(name.text, inside), name)


def _response_term(reader: _Reader, terms: dict[str, str]) -> None:
    name = reader.next()
    if name.text not in ("trials", "cens"):
        reader.fail("right of the response's bar stands trials(size) or cens(censored)", name)
    if name.text in terms:
        reader.fail(f"{name.text}() stands here twice", name)
    if not reader.take("("):
        reader.fail(f"write {name.text}(column)")
    value = reader.next()
    whole = value.kind == "number" and value.text.isdecimal() and name.text == "trials"
    if not (whole or value.kind in ("name", "quoted")) or not reader.take(")"):
        reader.fail(f"{name.text}() takes the name of a column", value)
    terms[name.text] = value.text if whole else _column(reader, value)


# Right side ------------------------------------------------------------------------------------


class _Side:
    """The right side of a formula, or the left side of a bar."""

    def __init__(self) -> None:
        self.terms: list[tuple[str, str]] = []  # sign, text
        self.intercept = True
        self.bars: list[GroupTerm] = []
        self.offsets: list[str] = []

    def add(self, sign: str, text: str) -> None:
        if text in ("0", "1"):
            self.intercept = (sign == "+") == (text == "1")
        else:
            self.terms.append((sign, text))


def _right(reader: _Reader) -> _Side:
    if reader.token.kind == "end":
        reader.fail("nothing stands right of ~: write y ~ 1 for an intercept alone")
    side = _Side()
    for sign in _signs(reader, until=""):
        if reader.at("(") and reader.has_bar():
            _no_minus(reader, sign, "a group term")
            side.bars.extend(_bar(reader))
        elif reader.at("offset") and _calls(reader):
            _no_minus(reader, sign, "an offset")
            side.offsets.append(_offset(reader))
        else:
            side.add(sign, _product(reader))
    return side


def _signs(reader: _Reader, until: str) -> Iterator[str]:
    """Yield the sign of each term of a sum; the caller reads the term between two signs."""
    sign = reader.next().text if reader.at("+", "-") else "+"
    while True:
        yield sign
        if reader.token.kind == "end" or (until and reader.at(*until.split())):
            return
        if not reader.at("+", "-"):
            _stray(reader)
        sign = reader.next().text


def _stray(reader: _Reader) -> NoReturn:
    token = reader.token
    if token.text == "~":
        reader.fail("a formula has one ~")
    if token.text in ("|", "||"):
        reader.fail(f"a group term stands in brackets: {_BAR_HELP}")
    if token.kind in ("other", "foreign"):
        reader.fail(f"{token.text!r} is not allowed in a formula")
    reader.fail(f"an operator is missing before {token.text!r}")


def _no_minus(reader: _Reader, sign: str, what: str) -> None:
    if sign == "-":
        reader.fail(f"{what} can't be taken away: leave it out")


def _join(terms: Sequence[tuple[str, str]], intercept: bool, *, explicit: bool) -> str:
    """Put a sum together: ``0 +`` where there is no intercept, ``1`` where nothing else is."""
    shown = "0" if not intercept else "1" if explicit or not terms else ""
    text = shown
    for sign, term in terms:
        text += f" {sign} {term}" if text else term if sign == "+" else f"1 - {term}"
    return text


def _sum(reader: _Reader, until: str) -> _Side:
    side = _Side()
    for sign in _signs(reader, until):
        side.add(sign, _product(reader))
    return side


def _product(reader: _Reader) -> str:
    text = _power(reader)
    while reader.at("*", "/", ":", "in"):
        operator = reader.next().text
        text += operator if operator == ":" else f" {operator} "
        text += _power(reader)
    return text


def _power(reader: _Reader) -> str:
    text = _atom(reader)
    if not reader.at("**", "^"):
        return text
    reader.next()
    exponent = reader.next()
    if exponent.kind in ("name", "quoted"):
        reader.fail(foreign.NONLINEAR, exponent)
    if not exponent.text.isdecimal() or not 1 <= int(exponent.text) <= _HIGHEST_POWER:
        reader.fail(f"the power of terms is a whole number from 1 to {_HIGHEST_POWER}", exponent)
    return f"{text}**{exponent.text}"


def _atom(reader: _Reader) -> str:
    if reader.token.kind == "name" and _calls(reader):
        return _call(reader)
    if reader.at("{"):
        return _braces(reader)
    if reader.at("("):
        return _brackets(reader)
    token = reader.next()
    if token.kind in ("name", "quoted"):
        column = _column(reader, token)
        reader.uses.append(Use(column, "bare"))
        return quoted(column)
    if token.text in ("0", "1"):
        return token.text
    return _no_atom(reader, token)


def _no_atom(reader: _Reader, token: _Token) -> NoReturn:
    if token.kind == "number":
        reader.fail("a number other than 0 and 1 is no term; for a multiple write I(2 * x)", token)
    if token.kind == "string":
        reader.fail("text is no term; a column's name stands in backticks", token)
    if token.kind in ("other", "foreign"):
        reader.fail(f"{token.text!r} is not allowed in a formula", token)
    found = f"before {token.text!r}" if token.text else "at the end"
    reader.fail(f"a term is missing {found}", token)


def _column(reader: _Reader, token: _Token) -> str:
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
        reader.fail(foreign.keyword(token.text), token)
    return token.text


def _brackets(reader: _Reader) -> str:
    if reader.has_bar():
        reader.fail(f"a group term stands on its own, after a +: {_BAR_HELP}")
    reader.next()
    inside = reader.place
    side = _sum(reader, until=")")
    reader.next()
    if any(token.text in ("0", "1") for token in reader.tokens[inside : reader.place]):
        # Inside brackets 1 is a member of the sum, not the intercept of the formula.
        return f"({_join(side.terms, side.intercept, explicit=True)})"
    return f"({_join(side.terms, True, explicit=False)})"


# Group terms -----------------------------------------------------------------------------------


def _bar(reader: _Reader) -> list[GroupTerm]:
    """Read one bracket with a bar; ``a/b`` gives a term for a and one for a:b."""
    opening = reader.next()
    if reader.at("|", "||"):
        reader.fail(f"nothing stands left of the bar: {_BAR_HELP}")
    effects = _effects(reader)
    correlated = reader.next().text == "|"
    factors = _factors(reader)
    if reader.at("|", "||"):
        reader.fail(f"a group term has one bar: {_BAR_HELP}")
    if not reader.take(")"):
        reader.fail(
            "a grouping factor is a column, a:b or a/b; for two factors write two terms, "
            "and put a name with a space in backticks"
        )
    if effects == "0":
        reader.fail(f"nothing varies in this group term: {_BAR_HELP}", opening)
    return [GroupTerm(effects, factor, correlated) for factor in factors]


def _effects(reader: _Reader) -> str:
    side = _sum(reader, until="| ||")
    return _join(side.terms, side.intercept, explicit=True)


def _factors(reader: _Reader) -> list[tuple[str, ...]]:
    factors = [_interaction(reader)]
    while reader.take("/"):
        factors.append((*factors[-1], *_interaction(reader)))
    return factors


def _interaction(reader: _Reader) -> tuple[str, ...]:
    names = [_factor(reader)]
    while reader.take(":"):
        names.append(_factor(reader))
    return tuple(names)


def _factor(reader: _Reader) -> str:
    token = reader.next()
    if token.kind not in ("name", "quoted"):
        reader.fail(f"a grouping factor is missing right of the bar: {_BAR_HELP}", token)
    if reader.at("("):
        reader.fail("a grouping factor is a column: make the column before the fit", token)
    return _column(reader, token)


def _spec(spec: object) -> list[GroupTerm]:
    if not isinstance(spec, Group):
        raise FormulaError(f"groups holds a {type(spec).__name__}: write Group('g', '1 + x')")
    effects, by = _text(spec.effects, "effects"), _text(spec.by, "by")
    reader = _Reader(f"({effects} {'|' if spec.correlated else '||'} {by})")
    terms = _bar(reader)
    if reader.token.kind != "end":
        _stray(reader)
    return terms


def _no_repeats(formula: Formula) -> None:
    """Raise for two intercepts of one factor; repeated slopes show only when there are columns."""
    seen: set[frozenset[str]] = set()
    for term in formula.groups:
        if term.effects.startswith("0"):
            continue
        if frozenset(term.factor) in seen:
            raise FormulaError(
                f"group terms repeat the intercept for {term.name!r}: {term} brings it a second "
                "time. Write one term with all effects, or start all but one with 0 +"
            )
        seen.add(frozenset(term.factor))


def _response_on_left_only(formula: Formula) -> None:
    right = [*columns(formula.population)]
    for term in formula.groups:
        right += [*columns(term.effects), *term.factor]
    for text in formula.offsets:
        right += columns(text)
    for column in columns(formula.response):
        if column in right:
            raise FormulaError(
                f"response {column!r} is on both sides of the formula {str(formula)!r}"
            )


# Calls -----------------------------------------------------------------------------------------


def _calls(reader: _Reader) -> bool:
    """Tell whether the name at the current place is followed, without a space, by a bracket."""
    name, after = reader.token, reader.tokens[reader.place + 1 : reader.place + 2]
    return bool(after) and after[0].text == "(" and after[0].start == name.start + len(name.text)


def _offset(reader: _Reader) -> str:
    reader.next()
    start, end = reader.place + 1, reader.closing()
    if end == start:
        reader.fail("offset() takes a column, or an expression such as offset(np.log(x))")
    first = reader.tokens[start]
    if end == start + 1 and first.kind in ("name", "quoted"):
        text = quoted(_column(reader, first))
    else:
        text = _expression(reader, start, end)
    reader.place = end + 1
    return text


def _call(reader: _Reader) -> str:
    start = reader.place
    reader.next()
    end = reader.closing() + 1
    text = _expression(reader, start, end)
    reader.place = end
    return text


def _braces(reader: _Reader) -> str:
    start, end = reader.place + 1, reader.closing()
    if end == start:
        reader.fail("nothing stands between the braces")
    text = _expression(reader, start, end)
    reader.place = end + 1
    return text


def _expression(reader: _Reader, start: int, end: int) -> str:
    """Read the tokens from start to end as Python, check them and write them canonically."""
    tokens = reader.tokens[start:end]
    try:
        after = [*tokens[1:], _Token("end", "", 0)]
        words = [_identifier(token, next_.text) for token, next_ in zip(tokens, after, strict=True)]
        text = _quote_calls(" ".join(words))
        tree = check_expression(text)
    except FormulaError as error:
        reader.fail(str(error), tokens[0])
    found = list(_uses(tree))
    if not found:
        reader.fail("a call that names no column is no term", tokens[0])
    reader.uses.extend(found)
    canonical = _QUOTED_ALIAS.sub(
        lambda match: quoted(bytes.fromhex(match[1]).decode()), ast.unparse(tree)
    )
    return canonical if isinstance(tree, ast.Call) else f"I({canonical})"


def _identifier(token: _Token, after: str) -> str:
    """Return a token with an identifier for a column whose name means something else."""
    if token.kind == "name" and re.search(r"(^|\.)__", token.text):
        raise FormulaError(f"{token.text!r} is not allowed in a formula")
    if token.kind == "quoted":
        return alias(token.text[1:-1])
    if keyword.iskeyword(token.text) and token.text not in ("None", "True", "False"):
        raise FormulaError(foreign.keyword(token.text))
    shadows = token.kind == "name" and token.text in _FUNCTION_WORDS - set(CONTRASTS)
    return alias(token.text) if shadows and after not in ("(", "=") else token.text


def _quote_calls(text: str) -> str:
    """Read ``Q("a b")``, patsy's way to quote a column, as the column itself."""
    return re.sub(
        r"\bQ \( (?:\"([^\"\\]+)\"|'([^'\\]+)') \)",
        lambda match: alias(match[1] or match[2]),
        text,
    )


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


def _refuse(node: ast.AST, why: str = "") -> NoReturn:
    raise FormulaError(f"{unaliased(ast.unparse(node))!r} is not allowed in a formula{why}")


def _allow(node: ast.AST) -> None:
    """Raise unless the tree is made of names, constants, arithmetic and listed calls alone."""
    match node:
        case ast.Call():
            _allow_call(node)
        case ast.BinOp(left, operator, right):
            _allow_arithmetic(node, operator, left, right)
        case ast.UnaryOp(ast.UAdd() | ast.USub() | ast.Invert(), operand):
            _allow_arithmetic(node, ast.Add(), operand)
        case ast.Compare(left, [operator], [right]) if isinstance(operator, _COMPARISONS):
            _allow(left)
            _allow(right)
        case ast.List(elements) | ast.Tuple(elements):
            for element in elements:
                _allow(element)
        case _ if not _is_plain(node):
            _refuse(node)


def _is_plain(node: ast.AST) -> bool:
    """Tell whether a leaf of the tree is a column, a contrast, a number, text or None."""
    match node:
        case ast.Name(name):
            return not name.startswith("__") or _ALIAS.fullmatch(name) is not None
        case ast.Constant(value):
            return value is None or type(value) in (bool, int, float, str)
    return isinstance(node, ast.Attribute) and ast.unparse(node) in CONTRASTS


def _allow_arithmetic(node: ast.AST, operator: ast.operator, *operands: ast.expr) -> None:
    """Arithmetic is for numbers: repeated text, lists or towers of powers could eat the machine."""
    power = isinstance(operator, ast.Pow) and any(map(_names_column, operands))
    if not (power or isinstance(operator, _OPERATORS)):
        _refuse(node)
    for operand in operands:
        if isinstance(operand, ast.List | ast.Tuple) or (
            isinstance(operand, ast.Constant) and not isinstance(operand.value, int | float)
        ):
            _refuse(node)
        _allow(operand)


def _names_column(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Name) for inner in ast.walk(node))


def _allow_call(node: ast.Call) -> None:
    function = ast.unparse(node.func)
    if function not in TRANSFORMS:
        why = foreign.function(function) or did_you_mean(function, TRANSFORMS)
        _refuse(node.func, f": it is not one of the functions hiermix knows.{why}")
    for keyword_ in node.keywords:
        if keyword_.arg is None or keyword_.arg.startswith("_"):
            _refuse(node)
        _allow(keyword_.value)
    for argument in node.args:
        _allow(argument)


def _uses(
    node: ast.AST, how: Literal["category", "number", "compared"] = "number", by: str = "I"
) -> Iterator[Use]:
    match node:
        case ast.Name(name):
            if name not in CONTRASTS:
                yield Use(unaliased(name), how, by)
        case ast.Attribute():  # a contrast, such as contr.sum
            return
        case ast.Call():
            yield from _call_uses(node)
        case ast.Compare(left, _, [right]):
            text = any(
                isinstance(side, ast.Constant) and isinstance(side.value, str)
                for side in (left, right)
            )
            for side in (left, right):
                yield from _uses(side, "compared" if text else how, by)
        case _:
            for inner in ast.iter_child_nodes(node):
                yield from _uses(inner, how, by)


def _call_uses(node: ast.Call) -> Iterator[Use]:
    function = ast.unparse(node.func)
    for argument in (*node.args, *(keyword_.value for keyword_ in node.keywords)):
        marked = function == "C" and isinstance(argument, ast.Name)
        yield from _uses(argument, "category" if marked else "number", function)
