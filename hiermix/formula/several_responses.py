"""Formulas of several responses, read one by one: ``["y1 ~ x + (1 | p | g)", "y2 ~ x"]``."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from hiermix.errors import FormulaError
from hiermix.formula.equations import MU
from hiermix.formula.formula import Formula, parse, texts_of
from hiermix.formula.sums import columns
from hiermix.formula.terms import Group
from hiermix.formula.tokens import Token, tokens_of

ONE_FAMILY = "gaussian"
"""The family whose responses may be several."""


def read(
    text: str | Sequence[str],
    groups: Sequence[Group],
    *,
    family: str,
    parameters: Collection[str],
    known: Collection[object],
) -> Formula:
    """Read a formula, of one response or of several; as `parse` does.

    Parameters
    ----------
    text, groups
        Those of `parse`.
    family : str
        Its name.
    parameters : collection of str
        What may have an equation in a model of one response.
    known : collection
        Columns of the data: a formula of one of them, or of a function, is one of a response.
    """
    texts = texts_of(text)
    lefts = [_left(each) for each in texts]
    further = [not plain or (name not in parameters and name in known) for name, plain in lefts[1:]]
    if not any(further):
        return parse(text, groups)
    if family != ONE_FAMILY:
        raise FormulaError(
            f"several responses are for family {ONE_FAMILY!r}, not {family!r}: fit a model of each "
            "response"
        )
    if _IMPUTED in [name for name, _ in lefts]:
        raise FormulaError(
            "of several responses no predictor has an equation for its missing values, x | mi(): "
            "fit a model of each response"
        )
    if not all(further):
        name, _ = lefts[1 + further.index(False)]
        raise FormulaError(
            f"each of several responses has a residual sd of its own, and {name!r} no equation: "
            f"leave out {texts[1 + further.index(False)].strip()!r}"
        )
    if groups:
        raise FormulaError(
            "groups= says of no response which it is for: write bars into the formulas, (1 | p | g)"
        )
    return _joined([parse(each) for each in texts])


def _left(text: str) -> tuple[str, bool]:
    """Return the name that a text starts with, and False where a response goes on behind it.

    That of a predictor with missing values, ``x | mi()``, is no name of a response.
    """
    tokens = (each for each in tokens_of(text) if each.kind != "space")
    first, after, word, *_ = [*tokens, _END, _END, _END]
    if after.text == "|" and word.text == "mi":
        return _IMPUTED, True
    named = first.kind in ("name", "quoted")
    return first.text.strip("`"), not (named and after.text in ("(", "|"))


_END, _IMPUTED = Token("end", "", 0), ""


def _joined(parts: Sequence[Formula]) -> Formula:
    """Return the formula whose parts are those of the responses."""
    responses = [each.response for each in parts]
    seen: dict[tuple[str, ...], str] = {}
    for place, each in enumerate(responses):
        if each in responses[:place]:
            raise FormulaError(
                f"response {each!r} has two formulas: {parts[responses.index(each)]} and "
                f"{parts[place]}. Keep one"
            )
        if len(names := columns(each)) == 1 and names in seen:
            raise FormulaError(
                f"responses {seen[names]!r} and {each!r} are both of the column {names[0]!r}: one "
                "is known from the other. Keep one"
            )
        seen[names] = each
        if each == MU:
            raise FormulaError(
                f"response {MU!r} is one of several, whose names are part of the names of "
                f"parameters, where {MU!r} is the mean of any: rename the column"
            )
    for part in parts:
        _check(part, responses)
    text = "; ".join(each.text for each in parts)
    return replace(parts[0], text=text, parts=tuple(parts))


def _check(part: Formula, responses: Sequence[str]) -> None:
    """Raise for what a formula of one among several responses can't say."""
    for special in part.all_specials:
        raise FormulaError(
            f"{special} stands beside one response alone: of several leave it out, or fit a model "
            f"of {part.response!r}"
        )
    if str(part.beside):
        raise FormulaError(
            f"{part.response!r} is one of several responses, which are plain measurements: leave "
            f"out{part.beside}"
        )
    for other in responses:
        for name in columns(other):
            if name in part.predictors:
                raise FormulaError(
                    f"{name!r} is a response, and a predictor of {part.response!r}: responses go "
                    "together through their residuals and effects. Take it out on one side"
                )
