"""Design + priors -> the program of patterned residuals, effects integrated out, and its data."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.families.priors import PriorTable
from hiermix.families.table import find
from hiermix.stan import patterns_data, programs, stan_data, variables
from hiermix.stan.assemble import Assembled, center_of
from hiermix.statistics import patterns, within_between
from hiermix.statistics.gram import empty
from hiermix.statistics.patterns import Patterned
from hiermix.statistics.row_sums import FROM_ROWS, factor_name, response_less_offset
from hiermix.statistics.strata import Strata, strata
from hiermix.tuning import mode_guesses
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode_guesses import Hyper
from hiermix.tuning.patterned_likelihood import PatternedRestricted, ResidualPriors
from hiermix.tuning.points import Point
from hiermix.tuning.standardise_patterned import standardise
from hiermix.typing import StanData


class Ready(NamedTuple):
    """What the coordinates of a model are searched with."""

    rows: Patterned
    precision: Strata
    target: PatternedRestricted


def ready(
    design: Design, table: PriorTable, *, prior_only: bool = False, near: Point | None = None
) -> Ready:
    """Return the sums over rows, and the density of everything but population and effects."""
    rows, precision = _statistics(design, prior_only=prior_only)
    P, every = len(design.terms), stan_data.b_priors(design, table)
    priors = Hyperpriors(
        b=every[:P],
        sigma=None,
        sd=stan_data.sd_priors(design.groupings, table),
        lkj=stan_data.lkj_shapes(design.groupings, table),
        blocks=[size for each in design.groupings for size in each.blocks],
        near=None if near is None else near.b[:P],
    )
    residual = ResidualPriors(every[P:], lambda theta: 0.0, lambda theta: {}, 0)
    return Ready(rows, precision, PatternedRestricted(rows, priors, residual))


def assemble(
    design: Design, table: PriorTable, *, prior_only: bool = False, near: Point | None = None
) -> Assembled:
    """Put the program together, in the coordinates of the mode next to `near`."""
    rows, precision, target = ready(design, table, prior_only=prior_only, near=near)
    P, priors = len(design.terms), target.priors
    phi = None if near is None else np.concatenate(
        [near.b[P:], near.own, near.log_sd, near.cor])  # fmt: skip
    pull = [
        priors.b_precision,
        np.array([each.normal[1] ** -2 for each in target.residual.further]),
    ]
    at = standardise(target, phi)
    data = stan_data.coordinates(design, find("gaussian"), table, at, np.concatenate(pull))
    data |= stan_data.own_priors(find("gaussian"), table)
    data |= patterns_data.statistics(rows, priors.blocks) | _of_strata(precision)
    x_mean = np.concatenate([rows.gram.x_mean, precision.x_mean])
    keep = variables.kept([], sampled=False, shrunk=bool(data["shrunk"]))
    found = Assembled(programs.find(programs.STRATA), data, x_mean, rows, keep, design.groupings)
    if prior_only:
        return found
    least_squares = np.concatenate([rows.b_hat, center_of(data).b[P:]])
    every = stan_data.b_priors(design, table)
    hyper = Hyper([], priors.sd, every, least_squares, [(rows.gram, priors.blocks)])
    return replace(found, guesses=mode_guesses.around(center_of(data), hyper))


def _statistics(design: Design, *, prior_only: bool) -> tuple[Patterned, Strata]:
    precision = strata(design)
    gram = FROM_ROWS.gram(design)
    if prior_only:
        none = empty(len(gram.b_hat), gram.Q, len(gram.ZtZ))
        gram = replace(none, x_mean=gram.x_mean)
        found = patterns.of_no_rows(precision.without_rows(), gram, within_between.split(none))
        return found, precision.without_rows()
    within = FROM_ROWS.within(design, gram)
    y = response_less_offset(design)
    rows = patterns.statistics(design, factor_name(design), y, precision, gram, within)
    return rows, precision


def _of_strata(precision: Strata) -> StanData:
    return {
        "rows_of": precision.rows,
        "known_variance": np.zeros(precision.patterns),
        "A": 0,
        "X_sigma": precision.X,
        "known_sigma": precision.known,
        "log_constant": -0.5 * float(precision.rows.sum()) * np.log(2 * np.pi),
    }
