"""Facts of a row, found again in its law: a new family that lacks one fails here, not in silence.

Each is looked for in the log density, the draws or the rule of the response, whatever the row says.
"""

from dataclasses import replace
from functools import partial
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hiermix import typing
from hiermix.design.plan import Given
from hiermix.errors import DataError
from hiermix.families.family import Family, Form, Limit
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.table import FAMILIES
from hiermix.stan import responses

ROWS = [replace(row, link=link) for row in FAMILIES.values() for link in row.links]
NUMBERS = [row for row in ROWS if not row.unordered]
CONTINUOUS = [row for row in ROWS if row.continuous and not row.mixed and not row.circular]
VALUES = {
    "log": np.array(1.7), "log_above_one": np.array(6.0), "logit": np.array(0.3),
    "identity": np.array(1.5), "pushed": np.array(1.5),
    "gaps": np.array([-0.8, 0.3, 1.4]), "differences": np.array([-0.8, 1.4, 0.3]),
}  # fmt: skip
NAMED = {"ndt": np.array(0.1), "disc": np.array(1.0)}
"""In the place of these: what must be small, and what is one where it has no equation."""
TRIALS = 6.0


def value_of(own: OwnParameter) -> np.ndarray:
    return NAMED.get(own.name, VALUES[own.transform])


def own_of(row: Family, **given: Any) -> dict[str, Any]:
    own = {each.name: value_of(each) for each in row.own}
    trials = {"trials": np.array(1.0 if row.binary else TRIALS)} if row.trials else {}
    return own | trials | given


def responses_of(row: Family) -> np.ndarray:
    """A few that the rule accepts."""
    if row.continuous:
        return np.array([0.2, 0.45, 0.9])
    if row.categories != "none" and not row.counted:
        return np.array([1.0, 2.0, 4.0])
    return np.array([0.0, 1.0]) if row.binary else np.array([0.0, 2.0, TRIALS])


def density(row: Family, y: Any, eta: Any, **given: Any) -> np.ndarray:
    """Log density where y and eta broadcast."""
    y, eta = np.broadcast_arrays(np.asarray(y, float), np.asarray(eta, float))
    if row.unordered:
        eta = eta[..., None] * np.array([-1.0, 0.5, 1.0])
    if row.counted:
        given |= {"counts": y[..., None] * np.array([0.5, 0.0, 0.0, 0.5])}
    return row.log_density(y, eta, own_of(row, **given))


def name(row: Family) -> str:
    return f"{row.name}-{row.link}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_every_family_of_numbers_has_a_residual_variance(row: Family) -> None:
    if row.unordered or row.circular or row.in_steps:
        assert row.residual_variance is None
        return
    assert row.residual_variance is not None
    own = {each.name: np.full(3, VALUES[each.transform].flat[0]) for each in row.own}
    log_mean = np.log([0.2, 0.4, 0.6])
    found = np.broadcast_to(row.residual_variance(row.link, own, lambda: log_mean), 3)
    assert np.all((found > 0) & np.isfinite(found))


@pytest.mark.parametrize("row", CONTINUOUS, ids=name)
def test_the_additive_response_has_the_residual_variance(row: Family) -> None:
    """Wherever the linear predictor is; within six standard errors of 400,000 draws."""
    assert row.residual_variance is not None
    rng = np.random.default_rng(3)
    for eta in (-0.5, 0.8):
        draws = row.draw(rng, np.full(400_000, eta), own_of(row))
        draws = row.additive(draws - own_of(row).get("ndt", 0.0))
        own = {each.name: np.atleast_1d(VALUES[each.transform]) for each in row.own}
        log_mean = partial(np.log, row.mean(np.array([eta]), own_of(row)))
        expected = np.broadcast_to(row.residual_variance(row.link, own, log_mean), 1)[0]
        squares = (draws - draws.mean()) ** 2
        error = squares.std() / np.sqrt(len(draws))
        assert abs(squares.mean() - expected) < 6 * error


@pytest.mark.parametrize("row", CONTINUOUS, ids=name)
def test_the_noise_has_a_unit_where_the_density_stretches_with_a_parameter(row: Family) -> None:
    """In units of it the density of the noise is always the same."""
    y = responses_of(row)

    def stretches(parameter: str) -> bool:
        scales = np.array([0.5, 1.0, 3.0])
        each = [density(row, y, row.additive(y) - 0.7 * s, **{parameter: np.array(s)}) + np.log(s)
                for s in scales]  # fmt: skip
        return bool(np.isfinite(each).all() and np.ptp(each, axis=0).max() < 1e-9)

    positive = [each.name for each in row.own if each.transform == "log"]
    assert [row.unit] == ([each for each in positive if stretches(each)] or [None])


@pytest.mark.parametrize("row", CONTINUOUS, ids=name)
def test_the_noise_is_normal_where_its_density_is(row: Family) -> None:
    y, eta = responses_of(row), np.array([[-1.0], [0.5], [2.0]])
    ours = density(row, y, eta)
    scale = VALUES["log"]
    beside = [ours - stats.norm.logpdf(x, eta, scale) for x in (row.additive(y), y)]
    assert (row.normal is not None) == bool(np.ptp(beside[0], axis=0).max() < 1e-9)
    normal = bool(np.abs(beside[1]).max() < 1e-9)
    assert row.plug_in == (row.unit if normal else None)


@pytest.mark.parametrize("row", CONTINUOUS, ids=name)
def test_a_response_is_likeliest_at_its_mean_unless_the_family_is_skewed(row: Family) -> None:
    y = responses_of(row)
    if row.links != ("identity",):
        assert not row.skewed
        return
    either = [density(row, y, row.additive(y) + step) for step in (-1e-4, 1e-4)]
    assert row.skewed == bool(np.abs(either[1] - either[0]).max() > 1e-9)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_noise_can_vanish_where_the_density_has_no_bound(row: Family) -> None:
    y = responses_of(row)
    exact = row.additive(y) if row.continuous else np.linspace(-2, 2, len(y))
    positive = [each.name for each in row.own if each.transform == "log"]
    values = np.array([1e-30, 1e30])
    highest = [density(row, y, exact, **{each: value}).max() for each in positive
               for value in values]  # fmt: skip
    assert row.vanishing == any(value > 20 for value in highest)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_responses_are_separable_where_both_ends_of_eta_can_be_certain(row: Family) -> None:
    certain = [bool(np.any(np.abs(density(row, responses_of(row), eta)) < 1e-6))
               for eta in (-60.0, 60.0)]  # fmt: skip
    assert row.separable == all(certain)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_a_parameter_without_a_prior_mean_has_a_limit_where_a_simpler_family_is_that(
    row: Family,
) -> None:
    heavy = [each.name for each in row.own if each.transform == "log"
             and not np.isfinite(each.default(1.0).frozen().mean())]  # fmt: skip
    found = [Limit(each, other.name) for each in heavy for other in ROWS
             if other.rule is row.rule and other.link == row.link
             and {every.name for every in other.own if every.learned} | {each}
             == {every.name for every in row.own}
             and _is_limit(row, each, other)]  # fmt: skip
    assert found == ([row.limit] if row.limit else [])


def _is_limit(row: Family, parameter: str, other: Family) -> bool:
    y, eta = responses_of(row), np.array([[-1.0], [0.3]])
    near = density(row, y, eta, **{parameter: np.array(1e7)})
    return bool(np.allclose(near, density(other, y, eta), atol=1e-4))


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_density_is_concave_where_its_second_differences_are_negative(row: Family) -> None:
    eta = np.linspace(-6, 6, 241)
    each = [density(row, y, eta) for y in responses_of(row)]
    bends = np.concatenate([np.diff(values, 2) for values in each])
    assert row.concave == bool(np.all(bends < 1e-9))


@pytest.mark.parametrize("row", NUMBERS, ids=name)
def test_trials_and_censoring_are_taken_where_the_density_knows_them(row: Family) -> None:
    y = responses_of(row)

    def tells(**given: float) -> bool:
        changed = density(row, y, 0.3, **{key: np.array(value) for key, value in given.items()})
        return not np.array_equal(changed, density(row, y, 0.3))

    assert row.trials == tells(trials=TRIALS + 3)
    inside = {"low": 0.4, "high": np.inf}
    assert (row.linked_log_tails is not None) == _given(lambda: tells(**inside))
    bounds = {"least": -np.inf, "most": 0.95 if row.support[1] == 1 else 8.0}
    assert (row.linked_excess is not None) == _given(lambda: tells(**bounds))


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_rule_knows_categories_and_binary_responses(row: Family) -> None:
    def read(column: list[Any]) -> Any:
        trials = np.full(len(column), TRIALS) if row.trials else None
        return row.response_rule().read(Given(pd.Series(column), "y", trials))

    y = responses_of(row).tolist()
    assert (read(y).labels != ()) == (row.categories != "none" and not row.counted)
    if row.categories == "unordered" and not row.counted:
        assert read(list("cab")).labels == ("a", "b", "c")
    if row.categories == "ordered":
        with pytest.raises(DataError, match="ordered"):
            read(list("cab"))
    if row.trials:
        assert row.binary == _refused(lambda: read([0, 2]))


def _given(call: Any) -> bool:
    try:
        return bool(call())
    except AssertionError:  # there is no such function in the row
        return False


@pytest.mark.parametrize("row", NUMBERS, ids=name)
def test_responses_lie_within_the_support(row: Family) -> None:
    """Wherever the linear predictor is, and up to the ends of it."""
    rng = np.random.default_rng(7)
    draws = np.concatenate(
        [row.draw(rng, np.full(20_000, eta), own_of(row)) for eta in (-3.0, 3.0)]
    )
    assert np.all((draws > row.support[0]) & (draws <= row.support[1]))
    if np.isfinite(row.support[0]):
        near = row.support[0] + (0.5 if row.continuous else 1.0)
        assert draws.min() <= near


def _refused(call: Any) -> bool:
    try:
        call()
    except DataError:
        return True
    return False


def test_every_form_of_a_response_is_known() -> None:
    assert {*responses.FORMS} == {*get_args(Form.__value__)}
    of_custom_ones = {"whole"}
    assert {row.form for row in ROWS} | of_custom_ones == {*responses.FORMS}


def test_names_of_families_and_links_are_known_to_the_type_checker() -> None:
    assert get_args(typing.FamilyName.__value__) == tuple(FAMILIES)
    links = {link for family in FAMILIES.values() for link in family.links}
    assert set(get_args(typing.LinkName.__value__)) == links
