"""Design + priors -> the program of strata that samples effects of log sigma, and its data."""

from dataclasses import replace
from functools import partial

import numpy as np

from hiermix.design import effect_parts
from hiermix.design.curve_factors import main_factor
from hiermix.design.design import Design
from hiermix.design.effect_parts import Parts
from hiermix.families.priors import PriorTable
from hiermix.families.table import find
from hiermix.stan import (
    assemble,
    assemble_patterned,
    beside_integrated,
    patterns_data,
    programs,
    stan_data,
    variables,
)
from hiermix.stan.assemble import Assembled, center_of
from hiermix.statistics import sampled_beside
from hiermix.statistics.patterns import Patterned
from hiermix.statistics.strata import Strata
from hiermix.tuning import mode_guesses, penalised, strata_tuning
from hiermix.tuning.points import Point
from hiermix.typing import StanData


def beside(
    design: Design,
    table: PriorTable,
    *,
    prior_only: bool = False,
    near: Point | None = None,
    parameterisation: str = "auto",
) -> Assembled:
    """Put the program together: of factors with effects in both equations it has two."""
    family = find("gaussian")
    if prior_only:  # of which there is nothing to integrate
        return assemble.sampled(design, family, table, prior_only=True)
    parts = effect_parts.by_equation(design)
    rows = assemble_patterned.of_rows(replace(parts.design, groupings=parts.of_location),
                                      of_strata=parts.design)  # fmt: skip
    x_mean = np.concatenate([rows.gram.x_mean[: rows.P], rows.precision.x_mean])
    near = beside_integrated.point(near, parts.of_location)
    problem = assemble.problem_of(parts.design, family, table, x_mean, near)
    fitted = penalised.fit(problem, near)
    names = [each.name for each in parts.of_location]
    main = main_factor(parts.of_location)
    tuning = strata_tuning.tuned(
        problem, fitted, names, rows, parameterisation, None if main is None else main.name
    )
    data = stan_data.coordinates(
        parts.design, family, table, tuning.coordinates, problem.b_precision
    )
    data |= stan_data.own_priors(family, table)
    data |= beside_integrated.factors(parts.design, parts.of_location, tuning) | _rows(rows, parts)
    keep = variables.kept([], data)
    complete = partial(sampled_beside.completed, rows, parts)
    program = programs.find(programs.STRATA_BESIDE)
    ready = Assembled(program, data, x_mean, None, keep, design.groupings, complete=complete)
    hyper = assemble.hyper_of(problem, table, fitted, tuning.least_squares)
    return replace(ready, guesses=mode_guesses.around(center_of(data), hyper))


def _rows(rows: Patterned, parts: Parts) -> StanData:
    """Build the sums of rows, and what says how they mix."""
    assert isinstance(rows.precision, Strata)
    main = main_factor(parts.of_location)
    sampled = sum(len(each.effects) for each in parts.others)
    found = patterns_data.statistics(rows, () if main is None else main.blocks, sampled)
    constant = rows.precision.constant - 0.5 * rows.gram.n * np.log(2 * np.pi)
    return found | patterns_data.of_effects(rows.precision) | {"log_constant": constant}
