"""Design + priors -> a program of patterned residuals, effects integrated out, and its data."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from hiermix.design.curve_factors import main_factor
from hiermix.design.design import Design
from hiermix.design.effect_sizes import EffectSizes
from hiermix.design.joint_design import Joint
from hiermix.errors import DataError
from hiermix.families.own_parameter import OwnParameter, by_parameter
from hiermix.families.priors import PriorTable
from hiermix.families.table import find
from hiermix.stan import patterns_data, programs, stan_data, variables
from hiermix.stan.assemble import Assembled, center_of
from hiermix.statistics import patterns, within_between
from hiermix.statistics.autoregression import autoregression
from hiermix.statistics.column_spreads import means
from hiermix.statistics.gram import Gram, around_least_squares, empty
from hiermix.statistics.moments import Pilot, moments, pilot_of
from hiermix.statistics.patterns import Patterned, Precision
from hiermix.statistics.row_sums import FROM_ROWS, factor_name, response_less_offset
from hiermix.statistics.scaled_residuals import scaled
from hiermix.statistics.strata import strata
from hiermix.statistics.unstructured import position_sds, unstructured
from hiermix.statistics.wide_design import Block, widened
from hiermix.tuning import mode_guesses
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode_guesses import Hyper
from hiermix.tuning.patterned_likelihood import (
    PatternedRestricted,
    ResidualPriors,
    log_prior_of,
)
from hiermix.tuning.points import Point
from hiermix.tuning.standardise_patterned import standardise
from hiermix.typing import FloatArray

_MOST_PRODUCTS = 20_000_000
"""Numbers that the products of a block's columns under all patterns may be."""


class Ready(NamedTuple):
    """What the coordinates of a model are searched with."""

    rows: Patterned
    target: PatternedRestricted
    own: tuple[OwnParameter, ...]


def ready(
    design: Design, table: PriorTable, *, prior_only: bool = False, near: Point | None = None
) -> Ready:
    """Return the sums over rows, and the density of everything but population and effects."""
    design = _in_program_units(design)
    rows = of_rows(design, prior_only=prior_only)
    P, every = len(design.terms), stan_data.b_priors(design, table)
    priors = Hyperpriors(
        b=every[:P],
        sigma=None,
        sd=stan_data.sd_priors(design.groupings, table),
        sizes=EffectSizes.concatenated([each.spreads for each in design.groupings]),
        lkj=stan_data.lkj_shapes(design.groupings, table),
        blocks=[size for each in design.groupings for size in each.blocks],
        near=None if near is None else near.b[:P],
    )
    own = find("gaussian").scalars(design)
    own_priors = [[table[name] for name in each.prior_names] for each in own]
    residual = ResidualPriors(
        every[P:], partial(log_prior_of, own, own_priors, design),
        partial(_values, own, design), sum(each.coordinates(design) for each in own),
    )  # fmt: skip
    return Ready(rows, PatternedRestricted(rows, priors, residual), own)


def _values(
    own: tuple[OwnParameter, ...], design: Design, theta: FloatArray
) -> dict[str, FloatArray]:
    """Own parameters at coordinates (S, A)."""
    return {
        each.name: each.value(part, design).reshape(len(theta), *([] if each.single else [-1]))
        for each, part in by_parameter(own, theta, design)
    }


def assemble(
    design: Design,
    table: PriorTable,
    *,
    name: str,
    prior_only: bool = False,
    near: Point | None = None,
) -> Assembled:
    """Put the program together, in the coordinates of the mode next to `near`."""
    rows, target, own = ready(design, table, prior_only=prior_only, near=near)
    P, priors = len(design.terms), target.priors
    phi = None if near is None else np.concatenate(
        [near.b[P:], near.own, near.log_sd, near.cor])  # fmt: skip
    pull = [
        priors.b_precision,
        np.array([each.normal[1] ** -2 for each in target.residual.further]),
    ]
    at, family = standardise(target, phi), find("gaussian")
    data = stan_data.coordinates(design, family, table, at, np.concatenate(pull))
    data |= stan_data.priors_of(own or family.own, table)
    main = main_factor(design.groupings)
    blocks = () if main is None else main.blocks
    data |= patterns_data.statistics(rows, blocks)
    data |= patterns_data.of_residuals(rows.precision, own, table)
    data["log_constant"] = rows.precision.constant - 0.5 * rows.gram.n * np.log(2 * np.pi)
    x_mean = np.concatenate([rows.gram.x_mean[:P], rows.precision.x_mean])
    if isinstance(design, Joint):
        x_mean = _means(design)
    keep = variables.kept([each.name for each in own], data)
    found = Assembled(programs.find(name), data, x_mean, rows, keep, design.groupings)
    if prior_only:
        return found
    least_squares = np.concatenate([rows.b_hat[:P], center_of(data).b[P:]])
    every = stan_data.b_priors(design, table)
    mine = [(each, table[each.prior_names[0]]) for each in own]
    levels = [(rows.gram, blocks)]
    hyper = Hyper(mine, priors.sd, priors.sizes, every, least_squares, levels)
    return replace(found, guesses=mode_guesses.around(center_of(data), hyper))


def _in_program_units(design: Design) -> Design:
    """Return several responses centred, each in units of its spread, so that none loses digits."""
    if not isinstance(design, Joint):
        return design
    spread = np.array([find("gaussian").scale(part)[1] for part in design.parts])
    return design.in_units(np.where(spread > 0, spread, 1.0), _means(design))


def _means(design: Joint) -> FloatArray:
    """Means of the columns of X but for the intercepts (P,)."""
    terms = np.array([term for each in design.reported for term in each.terms])
    return np.where(terms == "Intercept", 0.0, means(design, design.equations[0]))


def of_rows(
    design: Design, *, prior_only: bool = False, of_strata: Design | None = None
) -> Patterned:
    """Return the sums over rows; strata are those of another design, if it has effects of sigma."""
    precision = _precision(of_strata or design)
    wide, block = widened(design)
    _check_size(precision, block)
    gram = _gram(wide, design) if block.W else FROM_ROWS.gram(wide)
    if prior_only:
        none = empty(len(gram.b_hat), gram.Q, len(gram.ZtZ))
        gram = replace(none, x_mean=gram.x_mean)
        within = within_between.split(none)
        return patterns.of_no_rows(precision.without_rows(), gram, within, block)
    within = FROM_ROWS.within(wide, gram)
    y = response_less_offset(design)
    return patterns.statistics(wide, factor_name(wide), y, precision, gram, within, block)


def _check_size(precision: Precision, block: Block) -> None:
    """Raise where a gradient would take gigabytes."""
    if precision.patterns * block.W**2 > _MOST_PRODUCTS:
        raise DataError(
            f"smooths and small factors, of {block.W} columns, stand beside residuals with "
            f"{precision.patterns:,} distinct steps or pairs of positions: too many products. "
            "Round the times, so that steps are whole numbers, or write smaller smooths, k="
        )


def _gram(wide: Design, design: Design) -> Gram:
    """Return the sums of a design with a block, whose columns are not centred."""
    y, P = response_less_offset(design), len(design.terms)
    narrow = pilot_of(design, y)
    none = np.zeros(len(wide.terms) - P)
    pilot = Pilot(np.concatenate([narrow.center, none]), np.concatenate([narrow.b, none]))
    sums = moments(wide, factor_name(wide), y, design.weights, pilot)
    return around_least_squares(sums, intercept="Intercept" in design.terms, centred=P)


def _precision(design: Design) -> Precision:
    series = design.series
    if series is None:
        return strata(design)
    if series.in_time:
        return scaled(autoregression(series, design.weights), strata(design))
    if len(design.equations) > 1:
        return scaled(unstructured(series), strata(design))
    unit = design.unit if isinstance(design, Joint) else None
    return scaled(unstructured(series), position_sds(series, unit))
