"""Text or Group specs -> Formula: response, population terms, group terms; knows no data.

The population part is Wilkinson's notation as formulaic reads it; group terms are lme4's bars.
Formulas may come from strangers, so nothing reaches formulaic that was not read here first, token
by token, and no call is let through but those of ``TRANSFORMS``. What comes out is written in one
canonical way, so that equal formulas are equal whatever their spacing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from hiermix.errors import FormulaError, caret
from hiermix.formula import count_columns, foreign_syntax, imputations
from hiermix.formula.bars import bar, bars_of
from hiermix.formula.calls import is_call, offset_of
from hiermix.formula.equations import MU, EquationText, written
from hiermix.formula.response_terms import NOTHING_BESIDE, ResponseTerms, read_terms
from hiermix.formula.special_products import add_term
from hiermix.formula.sums import Side, atom, columns, joined, no_minus, signs
from hiermix.formula.terms import Group, GroupTerm, registry
from hiermix.formula.terms.group_terms import entering
from hiermix.formula.terms.protocols import Special
from hiermix.formula.tokens import Reader, checked_text, tokens_of


@dataclass(frozen=True)
class Formula:
    """A formula taken apart; ``str`` puts it together again in the canonical form."""

    text: str = field(compare=False)
    response: str
    population: str
    groups: tuple[GroupTerm, ...]
    """Of all equations."""
    offsets: tuple[str, ...]
    beside: ResponseTerms = NOTHING_BESIDE
    """What stands behind the response's bar."""
    further: tuple[EquationText, ...] = ()
    """Equations of other parameters than the response's location, and of predictors."""
    specials: tuple[Special, ...] = ()
    """Terms that are more than columns, of all equations: see `terms`."""
    parts: tuple["Formula", ...] = ()
    """Of several responses the formula of each; the rest is then that of the first."""
    counted: tuple[str, ...] = ()
    """Columns of counts that are one response together, each of a category: ``c(a, b)``."""

    @property
    def all_specials(self) -> tuple[Special, ...]:
        """Terms that are more than columns, those that vary in group terms among them."""
        return *self.specials, *(each for term in self.groups for each in term.specials)

    @property
    def response_columns(self) -> tuple[str, ...]:
        """Every column left of the tilde, but for what stands behind the bar."""
        return self.counted or columns(self.response)

    @property
    def equations(self) -> tuple[EquationText, ...]:
        """Every equation, that of the response's location first."""
        offsets = (*self.offsets, *self.beside.offsets)
        return EquationText(MU, self.population, offsets), *self.further

    @property
    def imputed(self) -> tuple[str, ...]:
        """Columns that have an equation for their missing values."""
        return tuple(each.name for each in self.further if each.imputes)

    @property
    def pieces(self) -> tuple[str, ...]:
        """Every sum of terms right of a tilde or left of a bar."""
        own = [piece for each in self.equations for piece in each.pieces]
        return *own, *(term.effects for term in self.groups)

    @property
    def predictors(self) -> tuple[str, ...]:
        """Every column right of a tilde, those of grouping factors among them."""
        if self.parts:
            return tuple(name for part in self.parts for name in part.predictors)
        names = [name for piece in self.pieces for name in columns(piece)]
        beside = (*(term.columns for term in self.groups),
                  *(each.columns for each in self.specials))  # fmt: skip
        return *names, *(name for columns in beside for name in columns)

    def __str__(self) -> str:
        if self.parts:
            return "; ".join(map(str, self.parts))
        left = f"{self.response}{self.beside}"
        location = EquationText(MU, self.population, self.offsets)
        each = [written(one, self._beside(one.name), left if one.name == MU else "")
                for one in (location, *self.further)]  # fmt: skip
        return "; ".join(each)

    def _beside(self, equation: str) -> str:
        terms: tuple[Special | GroupTerm, ...] = (*self.specials, *self.groups)
        return " + ".join(str(term) for term in terms if term.equation == equation)


def parse(text: str | Sequence[str], groups: Sequence[Group] = ()) -> Formula:
    """Read a formula, and the equations of other parameters.

    Parameters
    ----------
    text
        A formula such as ``"y ~ x + (1 + x | g)"``; with equations of other parameters a list,
        ``["y ~ x + (1 | g)", "sigma ~ x"]``, or one text with semicolons between.
    groups
        Group terms given as specs, added after those of the text.

    Raises
    ------
    FormulaError
        If the text is no formula, or calls what a formula may not call.
    """
    first, *others = texts_of(text)
    formula = _main(first, groups)
    for other in others:
        formula = _with_equation(formula, other)
    _no_repeats(formula)
    imputations.check(formula.equations, formula.groups, formula.specials, formula.response)
    _response_on_left_only(formula)
    return formula


def texts_of(text: object) -> list[str]:
    """Return the texts of the equations: a list, or what stands between semicolons."""
    if isinstance(text, list | tuple):
        if not text:
            raise FormulaError("the list of formulas is empty: write ['y ~ x', 'sigma ~ x']")
        return [checked_text(each, "formula") for each in text]
    whole = checked_text(text, "formula")
    ends = [token.start for token in tokens_of(whole) if token.text == ";"]
    if whole.count("~") <= len(ends):  # no equation behind a semicolon
        ends = []
    starts = [0, *(end + 1 for end in ends)]
    return [whole[start:end] for start, end in zip(starts, [*ends, len(whole)], strict=True)]


def _main(text: str, groups: Sequence[Group]) -> Formula:
    reader = Reader(text)
    counted, response, beside = _left(reader)
    side = _right(reader)
    bars = [*side.bars, *(bar for spec in groups for bar in bars_of(spec))]
    return Formula(
        text=text,
        response=response,
        population=joined(side.terms, side.intercept, explicit=False),
        groups=tuple(bars),
        offsets=tuple(side.offsets),
        beside=beside,
        specials=tuple(side.specials),
        counted=counted,
    )


def _with_equation(formula: Formula, text: str) -> Formula:
    """Add the equation of a parameter to a formula."""
    reader = Reader(text)
    name, imputes = imputations.left_side(reader)
    if name in [each.name for each in formula.equations]:
        reader.fail(f"{name!r} has an equation already", reader.tokens[0])
    side = _right(reader)
    population = joined(side.terms, side.intercept, explicit=False)
    bars = (entering(each, name) for each in side.bars)
    specials = (registry.entering(each, name) for each in side.specials)
    equation = EquationText(name, population, tuple(side.offsets), imputes)
    return replace(
        formula,
        text=f"{formula.text}; {text}",
        groups=(*formula.groups, *bars),
        further=(*formula.further, equation),
        specials=(*formula.specials, *specials),
    )


def _left(reader: Reader) -> tuple[tuple[str, ...], str, ResponseTerms]:
    """Read the response and what brms writes behind its bar, up to and with the tilde."""
    if not any(token.text == "~" for token in reader.tokens) or reader.at("~"):
        raise FormulaError(f"formula needs a response: y ~ ...{caret(reader.text, 0)}")
    counted = count_columns.read(reader)
    response = count_columns.written(counted) if counted else _response(reader)
    beside = read_terms(reader)
    if not reader.take("~"):
        reader.fail(
            "the response is one column or one transformed column, such as np.log(y) or I(y / 10)"
        )
    return counted, response, beside


def _response(reader: Reader) -> str:
    if reader.token.text in foreign_syntax.SUCCESSES and is_call(reader):
        _refuse_pair(reader)
    if reader.token.kind not in ("name", "quoted") and not reader.at("{"):
        reader.fail("the response is a column, or a transformed column such as np.log(y)")
    return atom(reader)


def _refuse_pair(reader: Reader) -> NoReturn:
    """Answer other tools' ways to write successes out of trials."""
    name = reader.next()
    start, end = reader.place, reader.closing()
    inside = reader.text[reader.tokens[start].start + 1 : reader.tokens[end].start]
    reader.fail(foreign_syntax.successes(name.text, inside), name)


def _right(reader: Reader) -> Side:
    if reader.token.kind == "end":
        reader.fail("nothing stands right of ~: write y ~ 1 for an intercept alone")
    side = Side()
    for sign in signs(reader, until=""):
        if reader.at("(") and reader.has_bar():
            no_minus(reader, sign, "a group term")
            side.bars.extend(bar(reader))
        elif reader.at("offset") and is_call(reader):
            no_minus(reader, sign, "an offset")
            side.offsets.append(offset_of(reader))
        else:
            add_term(side, reader, sign)
    return side


def _no_repeats(formula: Formula) -> None:
    """Raise for two intercepts of one factor; repeated slopes show only when there are columns."""
    seen: set[tuple[str, frozenset[str]]] = set()
    for term in formula.groups:
        if term.effects.startswith("0"):
            continue
        key = term.equation, frozenset(term.factor)
        if key in seen:
            raise FormulaError(
                f"group terms repeat the intercept for {term.name!r}: {term} brings it a second "
                "time. Write one term with all effects, or start all but one with 0 +"
            )
        seen.add(key)


def _response_on_left_only(formula: Formula) -> None:
    for column in formula.response_columns:
        if column in formula.predictors:
            raise FormulaError(
                f"response {column!r} is on both sides of the formula {str(formula)!r}"
            )
