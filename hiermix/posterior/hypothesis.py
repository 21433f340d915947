"""Probability statements about parameters: ``"floor < 0"``, read without running any Python.

Names are those of summaries: ``Intercept``, ``b[floor]``, ``sigma``, ``sd_county[floor]``,
``cor_county[Intercept, floor]``, ``r_county[AITKIN, floor]``, ``threshold[low|high]``; those of
priors, ``sd[county, floor]``; a population term as the formula has it, ``floor``; and the
coefficient of one level, ``county[ST LOUIS, floor]``. With them: numbers, ``+ - * / **``,
``abs exp log sqrt``, and ``< <= > >=``.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.design.level_steps import joined
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.families.category_equations import further, named
from hiermix.posterior.arithmetic import Read, Reader, taken_out
from hiermix.posterior.coefficients import term_of
from hiermix.posterior.intervals import ends, tails
from hiermix.posterior.posterior import Posterior
from hiermix.posterior.single_values import label
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

type Where = dict[Any, Any]
"""Labels that choose an effect."""

_COMPARE: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


def hypothesis(posterior: Posterior, *statements: str, prob: float = 0.95) -> pd.DataFrame:
    """Return the posterior probability of statements about parameters.

    Parameters
    ----------
    *statements : str
        Such as ``"floor < 0"``, ``"-0.1 < floor < 0.1"``, ``"exp(floor) < sigma"``. Names are
        those of the summary, ``"sd_county[floor] > 0.1"``,
        ``"cor_county[Intercept, floor] < 0"``, ``"r_county[AITKIN, floor] > 0"``, or of priors,
        ``"sd[county, floor] > 0.1"``; and of the coefficients of levels
        ``"county[AITKIN, floor] < county[ST LOUIS, floor]"``. A power is ``x ** 2``.
    prob : float
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        One row a statement: estimate (left side less right side; the middle of two
        comparisons), sd, interval, probability and its Monte-Carlo error.

    Raises
    ------
    ArgumentError
        A statement that is no comparison, or a name that is not in the fit.
    """
    tails(prob)
    if not statements:
        raise ArgumentError("state a hypothesis, such as 'floor < 0'")
    rows = [_row(posterior, statement, prob) for statement in statements]
    return pd.DataFrame(rows, index=pd.Index(statements, name="hypothesis"))


def _row(posterior: Posterior, statement: str, prob: float) -> dict[str, float]:
    from arviz_stats.base.array import array_stats

    value, holds = evaluate(posterior, statement)
    sure = bool(holds.all() or not holds.any())
    error = 0.0 if sure else float(array_stats.mcse(holds.astype(float), chain_axis=0, draw_axis=1))
    return {
        "estimate": float(value.mean()), "sd": float(value.std(ddof=1)),
        **{name: float(end) for name, end in ends(value.ravel(), prob).items()},
        "probability": float(holds.mean()), "mcse": error,
    }  # fmt: skip


def evaluate(posterior: Posterior, statement: str) -> tuple[FloatArray, np.ndarray]:
    """Return draws (chain, draw) of what is compared, and whether the statement holds in each."""
    if not isinstance(statement, str):
        raise ArgumentError(f"a hypothesis is text such as 'floor < 0', not {quoted(statement)}")
    names = _Names(posterior)
    reader = Reader(statement, *taken_out(statement, names.at), list(names.shown))
    comparison = _parse(reader)
    with np.errstate(all="ignore"):
        sides = [np.broadcast_to(reader.value(side), posterior.shape) for side in
                 (comparison.left, *comparison.comparators)]  # fmt: skip
    if not np.isfinite(sides).all():
        raise ArgumentError(f"hypothesis {statement!r} is not a finite number in some draws")
    steps = zip(comparison.ops, sides[:-1], sides[1:], strict=True)
    holds = np.logical_and.reduce([_COMPARE[type(op)](a, b) for op, a, b in steps])
    value = sides[0] - sides[1] if len(sides) == 2 else sides[1]
    return np.array(value, dtype=np.float64), holds


def draws(posterior: Posterior, name: str) -> "xr.DataArray":
    """Return the draws (chain, draw) of a parameter by its name.

    Raises
    ------
    ArgumentError
        There is none of this name.
    """
    known = _Names(posterior)
    found = known.at(name, 0) if isinstance(name, str) else None
    if found is None or found[1] != len(name):
        near = did_you_mean(str(name), known.shown)
        raise ArgumentError(
            f"{quoted(name)} is no parameter of this fit.{near} Known: "
            f"{', '.join(known.shown)}; and of levels, county[AITKIN, Intercept]"
        )
    like = next(iter(posterior.draws.data_vars.values()))
    coords = {dim: like[dim] for dim in ("chain", "draw")}
    return type(like)(np.array(found[0]()), dims=("chain", "draw"), coords=coords, name=name)


def names(posterior: Posterior) -> list[str]:
    """Return the names of all parameters, coefficients of levels among them."""
    levels = [
        f"{each.name}[{', '.join(part for part in (before, str(level), after) if part)}]"
        for each in posterior.design.groupings
        for level in each.levels
        for before, after, _ in _effects(posterior.design, each)
        if after or len(each.effects) == 0
    ]
    return [*_Names(posterior).shown, *levels]


def _parse(reader: Reader) -> ast.Compare:
    """Read one comparison; anything else is refused, a name that isn't known by its name."""
    statement = reader.statement
    try:
        parsed = ast.parse(reader.text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        parsed = None
        if bracketed := re.search(r"[^\W\d][\w.]*\s*\[.*\]", reader.text):
            raise reader.unknown(bracketed[0]) from None
    if not isinstance(parsed, ast.Compare) or len(parsed.ops) > 2:
        raise ArgumentError(
            f"hypothesis {statement!r} is no comparison: write it as 'floor < 0' or "
            "'-0.1 < floor < 0.1'"
        )
    if any(type(op) not in _COMPARE for op in parsed.ops):
        raise ArgumentError(
            f"hypothesis {statement!r}: compare with <, <=, > or >=. A single value has "
            "probability zero; ask for an interval around it"
        )
    return parsed


# Names -----------------------------------------------------------------------------------------


class _Names:
    """Finds names in a statement, from left to right: labels may hold anything, brackets too."""

    def __init__(self, posterior: Posterior) -> None:
        self.posterior, self.design = posterior, posterior.design
        summary = dict(_of_summary(posterior.draws))
        terms = {} if self.design.alike else {
            term_of(name): read for name, read in summary.items()}  # fmt: skip
        self.shown = terms or summary
        self.known = dict(_of_priors(posterior)) | terms | summary
        self._by_canonical = {_canonical(name): name for name in self.known}
        names = sorted(self._by_canonical, key=len, reverse=True)
        spaced = "|".join(map(_loosely, names))
        self._name = re.compile(rf"(?:{spaced})(?![\w\[])")
        factors = sorted((each.name for each in self.design.groupings), key=len, reverse=True)
        some = "|".join(map(re.escape, factors)) or r"(?!)"
        self._level = re.compile(rf"(r_)?({some})\s*\[")

    def at(self, statement: str, at: int) -> tuple[Read, int] | None:
        """Return what reads the name that starts here, and where it ends."""
        if name := self._name.match(statement, at):
            return self.known[self._by_canonical[_canonical(name[0])]], name.end()
        if opened := self._level.match(statement, at):
            grouping = self.design.grouping(opened[2])
            (level, where), end = self._level_and_effect(statement, opened.end(), grouping)
            return partial(self._coefficient, grouping, level, where, not opened[1]), end
        return None

    def _coefficient(
        self, grouping: Grouping, level: object, where: Where, whole: bool
    ) -> FloatArray:
        """Read the coefficient of a level, or only its deviation from the population's."""
        if whole:
            draws = self.posterior.group_coefficients(grouping.name, level)
        else:
            draws = self.posterior.effects(grouping.name)
        return draws.sel({draws.dims[-2]: level} | where).to_numpy()

    def _level_and_effect(
        self, text: str, start: int, grouping: Grouping
    ) -> tuple[tuple[object, Where], int]:
        """Read a level and an effect up to the bracket that closes them."""
        labels = {str(level): level for level in grouping.levels}
        effects = _effects(self.design, grouping)
        for closing in re.finditer(r"\]", text[start:]):
            inside = text[start : start + closing.start()].strip()
            for before, after, where in effects:
                level = _between(inside, before, after)
                for written in () if level is None else (level, level.strip("'\"")):
                    if written in labels:
                        return (labels[written], where), start + closing.end()
        asked = text[start:].partition("]")[0]
        level = asked.partition(",")[0].strip()
        near = "" if level in labels else did_you_mean(level, labels)
        raise ArgumentError(
            f"{grouping.name}[{asked}] names no level and effect of {grouping.name}.{near} "
            f"Write {grouping.name}[level, effect]; effects: "
            f"{'; '.join(after for before, after, _ in effects if after and not before)}"
        )


def _between(inside: str, before: str, after: str) -> str | None:
    """Return the level of ``category, level, effect``, or None if it isn't so written."""
    first, comma, rest = inside.partition(",") if before else ("", ",", inside)
    if first.strip() != before or not comma or not rest.endswith(after):
        return None
    rest = rest.removesuffix(after).rstrip()
    return rest.removesuffix(",").strip() if rest.endswith(",") or not after else None


def _canonical(name: str) -> str:
    return re.sub(r"\s*\|\s*", "|", re.sub(r"\s*,\s*", ", ", name))


def _loosely(name: str) -> str:
    """Pattern of a canonical name, with any blanks around its commas and bars."""
    return re.escape(name).replace(r",\ ", r"\s*,\s*").replace(r"\|", r"\s*\|\s*")


def _of_summary(posterior: "xr.Dataset") -> Iterator[tuple[str, Read]]:
    """Names as summaries print them, but those of levels."""
    for variable, array in posterior.data_vars.items():
        if str(variable).startswith("r_"):
            continue
        flat = array.to_numpy().reshape(*array.shape[:2], -1)
        for place in range(flat.shape[-1]):
            yield label(str(variable), array, place), partial(flat.__getitem__, (..., place))


def _of_priors(posterior: Posterior) -> Iterator[tuple[str, Read]]:
    """Names as priors have them, ``sd[county, floor]``; correlations in either order."""
    for category in posterior.equations:
        part = posterior.of_equation(category)
        for each in map(joined, posterior.design.groupings):
            for effect in each.sds:
                where = {f"{each.name}_effect": effect}
                read = part[f"sd_{each.name}"].sel(where).to_numpy
                yield named(f"sd[{each.name}, {effect}]", category), read
            for i, j in each.pairs:
                first, second = each.effects[i], each.effects[j]
                where = {f"{each.name}_pair": f"{first}, {second}"}
                read = part[f"cor_{each.name}"].sel(where).to_numpy
                for one, other in ((first, second), (second, first)):
                    yield named(f"cor[{each.name}, {one}, {other}]", category), read
                    apart = "" if category is None else f"{category}, "
                    yield f"cor_{each.name}[{apart}{one}, {other}]", read


def _effects(design: Design, grouping: Grouping) -> list[tuple[str, str, Where]]:
    """How the effects of a factor are written, before and after the level, and where each is."""
    found: list[tuple[str, str, Where]] = []
    for effect in grouping.of_level:
        where = {grouping.dim: effect}
        for category in further(design):
            apart = where | {"category": category}
            found += [("", f"{category}, {effect}", apart), (category, effect, apart)]
        if not further(design):
            found.append(("", effect, where))
    if len(found) == 1:  # it need not be written
        found.append(("", "", found[0][2]))
    return found
