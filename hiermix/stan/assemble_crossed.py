"""Design + priors -> the program that integrates one factor out and samples those beside it."""

from dataclasses import replace
from functools import partial

import numpy as np

from hiermix.design.design import Design
from hiermix.families import linear_scale
from hiermix.families.priors import PriorTable
from hiermix.families.table import find
from hiermix.stan import (
    assemble,
    beside_integrated,
    crossed_choice,
    pairs_data,
    programs,
    stan_data,
    variables,
)
from hiermix.stan.assemble import Assembled, center_of
from hiermix.statistics import level_pairs, paired_effects
from hiermix.statistics.level_pairs import Pilot
from hiermix.tuning import crossed_tuning, mode_guesses, penalised
from hiermix.tuning.penalised import Penalised
from hiermix.tuning.points import Point
from hiermix.tuning.problem import Problem


def crossed(
    design: Design,
    table: PriorTable,
    *,
    prior_only: bool = False,
    near: Point | None = None,
    parameterisation: str = "auto",
) -> Assembled:
    """Put the program together, with the factor that is integrated out behind all others."""
    design = crossed_choice.ordered(design)
    family, known = find("gaussian"), design.formula.beside.known_errors
    if prior_only:  # of which there is nothing to integrate
        return assemble.sampled(design, family, table, prior_only=True)
    x_mean = assemble.centred(design).x_mean
    near = beside_integrated.point(near, design.groupings[-1:])
    problem = assemble.problem_of(design, family, table, x_mean, near)
    fitted = penalised.fit(problem, near)
    response = linear_scale.less_offset(linear_scale.response(design), design)
    pilot = _pilot(problem, fitted)
    pairs = level_pairs.sums(design, x_mean, response, linear_scale.precisions(design), pilot)
    tuning = crossed_tuning.tuned(problem, fitted, pairs, parameterisation)
    data = stan_data.coordinates(design, family, table, tuning.coordinates, problem.b_precision)
    data |= stan_data.own_priors(family, table)
    data |= beside_integrated.factors(design, design.groupings[-1:], tuning)
    data |= pairs_data.statistics(pairs) | {"A": int(not known)}
    if known:  # in the place of rows: what they add to the log density
        data["N"] = linear_scale.of_known_variances(design) / np.log(2 * np.pi)
    keep = variables.kept([each.name for each in family.scalars(design)], data)
    program = programs.find(programs.CROSSED)
    complete = partial(paired_effects.completed, pairs, design.groupings[-1])
    ready = Assembled(program, data, x_mean, None, keep, design.groupings, complete=complete)
    hyper = assemble.hyper_of(problem, table, fitted, tuning.least_squares)
    return replace(ready, guesses=mode_guesses.around(center_of(data), hyper))


def _pilot(problem: Problem, fitted: Penalised) -> Pilot:
    """Return the penalised fit, in the program's X."""
    fits = list(fitted.fits.values())
    gram = fits[-1].gram
    b = fits[-1].b.copy()
    if "Intercept" in problem.design.terms:
        b[0] += b[1:] @ (problem.x_mean - gram.x_mean)[1:]
    r = [fit.effects.T.ravel() for fit in fits[:-1]]
    return Pilot(b, np.concatenate(r), fits[-1].effects)
