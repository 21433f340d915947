"""The table of families: a row each, with all its facts."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.families import (
    arc_tails,
    categorical,
    circular,
    compound,
    continuous,
    counts,
    durations,
    foreign_names,
    linear_scale,
    links,
    mixed,
    mixed_tails,
    multinomial,
    normal_scales,
    ordinal,
    residual_parameters,
    skewed,
    steps,
    successes,
    tails,
)
from hiermix.families import own_of_families as own
from hiermix.families import residual_variances as residual
from hiermix.families import response_rules as rules
from hiermix.families.custom_family import CustomFamily
from hiermix.families.family import Family, Limit


def _in_steps(name: str, links: tuple[str, ...], of: steps.LogCategories) -> Family:
    """Return the row of a family of ordered categories that come step by step."""
    return Family(
        name, links, name, rules.ordered, linear_scale.of_categories,
        partial(steps.mean, of), partial(steps.draw, of), partial(steps.log_density, of), None,
        own=(own.STEP, own.DISC), form="stepwise", categories="ordered",
        linked_probabilities=partial(steps.probabilities, of), separable=True,
    )  # fmt: skip


_ABOVE_ZERO, _SHARES, _COUNTS = (0.0, np.inf), (0.0, 1.0), (-1.0, np.inf)
_FROM_ZERO, _FROM_ZERO_TO_ONE = ((mixed_tails.NOTHING_BELOW, most) for most in (np.inf, 1.0))
_ANGLES = (-np.pi, np.pi)


_BINARY = ("logit", "probit", "cloglog")


_ROWS = (
    Family(
        "gaussian", ("identity",), "gaussian", rules.real, linear_scale.of_response,
        links.mean, continuous.normal_draw, continuous.normal_log_density, residual.squared_sigma,
        own=(own.SIGMA,), continuous=True,
        of_residuals=partial(residual_parameters.parameters, sigma=own.SIGMA),
        unit="sigma", normal=normal_scales.AS_GIVEN, vanishing=True, plug_in="sigma",
        linked_log_tails=tails.normal_tails, linked_excess=tails.normal_excess,
    ),
    Family(
        "student_t", ("identity",), "student_t", rules.real, linear_scale.robust,
        links.mean, continuous.student_draw, continuous.student_log_density, residual.student,
        own=(own.SIGMA, own.NU), continuous=True, concave=False,
        unit="sigma", vanishing=True,
        linked_log_tails=tails.student_tails, linked_excess=tails.student_excess,
    ),
    Family(
        "skew_normal", ("identity",), "skew_normal", rules.real, linear_scale.of_response,
        links.mean, skewed.skew_normal_draw, skewed.skew_normal_log_density,
        residual.squared_sigma,
        own=(own.SIGMA, own.ALPHA), continuous=True, skewed=True, unit="sigma", vanishing=True,
        linked_log_tails=arc_tails.skew_normal_tails,
        linked_excess=arc_tails.skew_normal_excess,
    ),
    Family(
        "exgaussian", ("identity",), "exgaussian", rules.real, linear_scale.of_response,
        links.mean, skewed.exgaussian_draw, skewed.exgaussian_log_density, residual.exgaussian,
        own=(own.SIGMA, own.BETA), continuous=True, skewed=True,
        linked_log_tails=tails.exgaussian_tails, linked_excess=tails.exgaussian_excess,
    ),
    Family(
        "lognormal", ("identity",), "gaussian", rules.positive, linear_scale.of_log,
        continuous.lognormal_mean, continuous.lognormal_draw, continuous.lognormal_log_density,
        residual.squared_sigma,
        own=(own.SIGMA,), form="additive", continuous=True,
        of_residuals=partial(residual_parameters.parameters, sigma=own.SIGMA),
        additive=np.log, unit="sigma", normal=normal_scales.LOGS, vanishing=True,
        linked_log_tails=tails.lognormal_tails, linked_excess=tails.lognormal_excess,
        support=_ABOVE_ZERO,
    ),
    Family(
        "shifted_lognormal", ("identity",), "shifted_lognormal",
        rules.positive, linear_scale.of_log_later,
        durations.shifted_lognormal_mean, durations.shifted_lognormal_draw,
        durations.shifted_lognormal_log_density, residual.squared_sigma,
        own=(own.SIGMA, own.NDT), form="from the earliest", continuous=True, skewed=True,
        starts_late=True, linked_log_tails=tails.shifted_lognormal_tails,
        linked_excess=tails.shifted_lognormal_excess,
        additive=np.log, support=_ABOVE_ZERO,
    ),
    Family(
        "gamma", ("log",), "gamma", rules.positive, linear_scale.of_mean,
        links.mean, continuous.gamma_draw, continuous.gamma_log_density, residual.gamma,
        own=(own.SHAPE,), continuous=True, additive=np.log, vanishing=True,
        linked_log_tails=tails.gamma_tails, linked_excess=tails.gamma_excess,
        support=_ABOVE_ZERO,
    ),
    Family(
        "hurdle_gamma", ("log",), "hurdle_gamma", rules.not_negative, linear_scale.of_positive,
        mixed.hurdle_gamma_mean, mixed.hurdle_gamma_draw, mixed.hurdle_gamma_log_density,
        residual.hurdle_gamma,
        own=(own.SHAPE, own.HU), continuous=True, mixed=True,
        linked_log_tails=mixed_tails.hurdle_gamma_tails,
        linked_excess=mixed_tails.hurdle_gamma_excess,
        support=_FROM_ZERO,
    ),
    Family(
        "tweedie", ("log",), "tweedie", rules.not_negative, linear_scale.of_mean,
        links.mean, compound.tweedie_draw, compound.tweedie_log_density, residual.tweedie,
        own=(own.DISPERSION, own.POWER), continuous=True, mixed=True,
    ),
    Family(
        "hurdle_lognormal", ("identity",), "hurdle_lognormal",
        rules.not_negative, linear_scale.of_log_positive,
        mixed.hurdle_lognormal_mean, mixed.hurdle_lognormal_draw,
        mixed.hurdle_lognormal_log_density, residual.hurdle_lognormal,
        own=(own.SIGMA, own.HU), continuous=True, mixed=True,
        linked_log_tails=mixed_tails.hurdle_lognormal_tails,
        linked_excess=mixed_tails.hurdle_lognormal_excess,
        support=_FROM_ZERO,
    ),
    Family(
        "beta", ("logit",), "beta", rules.share, linear_scale.of_mean,
        links.mean, continuous.beta_draw, continuous.beta_log_density, residual.beta,
        own=(own.PHI,), continuous=True, concave=False,
        additive=links.log_odds, vanishing=True,
        linked_log_tails=tails.beta_tails, linked_excess=tails.beta_excess,
        support=_SHARES,
    ),
    Family(
        "zero_inflated_beta", ("logit",), "zero_inflated_beta",
        rules.share_or_zero, linear_scale.of_inside,
        mixed.zero_inflated_beta_mean, mixed.zero_inflated_beta_draw,
        mixed.zero_inflated_beta_log_density, residual.zero_inflated_beta,
        own=(own.PHI, own.ZI), continuous=True, concave=False, mixed=True,
        linked_log_tails=mixed_tails.zero_inflated_beta_tails,
        linked_excess=mixed_tails.zero_inflated_beta_excess,
        support=_FROM_ZERO_TO_ONE,
    ),
    Family(
        "zero_one_inflated_beta", ("logit",), "zero_one_inflated_beta",
        rules.share_or_end, linear_scale.of_inside,
        mixed.zero_one_inflated_beta_mean, mixed.zero_one_inflated_beta_draw,
        mixed.zero_one_inflated_beta_log_density, residual.zero_one_inflated_beta,
        own=(own.PHI, own.ZOI, own.COI), continuous=True, concave=False, mixed=True,
        linked_log_tails=mixed_tails.zero_one_inflated_beta_tails,
        linked_excess=mixed_tails.zero_one_inflated_beta_excess,
        support=_FROM_ZERO_TO_ONE,
    ),
    Family(
        "weibull", ("log",), "weibull", rules.positive, linear_scale.of_times,
        links.mean, durations.weibull_draw, durations.weibull_log_density, residual.weibull,
        own=(own.WEIBULL_SHAPE,), continuous=True,
        additive=np.log, vanishing=True,
        linked_log_tails=tails.weibull_tails, linked_excess=tails.weibull_excess,
        support=_ABOVE_ZERO,
    ),
    Family(
        "inverse_gaussian", ("log",), "inverse_gaussian", rules.positive, linear_scale.of_mean,
        links.mean, durations.inverse_gaussian_draw, durations.inverse_gaussian_log_density,
        residual.inverse_gaussian,
        own=(own.SHAPE_IN_UNITS,), continuous=True, concave=False,
        linked_log_tails=tails.inverse_gaussian_tails,
        linked_excess=tails.inverse_gaussian_excess,
        additive=np.log, vanishing=True, support=_ABOVE_ZERO,
    ),
    Family(
        "exponential", ("log",), "exponential", rules.positive, linear_scale.of_times,
        links.mean, durations.exponential_draw, durations.exponential_log_density,
        residual.exponential,
        continuous=True, additive=np.log,
        linked_log_tails=tails.exponential_tails, linked_excess=tails.exponential_excess,
        support=_ABOVE_ZERO,
    ),
    Family(
        "von_mises", ("tan_half",), "von_mises", rules.angle, linear_scale.of_angles,
        links.mean, circular.von_mises_draw, circular.von_mises_log_density, None,
        own=(own.KAPPA,), continuous=True, concave=False, circular=True,
        linked_log_tails=arc_tails.von_mises_tails, support=_ANGLES,
    ),
    Family(
        "bernoulli", _BINARY, "binomial", rules.binary, linear_scale.of_mean,
        successes.binomial_mean, successes.binomial_draw, successes.binomial_log_density,
        residual.latent,
        own=(own.DISC,), form="successes", trials=True, binary=True, separable=True,
    ),
    Family(
        "binomial", _BINARY, "binomial", rules.successes, linear_scale.of_mean,
        successes.binomial_mean, successes.binomial_draw, successes.binomial_log_density,
        residual.latent,
        own=(own.DISC,), form="successes", trials=True, separable=True,
    ),
    Family(
        "beta_binomial", ("logit",), "beta_binomial", rules.successes, linear_scale.of_mean,
        successes.binomial_mean, successes.beta_binomial_draw, successes.beta_binomial_log_density,
        residual.beta_binomial,
        own=(own.PHI,), form="trials", trials=True, concave=False, separable=True,
        limit=Limit("phi", "binomial"),
    ),
    Family(
        "zero_inflated_binomial", ("logit",), "zero_inflated_binomial",
        rules.successes, linear_scale.of_positive,
        mixed.zero_inflated_binomial_mean, mixed.zero_inflated_binomial_draw,
        mixed.zero_inflated_binomial_log_density, residual.latent,
        own=(own.ZI,), form="trials", trials=True, concave=False,
    ),
    Family(
        "poisson", ("log",), "poisson", rules.count, linear_scale.of_mean,
        links.mean, counts.poisson_draw, counts.poisson_log_density, residual.count,
        form="events",
        linked_log_tails=tails.poisson_tails, linked_excess=tails.poisson_excess,
        support=_COUNTS,
    ),
    Family(
        "negative_binomial", ("log",), "negative_binomial", rules.count, linear_scale.of_mean,
        links.mean, counts.negative_binomial_draw, counts.negative_binomial_log_density,
        residual.count,
        own=(own.SHAPE,), form="counts", limit=Limit("shape", "poisson"),
        linked_log_tails=tails.negative_binomial_tails,
        linked_excess=tails.negative_binomial_excess,
        support=_COUNTS,
    ),
    Family(
        "geometric", ("log",), "geometric", rules.count, linear_scale.of_mean,
        links.mean, counts.geometric_draw, counts.geometric_log_density, residual.geometric,
        form="counts",
        linked_log_tails=tails.geometric_tails, linked_excess=tails.geometric_excess,
        support=_COUNTS,
    ),
    Family(
        "zero_inflated_poisson", ("log",), "zero_inflated_poisson",
        rules.count, linear_scale.of_positive_poisson,
        counts.zero_inflated_mean, counts.zero_inflated_poisson_draw,
        counts.zero_inflated_poisson_log_density, residual.zero_inflated,
        own=(own.ZI,), concave=False,
        linked_log_tails=tails.zero_inflated_poisson_tails,
        linked_excess=tails.zero_inflated_poisson_excess,
        support=_COUNTS,
    ),
    Family(
        "zero_inflated_negative_binomial", ("log",), "zero_inflated_negative_binomial",
        rules.count, linear_scale.of_positive_negative_binomial,
        counts.zero_inflated_mean, counts.zero_inflated_negative_binomial_draw,
        counts.zero_inflated_negative_binomial_log_density, residual.zero_inflated,
        own=(own.SHAPE, own.ZI), form="counts", concave=False,
        limit=Limit("shape", "zero_inflated_poisson"),
        linked_log_tails=tails.zero_inflated_negative_binomial_tails,
        linked_excess=tails.zero_inflated_negative_binomial_excess,
        support=_COUNTS,
    ),
    Family(
        "hurdle_poisson", ("log",), "hurdle_poisson",
        rules.count, linear_scale.of_positive_poisson,
        counts.hurdle_poisson_mean, counts.hurdle_poisson_draw, counts.hurdle_poisson_log_density,
        residual.hurdle,
        own=(own.HU,),
        linked_log_tails=tails.hurdle_poisson_tails, linked_excess=tails.hurdle_poisson_excess,
        support=_COUNTS,
    ),
    Family(
        "hurdle_negative_binomial", ("log",), "hurdle_negative_binomial",
        rules.count, linear_scale.of_positive_negative_binomial,
        counts.hurdle_negative_binomial_mean, counts.hurdle_negative_binomial_draw,
        counts.hurdle_negative_binomial_log_density, residual.hurdle,
        own=(own.SHAPE, own.HU), form="counts", limit=Limit("shape", "hurdle_poisson"),
        linked_log_tails=tails.hurdle_negative_binomial_tails,
        linked_excess=tails.hurdle_negative_binomial_excess,
        support=_COUNTS,
    ),
    Family(
        "ordinal", ("logit", "probit"), "ordinal", rules.ordered, linear_scale.of_categories,
        ordinal.ordinal_mean, ordinal.ordinal_draw, ordinal.ordinal_log_density, residual.latent,
        own=(own.THRESHOLD, own.DISC), form="ordered", categories="ordered",
        linked_probabilities=ordinal.category_probabilities, separable=True,
    ),
    _in_steps("sratio", _BINARY, steps.sratio),
    _in_steps("cratio", _BINARY, steps.cratio),
    _in_steps("acat", ("logit",), steps.acat),
    Family(
        "categorical", ("logit",), "categorical", rules.unordered, linear_scale.of_categories,
        categorical.categorical_mean, categorical.categorical_draw,
        categorical.categorical_log_density,
        None,
        form="chosen", categories="unordered",
        linked_probabilities=categorical.categorical_mean, separable=True,
    ),
    Family(
        "multinomial", ("logit",), "categorical", rules.count, linear_scale.of_categories,
        multinomial.mean, multinomial.draw, multinomial.log_density,
        None,
        form="counted", trials=True, categories="unordered",
        linked_probabilities=categorical.categorical_mean, counted=True, separable=True,
    ),
)  # fmt: skip


FAMILIES: Mapping[str, Family] = {row.name: row for row in _ROWS}


def find(name: str | CustomFamily, link: str | None = None) -> Family:
    """Return the row of a family, with its default link or the one asked for.

    Raises
    ------
    ArgumentError
        No such family, or no such link; names the nearest.
    """
    if isinstance(name, CustomFamily):
        return replace(name.family(), link=check_link(name.family(), link))
    if name not in FAMILIES:
        near = foreign_names.instead(str(name), FAMILIES) or did_you_mean(str(name), FAMILIES)
        raise ArgumentError(f"unknown family {quoted(name)}.{near} Known: {', '.join(FAMILIES)}")
    return replace(FAMILIES[name], link=check_link(FAMILIES[name], link))


def check_link(family: Family, link: str | None) -> str:
    """Return the link to use.

    Raises
    ------
    ArgumentError
        The family has no such link.
    """
    if link is None:
        return family.link or family.links[0]
    if link not in family.links:
        near = did_you_mean(str(link), family.links)
        known = ", ".join(family.links)
        raise ArgumentError(
            f"unknown link {quoted(link)} for family {family.name!r}.{near} Known: {known}"
        )
    return link
