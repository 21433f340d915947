"""Responses beside what the rest of the data predict of them: by row, and by whole groups.

The probability of a smaller response than the observed one, with the row (or the group) left out by
importance weights: `arviz_stats.loo_pit`. Of counts, which may be equal, a random part of the
probability of the observed one is added, and of censored ones of all beyond.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from hiermix.checking import uniformity
from hiermix.checking.findings import (
    Finding,
    NotLookedAtError,
    needs_independent_rows,
    quantities,
    thinned,
)
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, DataError
from hiermix.families import known_ends, table
from hiermix.families.family import Family
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import group_densities, predict
from hiermix.prediction.pieces import draw_matrix
from hiermix.typing import FloatArray, IntArray

PART = "pit"
_ROWS = 2_000
"""Rows that are looked at, chosen at random from more."""
_ENTRIES = 40_000_000
"""Rows times draws, or groups times draws."""
_FEWEST_DRAWS = 200
_FEWEST_GROUPS = 8
"""Levels below which nothing can be told of their distribution."""


class Pit(NamedTuple):
    """Probabilities that are uniform under the right model."""

    about: str
    u: FloatArray
    left_out: str = ""
    """Why there are none."""


def pits(posterior: Posterior) -> list[Pit]:
    """Return those of rows, and of the levels of each grouping factor."""
    design, family = posterior.design, posterior.family
    if family.unordered:
        raise NotLookedAtError("responses are categories, of which none is below another")
    needs_independent_rows(design)
    rng = np.random.default_rng([posterior.seed, 5])
    found = [] if _binary(design, family) else [Pit("rows", _of_rows(posterior, rng))]
    found += [_of_levels(posterior, each.name, rng) for each in design.groupings
              if np.count_nonzero(each.factor.counts()) >= _FEWEST_GROUPS]  # fmt: skip
    if not found:
        raise NotLookedAtError(
            "responses of 0 and 1 are spread as their means say, and there is no grouping factor "
            f"with {_FEWEST_GROUPS} levels"
        )
    return found


def _binary(design: Design, family: Family) -> bool:
    """Whether each response is 0 or 1: one of them says nothing of how they are distributed."""
    one = design.trials is not None and bool((design.trials == 1).all())
    return family.binary or one


def _of_rows(posterior: Posterior, rng: np.random.Generator) -> FloatArray:
    design = posterior.design
    if design.rows > _ROWS:
        some = np.sort(rng.choice(design.rows, _ROWS, replace=False))
        posterior = posterior.on(design.take(some))
    source = predict.predictor(posterior)
    density, drawn = draw_matrix(source, "log_density"), draw_matrix(source, "response")
    observed = posterior.design.observed
    assert observed is not None
    return _probabilities(
        posterior, density, observed, known_ends.as_seen(posterior.design, drawn), rng
    )


def _of_levels(posterior: Posterior, name: str, rng: np.random.Generator) -> Pit:
    about = f"levels of {name}"
    try:
        return Pit(about, _of_groups(posterior, name, rng))
    except (ArgumentError, DataError) as error:  # they can't be left out
        return Pit(about, np.zeros(0), str(error).partition(":")[0])


def _of_groups(posterior: Posterior, name: str, rng: np.random.Generator) -> FloatArray:
    """Of the sum of the responses of each level."""
    design = posterior.design
    grouping = design.grouping(name)
    posterior = thinned(posterior, max(_ENTRIES // design.rows, _FEWEST_DRAWS))
    labels = grouping.levels[grouping.factor.level_of_rows()]
    density, names = group_densities.log_densities(posterior, labels)
    unit = pd.Index(names).get_indexer(labels)
    observed, drawn = np.zeros(len(names)), np.zeros((len(names), posterior.size))
    for rows, values in _responses(posterior, unit):
        np.add.at(drawn, unit[rows], values)
    assert design.observed is not None
    np.add.at(observed, unit, design.observed)
    return _probabilities(posterior, density, observed, drawn, rng)


def _responses(posterior: Posterior, unit: IntArray) -> Iterator[tuple[slice, FloatArray]]:
    """Yield responses of rows whose own levels are new to the model, in pieces."""
    unseen = group_densities.unseen(posterior.design, unit)
    source = predict.predictor(posterior.on(unseen), new_groups="sample")
    for job in source.jobs("response"):
        rows, values = job()
        yield rows, known_ends.as_seen(source.design, values, rows)


def _probabilities(
    posterior: Posterior,
    density: FloatArray,
    observed: FloatArray,
    drawn: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Weigh draws (n, S) as if each had been left out, and find each observed value in them."""
    import arviz_stats
    import xarray as xr

    def by_draw(values: FloatArray) -> xr.Dataset:
        shaped = np.moveaxis(values.reshape(len(values), *posterior.shape), 0, -1)
        return xr.Dataset({"seen": (("chain", "draw", "place"), shaped)})

    some = {name: values.reshape(posterior.shape)
            for name, values in quantities(posterior.draws).items()}  # fmt: skip
    tree = xr.DataTree.from_dict({
        "posterior": xr.Dataset({
            f"p{place}": (("chain", "draw"), values) for place, values in enumerate(some.values())
        }),
        "log_likelihood": by_draw(density), "posterior_predictive": by_draw(drawn),
        "observed_data": xr.Dataset({"seen": (("place",), observed)}),
    })  # fmt: skip
    with np.errstate(all="ignore"):
        found = arviz_stats.loo_pit(tree, var_names="seen", random_state=rng)
    # The observed one is as good as a draw: none of many draws below it is a chance of one in many.
    S, u = drawn.shape[1], np.asarray(found["seen"])
    return np.asarray((S * u + rng.random(len(u))) / (S + 1))


# What they say -----------------------------------------------------------------------------------


def findings(found: list[Pit], family: Family, limit: float) -> list[Finding]:
    """Test each; a p-value below the limit is doubtful."""
    looked_at = [each for each in found if len(each.u)]
    aside = [Finding(PART, each.about, "not looked at", np.nan,
                     text=f"{each.about}: not looked at: {each.left_out}.")
             for each in found if not len(each.u)]  # fmt: skip
    return [*(_finding(each, family, limit / len(looked_at)) for each in looked_at), *aside]


def _finding(pit: Pit, family: Family, limit: float) -> Finding:
    p, gap = uniformity.p_value(pit.u), uniformity.largest_gap(pit.u)
    doubtful = p < limit
    text = _sentence(pit, family, p, gap) if doubtful else ""
    return Finding(PART, pit.about, "p-value", p, limit, doubtful, text)


def _sentence(pit: Pit, family: Family, p: float, gap: float) -> str:
    what = uniformity.shape(pit.u)
    rows = pit.about == "rows"
    said = {
        "wide": "vary more than the model says",
        "narrow": "vary less than the model says",
        "high": "lie above what the model says",
        "low": "lie below what the model says",
        "other": "are distributed otherwise than the model says",
    }[what]
    who = "responses" if rows else f"sums of the {pit.about}"
    return (
        f"{who} {said}, where the rest of the data predict them (p {_small(p)}; up to "
        f"{100 * gap:.0f} % of them are elsewhere). {_way_out(what, family, rows=rows)}"
    )


def _small(p: float) -> str:
    return f"{p:.1g}" if p > 1e-6 else "below 1e-6"


def _way_out(what: str, family: Family, *, rows: bool) -> str:
    wider = [each.name for each in table.FAMILIES.values()
             if each.limit is not None and each.limit.family == family.name]  # fmt: skip
    if what == "wide" and wider:
        names = " or ".join(f"family={name!r}" for name in wider)
        return f"Try {names}, which has a spread of its own; look at plot_check()."
    if not rows:
        return "Look at plot_check(group): a predictor of the groups may be missing."
    if family.name == "gaussian":
        return (
            "Look at plot_residuals(): family='student_t' has heavier tails, 'lognormal' or "
            "'gamma' a skew, and sigma may have a formula."
        )
    return "Look at plot_check() and plot_residuals(): another family, or a missing predictor."
