"""Design + family + priors -> the program that samples them and the dict it is handed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.curve_factors import CurveFactor, ProcessFactor
from hiermix.design.design import Design
from hiermix.design.effect_sizes import EffectSizes
from hiermix.design.groupings import Grouping
from hiermix.families import category_equations, imputed_laws, known_ends, linear_scale, links
from hiermix.families.family import Family, row_values
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior
from hiermix.families.priors import (
    PriorTable,
    Slot,
    fill,
    group_slots,
    of_any_response,
    population_slots,
    process_slots,
    share_slot,
)
from hiermix.families.table import find
from hiermix.formula.equations import MU
from hiermix.stan import (
    crossed_choice,
    custom_program,
    imputed_data,
    patterned,
    programs,
    responses,
    stan_data,
    variables,
)
from hiermix.stan.chart import Chart
from hiermix.stan.programs import Program
from hiermix.stan.stan_data import Columns
from hiermix.statistics import repeated_rows
from hiermix.statistics.column_spreads import Spreads
from hiermix.statistics.gram import Gram, empty
from hiermix.statistics.patterns import Patterned
from hiermix.statistics.related_levels import Related, turn
from hiermix.statistics.row_sums import FROM_ROWS, Sums
from hiermix.statistics.tree import Tree, chain, outside_chain
from hiermix.statistics.within_between import rotate, split
from hiermix.tuning import mode_guesses, penalised
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode_guesses import Hyper
from hiermix.tuning.penalised import Penalised
from hiermix.tuning.points import Point
from hiermix.tuning.population_scale import common
from hiermix.tuning.problem import Problem
from hiermix.tuning.program_tuning import tune
from hiermix.tuning.stacked import stack
from hiermix.tuning.standardise import standardise
from hiermix.typing import Drawn, FloatArray, StanData

_BLOCK, _ENTRIES, _PRODUCTS = 100, 1_000, 8
"""Effects of crossed factors that one block holds; numbers of the innermost factor's levels in it
up to which it costs less than to sample them, and products of these for each row."""
_PAIRS = 20_000_000
"""Products of columns of a block in pairs, over the innermost factor's levels and effects."""


@dataclass(frozen=True)
class Assembled:
    """Everything that an engine needs, and what recovers results from its draws."""

    program: Program
    data: StanData
    x_mean: FloatArray
    """(P,) what was subtracted from the columns of X."""
    gram: Gram | Related | Tree | Patterned | None
    """Statistics that recover integrated-out effects; None where the effects are sampled."""
    keep: tuple[str, ...]
    """Stan variables to keep."""
    groupings: tuple[Grouping, ...]
    """Grouping factors with the effects that the program has."""
    guesses: tuple[Point, ...] = ()
    """Places other than the quick fit's where a mode may be."""
    complete: Callable[[Drawn, int], Drawn] | None = None
    """Adds to draws, with a seed, the effects that are integrated out beside others."""


def choose_program(family: Family, design: Design, effects: str) -> tuple[str, str]:
    """Name of the program, and why; `effects` is ``"auto"``, ``"integrated"`` or ``"sampled"``."""
    if design.series is not None:
        return patterned.of_series(design, design.series, effects)
    if effects == "sampled":
        return family.program, 'effects="sampled"'
    if family.normal is None:
        return family.program, f"no closed form with family {family.name!r}"
    if known_ends.known(design):
        return family.program, "censored or truncated responses have no closed form"
    if law := _law(design):
        return family.program, law
    if patterned.possible(design):
        return patterned.chosen(design)
    if design.limits.se is not None and not design.formula.beside.known_errors:
        return family.program, "rows have a sigma beside their standard errors"
    if len(design.equations) > 1:
        names = " and ".join(each.name for each in design.equations[1:])
        return family.program, f"{names} of each row has an equation"
    if len(design.groupings) > 1 or not all(each.factor.partitions for each in design.groupings):
        return _of_several(family, design, effects)
    one = design.groupings and design.groupings[0].effects == ("Intercept",)
    return programs.INTERCEPT if one else programs.SLOPES, "exact, with one factor"


def _law(design: Design) -> str:
    """Return what keeps the effects of a Gaussian model from being integrated out, or nothing."""
    if design.imputed:
        return "missing values of predictors are sampled too"
    for each in design.groupings:
        if steps := next(filter(None, each.moved), None):
            return f"{steps.term} of {each.name!r} depends on shares of steps that are sampled"
        if each.heavy:
            return f"effects of {each.name!r} are t-distributed"
        alone = len(design.groupings) == len(design.equations) == 1
        alone = alone and design.limits.se is None and not patterned.possible(design)
        if each.covariance is not None and not (alone and each.effects == ("Intercept",)):
            return f"levels of {each.name!r} are related, and there is more than their intercepts"
    return ""


def _of_several(family: Family, design: Design, effects: str) -> tuple[str, str]:
    """Choose for several factors: those beside a chain of nested ones cost products in pairs."""
    columns, what = _effects(outside_chain(design)), _words(outside_chain(design))
    crossed = _effects([each for each in outside_chain(design) if each.factor.partitions])
    inner = chain(design)[-1:]
    if not columns:
        return programs.NESTED, "exact, each factor nested in the one before it"
    pairs = sum(len(each.levels) * len(each.effects) ** 2 for each in inner) * columns**2
    if columns > _BLOCK or (pairs > _PAIRS and effects != "integrated"):
        return _beside_most(family, design), f"{what} are too many for one block"
    entries = _effects(inner) * crossed
    cheap = not crossed or entries <= min(_ENTRIES, _PRODUCTS * design.rows / crossed)
    if effects == "integrated" or cheap:
        return programs.NESTED, f"exact, with {what} in one block"
    return _beside_most(family, design), f"that costs less than a block of {what}"


def _beside_most(family: Family, design: Design) -> str:
    """Return the program that integrates the factor of most levels out, where that pays."""
    return programs.CROSSED if crossed_choice.pays(design) else family.program


def _effects(factors: Sequence[Grouping]) -> int:
    return sum(each.total for each in factors)


def _words(factors: Sequence[Grouping]) -> str:
    """Return what a block holds."""
    found = Counter[str]()
    for each in factors:
        curve = isinstance(each, CurveFactor)
        kind = "columns of smooths" if curve else "effects of crossed factors"
        found[kind] += each.total
    return " and ".join(f"{number} {kind}" for kind, number in found.items())


def prior_table(
    family: Family,
    design: Design,
    spreads: Spreads,
    overrides: Mapping[str, str] | None,
    where: tuple[float, float],
) -> PriorTable:
    """Defaults that say where the data are, and the user's overrides.

    `where` is location and spread of the linear predictor of the response to expect.
    """
    expected = {each.name: family.expected(each.name, where) for each in design.equations}
    expected |= {part.response_name: family.scale(part) for part in design.parts}
    slots: list[Slot] = []
    for one in design.reported:
        location, scale = expected[one.name]
        level, left = spreads.x_level[one.name], spreads.x_left[one.name]
        found = population_slots(
            one.terms, location=location * level, scale=2.5 * scale / left,
            size=spreads.x_size[one.name], spread=scale, equation=one.name,
        )  # fmt: skip
        slots += map(of_any_response, found) if design.parts else found
    if family.thresholds:
        slots = [slot for slot in slots if slot.name != "Intercept"]
    for each in design.groupings:
        scales = np.array([2.5 * expected[name][1] for name in each.equations])
        if isinstance(each, ProcessFactor):
            slots += process_slots(each.sd_names, scale=scales[0], told=each.told)
            continue
        scales = scales / spreads.z_size[each.name]
        if each.shared:
            scales = each.spreads.over(scales**-2.0, np.zeros(each.spreads.spreads)) ** -0.5
        slots += group_slots(each.name, each.sd_names, each.blocks, scale=scales)
    slots += [Slot((f"df[{each.name}]", "df"), Prior("gamma", (2.0, 0.1)), positive=True)
              for each in design.groupings if each.heavy]  # fmt: skip
    slots += [share_slot(each.term, each.equation, len(each.labels), each.names[1])
              for each in design.steps if each.shared is None]  # fmt: skip
    slots += [slot for own in family.scalars(design) for slot in _own_slots(own, expected)]
    if design.alike:
        slots = category_equations.stack_slots(slots, design)
    return fill(slots, overrides)


def _own_slots(own: OwnParameter, expected: Mapping[str, tuple[float, float]]) -> Iterator[Slot]:
    """Yield the slots of an own parameter, whose numbers may each have one of their own scale."""
    for name, of in zip(own.prior_names, own.labels or (MU,), strict=True):
        names = tuple(dict.fromkeys((name, own.name)))
        yield Slot(names, own.default(expected[of][1]), own.positive, within=own.bounds)


def integrated(
    design: Design,
    table: PriorTable,
    name: str,
    *,
    prior_only: bool = False,
    near: Point | None = None,
    sums: Sums = FROM_ROWS,
) -> Assembled:
    """Assemble a program that integrates the effects of one grouping factor (or none) out.

    Its coordinates are those of the mode next to the point `near`, here and in `sampled`.
    """
    grouping = design.groupings[0] if design.groupings else None
    P, Q = len(design.terms), len(grouping.effects) if grouping else 0
    factor = grouping.name if grouping else None
    gram = sums.gram(design)
    x_mean = gram.x_mean
    if prior_only:
        gram = empty(P, Q, len(gram.ZtZ))
    apart = split(gram) if prior_only else sums.within(design, gram)
    known: Gram | Related = gram
    if grouping and grouping.covariance is not None:
        turned = turn(grouping.covariance.matrix, gram.ZtZ[:, 0, 0])
        gram, apart = turned.gram(gram), turned.within(apart)
        known = Related(gram, turned.root)
    rotated = rotate(apart)
    priors = _hyperpriors(design, table, factor, near)
    phi = None if near is None else np.concatenate([near.own, near.log_sd, near.cor])
    at = standardise(rotated, priors, phi)
    if grouping:
        Lambda = priors.root(at.center[P + 1 :])
        at = at.follow(priors.b_precision, common(gram), Lambda)
    data = stan_data.coordinates(design, find("gaussian"), table, at, priors.b_precision)
    data |= stan_data.own_priors(find("gaussian"), table) | stan_data.statistics(
        rotated, priors.blocks
    )
    keep = variables.kept(["sigma"], data)
    ready = Assembled(programs.find(name), data, x_mean, known, keep, design.groupings)
    own = [(each, table[each.name]) for each in find("gaussian").own]
    hyper = Hyper(own, priors.sd, priors.sizes, priors.b, gram.b_hat, [(gram, priors.blocks)])
    return (
        ready if prior_only else replace(ready, guesses=mode_guesses.around(center_of(data), hyper))
    )


def center_of(data: StanData) -> Point:
    """Return the point that the quick fit found."""
    chart = Chart(data)
    return chart.point(np.zeros(chart.size))


def _hyperpriors(
    design: Design,
    table: PriorTable,
    name: str | None,
    near: Point | None,
    *,
    sigma: bool = True,
) -> Hyperpriors:
    """Priors of the population and of one grouping factor."""
    groupings = [each for each in design.groupings if each.name == name]
    return Hyperpriors(
        b=stan_data.b_priors(design, table),
        sigma=table["sigma"] if sigma else None,
        sd=stan_data.sd_priors(groupings, table),
        sizes=EffectSizes.concatenated([each.spreads for each in groupings]),
        lkj=stan_data.lkj_shapes(groupings, table),
        blocks=[size for each in groupings for size in each.blocks],
        df=next(iter(stan_data.df_priors(groupings, table)), None),
        near=None if near is None else near.b,
    )


def sampled(
    design: Design,
    family: Family,
    table: PriorTable,
    *,
    prior_only: bool = False,
    parameterisation: str = "auto",
    near: Point | None = None,
) -> Assembled:
    """Assemble the family's program, which samples the effects of any number of factors."""
    if family.unordered:
        design = category_equations.expand(design)
    X = centred(design)
    added_up = family.form in responses.ADDED_UP
    if prior_only:
        found = repeated_rows.no_rows()
    elif design.imputed:
        found = repeated_rows.each_alone(design)
    else:
        found = repeated_rows.find(design, X.values, added_up=added_up)
    data = stan_data.rows(design, X, found) | responses.response(design, family, found)
    if family.normal:
        data |= responses.errors(design, found)
    data["own_predictor"] = stan_data.own_equations(family, design)
    problem = problem_of(design, family, table, X.x_mean, near)
    fitted = penalised.fit_prior(problem) if prior_only else penalised.fit(problem, near)
    data |= imputed_data.of_rows(design, None if prior_only else fitted)
    tuning = tune(problem, fitted, "noncentered" if prior_only else parameterisation)
    data |= stan_data.coordinates(design, family, table, tuning.coordinates, problem.b_precision)
    data |= stan_data.own_priors(family, table)
    data |= stan_data.factors(design, tuning)
    own = [each.name for each in family.scalars(design) if each not in family.imputed]
    keep = variables.kept(own, data)
    program = custom_program.of_family(family)
    ready = Assembled(program, data, X.x_mean, None, keep, design.groupings)
    if prior_only:
        return ready
    hyper = hyper_of(problem, table, fitted, tuning.least_squares)
    return replace(ready, guesses=mode_guesses.around(center_of(data), hyper, problem, fitted))


def hyper_of(
    problem: Problem, table: PriorTable, fitted: Penalised, least_squares: FloatArray
) -> Hyper:
    """Return what guesses of further modes start from: priors, and the sums of each factor."""
    design = problem.answered
    return Hyper(
        list(zip(problem.own, problem.own_priors, strict=True)),
        stan_data.sd_priors(design.groupings, table),
        EffectSizes.concatenated([each.spreads for each in design.groupings]),
        stan_data.b_priors(design, table),
        least_squares,
        [(fit.gram, problem.priors[name].blocks) for name, fit in fitted.fits.items()],
    )


def problem_of(
    design: Design, family: Family, table: PriorTable, x_mean: FloatArray, near: Point | None
) -> Problem:
    """Return the model that the penalised fit is fitted to."""
    names: list[str | None] = [each.name for each in design.groupings]
    priors = {
        name: _hyperpriors(design, table, name, near, sigma=False) for name in names or [None]
    }
    equations = [each.name for each in design.equations]
    where = family.scale(design)
    scales = [family.expected(each, where) for each in equations]
    to = family.additive if family.normal else links.unchanged
    # Responses may be moved where their scale is that of the linear predictor.
    movable = family.link == "identity" and (family.normal or family.additive is links.unchanged)
    origin = scales[0][0] if movable and not family.mixed else 0.0
    beside = known_ends.moved(row_values(design, family), lambda ends: to(ends) - origin)
    y = to(known_ends.stand_in(design))
    if family.normal:
        family = imputed_laws.with_laws(find("gaussian"), design)
    own = family.scalars(design)
    single = len(equations) == 1
    return Problem(
        design=design if single else stack(design, x_mean),
        family=family,
        y=y,
        names=equations,
        scales=scales,
        priors=priors,
        own=own,
        own_priors=[table[each.name] for each in own],
        x_mean=x_mean if single else np.zeros(len(x_mean)),
        origin=origin,
        beside=beside,
    )


def centred(design: Design) -> Columns:
    """Centre the columns of X beside an intercept, or a threshold; and what was subtracted."""
    start: dict[str, int] = {}
    values: list[FloatArray] = []
    x_mean: list[FloatArray] = []
    for each in design.equations:
        X = design.X(equation=each.columns)
        mean = np.zeros(X.shape[1])
        if each.level:
            first = each.intercepts
            mean[first:] = np.average(X[:, first:], axis=0, weights=linear_scale.weights(design))
        x_mean.append(mean)
        if each.columns not in start:
            start[each.columns] = sum(part.shape[1] for part in values)
            values.append(X - mean)
    return Columns(values[0] if len(values) == 1 else np.hstack(values), start,
                   np.concatenate(x_mean))  # fmt: skip
