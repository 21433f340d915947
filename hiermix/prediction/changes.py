"""What a variable is changed from and to: by one, by an sd, between levels, between values."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.design.hilbert_spaces import ProcessCurve
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.formula.sums import columns, uses
from hiermix.prediction import grids
from hiermix.prediction.estimands import label_columns
from hiermix.prediction.row_hypotheses import pairs_of

_SPREADS = ("sd", "2sd", "iqr", "minmax")
_PAIRS = ("pairwise", "reference", "sequential", "revpairwise", "revreference", "revsequential")
_FEW = 25
"""Values of a numeric column that are taken as levels where levels are asked for."""

type Variables = str | Iterable[str] | Mapping[str, Any] | None


@dataclass(frozen=True, eq=False)
class Setting:
    """A column set to something in all rows; to nothing where it stays as it is."""

    text: str
    column: Mapping[str, Any]

    @property
    def key(self) -> Hashable:
        """By what equal settings are known: they are worked out once."""
        return tuple((name, self.text) for name in self.column)


@dataclass(frozen=True, eq=False)
class Step:
    """A change of one variable."""

    name: str
    low: Setting
    high: Setting
    label: str | None = None
    """How the change is written, where it is not of two settings."""


def named(design: Design, variables: Variables, over: str, *, numeric: bool) -> dict[str, Any]:
    """Return the variables that are asked for, and how each changes; None where nothing is said.

    Raises
    ------
    ArgumentError
        A variable that is not in the model, or a grouping factor where groups are not known.
    """
    if variables is None:
        found: dict[str, Any] = dict.fromkeys(_by_default(design, numeric))
    elif isinstance(variables, Mapping):
        found = dict(variables)
    else:
        found = dict.fromkeys(options.names("variables", variables))
    if not found:
        raise ArgumentError(
            "variables names nothing to change, and the model has no such predictor"
        )
    for name in found:
        _check(design, name, over)
    return found


def _by_default(design: Design, numeric: bool) -> list[str]:
    """Return the predictors but dates; an offset says how much there is of a row, and is none."""
    formula = design.formula
    texts = [each.population for each in formula.equations]
    texts += [term.effects for term in formula.groups]
    used = {name for text in texts for name in columns(text)}
    used |= {use.column for each in formula.specials for use in each.uses}
    return [
        name
        for name in design.predictors
        if name in used
        and (_is_number(design, name) or _has_levels(design, name))
        and not (numeric and _has_levels(design, name))
    ]


def _check(design: Design, name: object, over: str) -> None:
    labels = label_columns(design)
    known = [*design.predictors, *(each for each in labels if each not in design.predictors)]
    if name not in known:
        near = did_you_mean(str(name), known)
        beside = isinstance(name, str) and design.has(name)
        what = "a column that the model does not use" if beside else "no column of the data"
        raise ArgumentError(
            f"variables names {quoted(name)}, {what}.{near} Known: {', '.join(map(repr, known))}"
        )
    if name in labels and name not in design.predictors and over != "these groups":
        raise ArgumentError(
            f"variables names {name!r}, which is a group: groups are compared "
            f"over='these groups', not over={over!r}"
        )


def steps(design: Design, frame: pd.DataFrame, name: str, how: Any) -> list[Step]:
    """Return the changes of a variable that are asked for."""
    if how is None and (ends := _known_range(design, name)) is not None:
        return _inside(design, frame, name, ends)
    if how is None:
        how = "reference" if _has_levels(design, name) else 1
    if isinstance(how, str):
        return _worded(design, name, how)
    if isinstance(how, bool | np.bool_) or callable(how):
        raise _not_understood(name, how)
    if isinstance(how, int | float | np.number):
        return [_forward(design, frame, name, float(how))]
    if not isinstance(how, Iterable) or isinstance(how, Mapping):
        raise _not_understood(name, how)
    values = list(how)
    if len(values) < 2:
        raise ArgumentError(f"variables: {name!r} needs two values to compare, not {quoted(how)}")
    return _between(name, values, "reference")


def crossed(each: Sequence[Sequence[Step]], written: str) -> list[Step]:
    """Return changes of several variables at once: every combination of one of each."""
    return [_together(some, written) for some in product(*each)]


def _together(some: Sequence[Step], written: str) -> Step:
    """Join changes: all low ends to one, all high ends to the other."""
    texts = [step.label or written.format(high=step.high.text, low=step.low.text) for step in some]
    names = ", ".join(step.name for step in some)
    low, high = (
        Setting(", ".join(each.text for each in ends),
                {name: values for each in ends for name, values in each.column.items()})
        for ends in ([step.low for step in some], [step.high for step in some])
    )  # fmt: skip
    return Step(names, low, high, label=", ".join(texts))


def _not_understood(name: str, how: object) -> ArgumentError:
    words = ", ".join(map(repr, (*_SPREADS, *_PAIRS[:3])))
    return ArgumentError(
        f"variables: {name!r} changes by a number, between values such as [0, 1], or by one of "
        f"{words}; not {quoted(how)}"
    )


def _worded(design: Design, name: str, how: str) -> list[Step]:
    if how in _PAIRS:
        return _between(name, values_of(design, name), how)
    if how not in _SPREADS:
        raise _not_understood(name, how)
    design.check_rows(f"{{{name!r}: {how!r}}}")
    x = _numbers(design, name)
    middle, sd = float(x.mean()), float(x.std(ddof=1))
    low, high = {
        "sd": (middle - sd / 2, middle + sd / 2),
        "2sd": (middle - sd, middle + sd),
        "iqr": tuple(map(float, np.quantile(x, [0.25, 0.75]))),
        "minmax": (float(x.min()), float(x.max())),
    }[how]
    ends = [Setting(f"{value!r}", {name: value}) for value in (low, high)]
    return [Step(name, low=ends[0], high=ends[1], label=how)]


def _between(name: str, values: list[Any], how: str) -> list[Step]:
    settings = [Setting(_text(value), {name: value}) for value in values]
    return [Step(name, settings[low], settings[high]) for high, low in pairs_of(how, len(values))]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else kinds.spelled(value)


def _forward(design: Design, frame: pd.DataFrame, name: str, by: float) -> Step:
    """Change a number from where it is in each row."""
    _numbers(design, name)
    at = as_numbers(frame, name)
    return Step(name, Setting("", {}), Setting(f"{by:+g}", {name: at + by}), label=f"{by:+g}")


def _inside(
    design: Design, frame: pd.DataFrame, name: str, ends: tuple[float, float]
) -> list[Step]:
    """Change a number by one within a range, from where it is or as near to it as that goes.

    By the quartiles of the fit, where the range is less than one wide.
    """
    least, most = ends
    if most - least < 1:
        return _worded(design, name, "iqr")
    at = as_numbers(frame, name)
    within = (at >= least) & (at <= most)
    start = np.where(within, np.minimum(at, most - 1), at)
    if np.array_equal(start, at):
        return [_forward(design, frame, name, 1.0)]
    low, high = (Setting(text, {name: values})
                 for text, values in (("inside", start), ("inside +1", start + 1)))  # fmt: skip
    return [Step(name, low, high, label="+1, in range")]


def _known_range(design: Design, name: str) -> tuple[float, float] | None:
    """Return the range beyond which a term knows nothing of a number, if one is so."""
    ends = [(each.low, each.high) for each in design.curves
            if isinstance(each, ProcessCurve) and each.column == name]  # fmt: skip
    written = (use for each in design.formula.equations for use in uses(each.population))
    if any(use.column == name and use.function == "bs" for use in written):
        x = _numbers(design, name)
        ends.append((float(x.min()), float(x.max())))
    return (max(low for low, _ in ends), min(high for _, high in ends)) if ends else None


def as_numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return a numeric column of the rows that are asked about."""
    if name not in frame:
        raise ArgumentError(f"variables names {name!r}, no column of newdata")
    values = kinds.stored(frame[name])
    if not kinds.is_numeric(values):
        raise ArgumentError(f"column {name!r} of newdata holds {kinds.words(values)}, not numbers")
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _numbers(design: Design, name: str) -> np.ndarray:
    """Return the values of a numeric column of the fit."""
    if not _is_number(design, name):
        what = (
            "levels" if design.levels_of(name) else kinds.words(kinds.stored(design.column(name)))
        )
        values = "[one, other]" if what in ("dates", "durations") else "'pairwise'"
        raise ArgumentError(
            f"variables: {name!r} holds {what} in the fit, not numbers: compare two values, "
            f"variables={{{name!r}: {values}}}"
        )
    return kinds.stored(design.column(name)).dropna().to_numpy(dtype=np.float64)


def _is_number(design: Design, name: str) -> bool:
    values = kinds.stored(design.column(name))
    return not design.levels_of(name) and kinds.what(values) == "numeric"


def _has_levels(design: Design, name: str) -> bool:
    group = name in label_columns(design) and name not in design.predictors
    return group or grids.is_categorical(design, name)


def values_of(design: Design, name: str) -> list[Any]:
    """Return the levels of a column, or the values of one that has few."""
    if _has_levels(design, name):
        return grids.levels(design, name)
    values = grids.levels(design, name)
    if len(values) > _FEW:
        raise ArgumentError(
            f"column {name!r} has {len(values):,} different values: name those you mean, "
            f"variables={{{name!r}: [...]}}"
        )
    return values


def spread_values(design: Design, name: str, how: Any) -> list[Any]:
    """Return the values at which rows are predicted: those named, levels, or five quantiles."""
    if isinstance(how, str) and how in _SPREADS:
        (step,) = _worded(design, name, how)
        return [step.low.column[name], step.high.column[name]]
    if how is not None:
        named = [how] if isinstance(how, str) or not isinstance(how, Iterable) else list(how)
        if not named:
            raise ArgumentError(f"variables: no values are named for {name!r}")
        return named
    if _has_levels(design, name) or not _is_number(design, name):
        return values_of(design, name)
    design.check_rows(f"variables={name!r}")
    return list(np.unique(np.quantile(_numbers(design, name), [0, 0.25, 0.5, 0.75, 1])))


def slope_ends(design: Design, frame: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two values near that of each row, within the fitted range where the row is.

    Splines and logarithms may not be defined beyond it.
    """
    x, at = _numbers(design, name), as_numbers(frame, name)
    x = x if len(x) else at
    low, high = float(x.min()), float(x.max())
    near = 1e-5 * ((high - low) or 1.0)
    inside = (at >= low) & (at <= high) & (low < high)
    below = np.where(inside, np.maximum(at - near, low), at - near)
    above = np.where(inside, np.minimum(at + near, high), at + near)
    return below, above
