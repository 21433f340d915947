"""The four questions: what is expected, how it changes, how steeply, and on average by levels."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design.frames import NewRows
from hiermix.errors import ArgumentError, quoted
from hiermix.posterior.coefficients import TERM
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import changes, row_hypotheses
from hiermix.prediction.changes import Setting, Variables
from hiermix.prediction.estimands import label_columns
from hiermix.prediction.estimates import Estimates, check_names, estimates
from hiermix.prediction.grids import DataGrid
from hiermix.prediction.marginal import By, Question, Weights, question
from hiermix.prediction.scales import SCALES, Contrast, Scale, scale_of
from hiermix.typing import FloatArray

CONTRAST = "contrast"

type Transform = Callable[[Any], Any] | None
"""Applied to the numbers of an answer at last."""
_SLOPES = {"dydx": "dy/dx", "eyex": "ey/ex", "eydx": "ey/dx", "dyex": "dy/ex"}


@dataclass(frozen=True)
class Asked:
    """What all questions have in common."""

    newdata: NewRows | DataGrid | None
    by: By
    over: str
    scale: str
    hypothesis: Any
    wts: Weights
    conf_level: float
    transform: Transform = None


def predicted(posterior: Posterior, asked: Asked, given: Variables) -> Estimates:
    """Answer `Fit.predictions`."""
    tails(asked.conf_level, "conf_level")
    scale = scale_of(asked.scale, posterior.family, comparing=asked.hypothesis is not None)
    design = posterior.design
    set_to = {} if given is None else {
        name: changes.spread_values(design, name, how)
        for name, how in changes.named(design, given, asked.over, numeric=False).items()
    }  # fmt: skip
    about = _about(posterior, asked, scale, set_to)
    return _answer(about, asked, about.averages(), about.labels, scale.contrast, compared=False)


def compared(
    posterior: Posterior, asked: Asked, given: Variables, *, cross: bool = False
) -> Estimates:
    """Answer `Fit.comparisons`."""
    tails(asked.conf_level, "conf_level")
    scale = scale_of(asked.scale, posterior.family, comparing=True)
    chosen = changes.named(posterior.design, given, asked.over, numeric=False)
    about = _about(posterior, asked, scale)
    each = [changes.steps(posterior.design, about.frame, name, how)
            for name, how in chosen.items()]  # fmt: skip
    steps = changes.crossed(each, scale.written) if cross else list(chain.from_iterable(each))
    known: dict[Any, FloatArray] = {}

    def at(setting: Setting) -> FloatArray:
        if setting.key not in known:
            known[setting.key] = about.averages(**setting.column)
        return known[setting.key]

    values = [scale.contrast(at(step.high), at(step.low)) for step in steps]
    written = [
        step.label or scale.written.format(high=step.high.text, low=step.low.text) for step in steps
    ]
    labels = _labelled(about.labels, [step.name for step in steps], written)
    return _answer(about, asked, np.concatenate(values), labels, scale.between, compared=True)


def steepness(
    posterior: Posterior, asked: Asked, given: Variables, kind: str = "dydx"
) -> Estimates:
    """Answer `Fit.slopes`: central differences over a hundred-thousandth of the fitted range."""
    tails(asked.conf_level, "conf_level")
    options.one_of("slope", kind, tuple(_SLOPES))
    scale = scale_of(asked.scale, posterior.family, comparing=True)
    scale = SCALES[scale.name]  # slopes of directions are numbers
    if scale.compares:
        raise ArgumentError(f"slopes have scale='response' or 'linear', not {asked.scale!r}")
    if isinstance(given, dict):
        raise ArgumentError("slopes take names of variables: they are where each row is")
    chosen = list(changes.named(posterior.design, given, asked.over, numeric=True))
    about = _about(posterior, asked, scale)

    def slope(name: str) -> FloatArray:
        below, above = changes.slope_ends(posterior.design, about.frame, name)
        weight = about.weight / (above - below)
        if kind.endswith("ex"):
            weight = weight * changes.as_numbers(about.frame, name)
        steep = about.sums(weight, **{name: above}) - about.sums(weight, **{name: below})
        return steep / about.averages() if kind.startswith("ey") else steep

    labels = _labelled(about.labels, chosen, [_SLOPES[kind]] * len(chosen))
    values = np.concatenate([slope(name) for name in chosen])
    return _answer(about, asked, values, labels, scale.between, compared=True)


def averaged(posterior: Posterior, asked: Asked, given: Variables) -> Estimates:
    """Answer `Fit.means`: `predicted` on a grid that has the levels asked for."""
    design = posterior.design
    grid = asked.newdata
    named = not (asked.by is None or isinstance(asked.by, bool))
    names = list(options.names("by", asked.by)) if named else []
    if isinstance(grid, str) and grid == "balanced":
        known = (*design.predictors, *label_columns(design))
        values = {name: changes.values_of(design, name) for name in names if name in known}
        grid = DataGrid(values, "balanced")
    groups = {*label_columns(design)} - {*design.predictors}
    over = asked.over or ("these groups" if groups & {*names, *(given or ())} else "population")
    return predicted(posterior, replaced(asked, newdata=grid, over=over, by=names or True), given)


def replaced(asked: Asked, **other: Any) -> Asked:
    """Return a question that differs in something."""
    return Asked(**(vars(asked) | other))


def _about(
    posterior: Posterior, asked: Asked, scale: Scale, set_to: dict[str, list[Any]] | None = None
) -> Question:
    about = question(
        posterior, asked.newdata, by=asked.by, over=asked.over, scale=scale, wts=asked.wts,
        set_to=set_to,
    )  # fmt: skip
    check_names(about.labels)
    return about


def _labelled(cells: pd.DataFrame, terms: list[str], contrasts: list[str]) -> pd.DataFrame:
    """Return the labels of cells once for each contrast."""
    parts = [
        pd.concat([pd.DataFrame({TERM: [term] * len(cells), CONTRAST: contrast}), cells], axis=1)
        for term, contrast in zip(terms, contrasts, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _answer(
    about: Question,
    asked: Asked,
    values: FloatArray,
    labels: pd.DataFrame,
    contrast: Contrast,
    *,
    compared: bool,
) -> Estimates:
    """Ask the hypothesis of the rows, if there is one, and label what comes of it."""
    scale, null = about.scale, about.scale.null
    values = scale.numbers(values)
    if asked.hypothesis is None:
        null = null if compared else 0.0
    else:
        found = _contrasts(asked.hypothesis, labels, values, contrast, scale, compared=compared)
        labels, values = found.labels, found.draws
        null = scale.null if found.paired else 0.0
    if asked.transform is not None:
        values, null = _transformed(asked.transform, values, null)
    return estimates(
        about.posterior, values, labels, categories=about.categories, over=about.over,
        scale=asked.scale, null=null, conf_level=asked.conf_level,
    )  # fmt: skip


def _transformed(transform: Transform, values: FloatArray, null: float) -> tuple[FloatArray, float]:
    """Apply a function to the draws, and to what no difference is."""
    if not callable(transform):
        raise ArgumentError(f"transform is a function such as np.exp, not {quoted(transform)}")
    with np.errstate(all="ignore"):
        found, zero = np.asarray(transform(values)), float(transform(np.float64(null)))
    if found.shape != values.shape or found.dtype.kind not in "fiu":
        raise ArgumentError("transform returns a number for each number, as np.exp does")
    return found.astype(np.float64), zero


def _contrasts(
    hypothesis: Any,
    labels: pd.DataFrame,
    values: FloatArray,
    contrast: Callable[..., FloatArray],
    scale: Scale,
    *,
    compared: bool,
) -> row_hypotheses.Contrasts:
    ratio = scale.null == 1.0
    of_two = ("({high}) / ({low})" if ratio else "({high}) - ({low})") if compared else (
        scale.written)  # fmt: skip
    rows = row_hypotheses.Rows(labels, values, contrast, of_two)
    return row_hypotheses.apply(hypothesis, rows)
