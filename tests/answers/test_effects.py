"""Answers against brute force, draw by draw: predictions, simulated groups, finite differences."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.errors import DataError
from hiermix.prediction import changes
from hiermix.prediction.estimands import NEW_GROUP, OVER
from tests.combinations import thinned
from tests.invented import invented, panel

DESIGNS = {
    "intercepts": "x + treat + kind + (1 | g)",
    "slopes": "x * treat + kind + (1 + x + treat | g)",
    "crossed": "x + treat * kind + (1 + treat | g) + (1 | h)",
    "nested": "log(x) + treat + kind + (0 + x || g / cask) + (1 | h)",
}
FAMILIES: dict[str, tuple[str, str | None]] = {
    "gaussian": ("y", None),
    "bernoulli": ("yes", "logit"),
    "binomial": ("k | trials(size)", "probit"),
    "poisson": ("count", None),
    "gamma": ("positive", None),
    "zero_inflated_poisson": ("count", None),
    "ordinal": ("rating", None),
    "categorical": ("choice", None),
}
BOTH = thinned(4, FAMILIES, DESIGNS)


@pytest.fixture(scope="module")
def fits() -> dict[tuple[str, str], hm.Fit]:
    return {}


@pytest.fixture
def fit(family: str, design: str, fits: dict[tuple[str, str], hm.Fit]) -> hm.Fit:
    if (family, design) not in fits:
        response, link = FAMILIES[family]
        formula = f"{response} ~ {DESIGNS[design]}"
        fits[family, design] = invented(formula, panel(), family, link=link)
    return fits[family, design]


def by_category(fit: hm.Fit) -> bool:
    return fit.model.family.categories != "none"


def predicted(fit: hm.Fit, rows: pd.DataFrame, over: str, kind: str) -> np.ndarray:
    """Return what `predict` expects (S, n, ...), under an estimand that it knows."""
    options: dict[str, Any] = {
        "these groups": {},
        "typical group": {"group_effects": "none"},
        "new group": {"new_groups": "sample"},
    }[over]
    if over == "new group":
        rows = rows.assign(g=NEW_GROUP, h=NEW_GROUP, cask=NEW_GROUP)
    how = "probability" if kind == "response" and by_category(fit) else "mean"
    found = fit.predict(rows, kind=how if kind == "response" else kind, **options).to_numpy()
    values = found.reshape(-1, *found.shape[2:])
    if kind == "response" and fit.design.trials is not None:
        values = values / rows["size"].to_numpy()
    return values


def draws(answer: Any) -> np.ndarray:
    """Return the draws of an answer (S, R, ...)."""
    found = answer.draws.to_numpy()
    return found.reshape(-1, *found.shape[2:])


def close(one: np.ndarray, other: np.ndarray, atol: float = 1e-11) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=atol)


# Groups that predictions know ----------------------------------------------------------------


@pytest.mark.parametrize("over", [each for each in OVER if each != "population"])
@pytest.mark.parametrize(("family", "design"), BOTH)
def test_predictions_and_comparisons_are_those_of_the_rows(fit: hm.Fit, over: str) -> None:
    data = panel()
    rows = predicted(fit, data, over, "response")
    close(draws(fit.predictions(over=over)), rows)
    close(draws(fit.predictions(by=True, over=over))[:, 0], rows.mean(axis=1))
    by = draws(fit.predictions(by=["region", "treat"], over=over))
    cells = data.groupby(["region", "treat"]).indices
    close(by, np.stack([rows[:, at].mean(axis=1) for at in cells.values()], axis=1))

    one, none = (predicted(fit, data.assign(treat=k), over, "response") for k in (1, 0))
    weights = data["w"] / data["w"].sum()
    answer = fit.comparisons("treat", by=True, over=over, wts="w")
    close(draws(answer)[:, 0], np.tensordot(one - none, weights, (1, 0)))
    ratio = fit.comparisons({"treat": [0, 1]}, by=True, over=over, scale="ratio")
    if fit.model.family.name != "gaussian":
        close(draws(ratio)[:, 0], one.mean(axis=1) / none.mean(axis=1))
    linear = fit.comparisons({"x": 0.5}, by="kind", over=over, scale="linear")
    more, here = (predicted(fit, data.assign(x=data["x"] + k), over, "linear") for k in (0.5, 0))
    kinds = data.groupby("kind").indices
    close(draws(linear), np.stack([(more - here)[:, at].mean(axis=1) for at in kinds.values()], 1))


@pytest.mark.parametrize("over", [each for each in OVER if each != "population"])
@pytest.mark.parametrize(("family", "design"), BOTH)
def test_slopes_are_finite_differences(fit: hm.Fit, over: str) -> None:
    """A coarser step, so that the two have different errors; those of the ends are one-sided."""
    data = panel()
    ends = [predicted(fit, data.assign(x=data["x"] + h), over, "response") for h in (-1e-4, 1e-4)]
    by_hand = (ends[1] - ends[0]) / 2e-4
    inner = data["x"].between(data["x"].min() + 1e-3, data["x"].max() - 1e-3).to_numpy()
    scale = np.abs(by_hand).max()
    found = draws(fit.slopes("x", over=over))
    close(found[:, inner] / scale, by_hand[:, inner] / scale, atol=1e-6)
    mean = draws(fit.slopes("x", by=True, over=over))[:, 0]
    close(mean / scale, by_hand.mean(axis=1) / scale, atol=1e-4)


# New groups, simulated -----------------------------------------------------------------------


def simulated(fit: hm.Fit, rows: pd.DataFrame, number: int, draw: int) -> tuple[Any, Any]:
    """Average one draw's expectation (n, ...) over simulated groups; and its standard error."""
    post, design = fit.posterior, fit.design
    rng = np.random.default_rng(draw)
    on = design.on(rows.drop(columns=["y"]), new_groups="population")
    etas = []
    for equation in post.equations:
        eta = (on.X() @ post.b(equation)[:, draw])[:, None] + np.zeros((len(rows), number))
        for each in design.groupings:
            L = post.Lambda(each, equation)[draw]
            eta += on.Z(each.name) @ L @ rng.standard_normal((len(each.effects), number))
        etas.append(eta)
    own = {name: values[draw] for name, values in post.own().items()}
    eta = np.stack(etas, -1) if len(post.equations) > 1 else etas[0]
    family = fit.model.family
    values = family.probabilities(eta, own) if by_category(fit) else family.mean(eta, own)
    return values.mean(axis=1), values.std(axis=1) / np.sqrt(number)


@pytest.mark.parametrize(("family", "design"), BOTH)
def test_the_population_is_the_average_of_simulated_groups(fit: hm.Fit) -> None:
    rows = panel().iloc[[0, 7, 19]]
    found = draws(fit.predictions(rows, over="population"))
    for draw in (0, 9):
        mean, error = simulated(fit, rows, 50_000, draw)
        assert (np.abs(found[draw] - mean) < 6 * error + 1e-9).all()


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.3, 1.5, 4.0])
@pytest.mark.parametrize("family", ["bernoulli", "binomial", "ordinal", "categorical"])
def test_the_population_is_within_a_thousandth_of_a_million_groups(family: str, sd: float) -> None:
    response, link = FAMILIES[family]
    fit = invented(f"{response} ~ {DESIGNS['slopes']}", panel(), family, link=link, sd=sd)
    rows = panel().iloc[[3]]
    found = draws(fit.predictions(rows, over="population"))
    for draw in range(4):
        mean, error = simulated(fit, rows, 1_000_000, draw)
        assert (np.abs(found[draw] - mean) < 1e-3 + 4 * error).all()


def variance(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """Return the variance of effects (S, n) by the definition z' Sigma z."""
    on, post = fit.design.on(rows, new_groups="population"), fit.posterior
    total = np.zeros((post.size, len(rows)))
    for each in fit.design.groupings:
        L, Z = post.Lambda(each), on.Z(each.name)
        total += np.einsum("nq,sqk,spk,np->sn", Z, L, L, Z)
    return total


@pytest.mark.parametrize("design", ["slopes", "crossed"])
def test_closed_forms_of_the_population(design: str) -> None:
    """Log links: exp(eta + v / 2); probits: attenuated by the root of 1 + v."""
    rows = panel()
    counts = invented(f"count ~ {DESIGNS[design]}", rows, "poisson")
    eta = predicted(counts, rows, "typical group", "linear")
    found = draws(counts.predictions(over="population"))
    np.testing.assert_allclose(found, np.exp(eta + variance(counts, rows) / 2), rtol=1e-8)
    shares = invented(f"yes ~ {DESIGNS[design]}", rows, "bernoulli", link="probit", sd=1.2)
    eta = predicted(shares, rows, "typical group", "linear")
    v = variance(shares, rows)
    found = draws(shares.predictions(over="population"))
    close(found, stats.norm.cdf(eta / np.sqrt(1 + v)), atol=1e-8)
    sizes = invented(f"positive ~ {DESIGNS[design]}", rows, "lognormal")
    eta = predicted(sizes, rows, "typical group", "linear")
    sigma = sizes.posterior.own()["sigma"][:, None]
    found = draws(sizes.predictions(over="population"))
    np.testing.assert_allclose(
        found, np.exp(eta + variance(sizes, rows) / 2 + sigma**2 / 2), rtol=1e-8
    )


def test_population_odds_are_attenuated() -> None:
    """Random intercepts of a probit: the marginal odds ratio by its closed form."""
    fit = invented("yes ~ treat + (1 | g)", panel(), "bernoulli", link="probit", sd=1.0)
    post = fit.data.posterior
    flat = lambda each: each.to_numpy().ravel()  # noqa: E731
    a, slope = flat(post["Intercept"]), flat(post["b"].sel(term="treat"))
    shrunk = np.sqrt(1 + flat(post["sd_g"]) ** 2)
    p, q = stats.norm.cdf((a + slope) / shrunk), stats.norm.cdf(a / shrunk)
    answer = fit.comparisons("treat", by=True, over="population", scale="odds ratio")
    np.testing.assert_allclose(draws(answer)[:, 0], p / (1 - p) / (q / (1 - q)), rtol=1e-8)


# Grids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "design"), BOTH)
def test_a_grid_over_these_groups_stands_for_the_groups_of_all_rows(fit: hm.Fit) -> None:
    """Each fitted row's groups, at the values of the grid: the average is over rows."""
    data = panel()
    answer = fit.predictions(hm.datagrid(treat=[0, 1], x=1.2, kind="b"))
    for place, treat in enumerate((0, 1)):
        rows = data.assign(treat=treat, x=1.2, kind="b")
        expected = predicted(fit, rows, "these groups", "response").mean(axis=1)
        close(draws(answer)[:, place], expected)


def test_means_are_averages_over_a_balanced_grid() -> None:
    data = panel()
    fit = invented(f"y ~ {DESIGNS['crossed']}", data)
    answer = fit.means("kind")
    grid = pd.DataFrame({"x": data["x"].mean(), "treat": [0, 0, 0, 1, 1, 1],
                         "kind": ["a", "b", "c"] * 2, "g": "g0", "h": "h0"})  # fmt: skip
    rows = predicted(fit, grid, "typical group", "response")
    close(draws(answer), (rows[:, :3] + rows[:, 3:]) / 2)
    assert answer.labels["kind"].tolist() == ["a", "b", "c"]
    assert answer.over == "population"
    share = data["treat"].mean()
    weighed = draws(fit.means("kind", wts="proportional"))
    close(weighed, (1 - share) * rows[:, :3] + share * rows[:, 3:])
    part = data.groupby("kind")["treat"].mean().to_numpy()
    close(draws(fit.means("kind", wts="cells")), (1 - part) * rows[:, :3] + part * rows[:, 3:])
    pairs = fit.means("kind", hypothesis="pairwise")
    assert pairs.table()["contrast"].tolist() == ["b - a", "c - a", "c - b"]
    middle = (rows[:, :3] + rows[:, 3:]) / 2
    close(
        draws(pairs),
        np.stack([middle[:, j] - middle[:, i] for i, j in ((0, 1), (0, 2), (1, 2))], 1),
    )
    groups = fit.means("g")
    assert groups.over == "these groups"
    assert len(groups) == 6


def test_a_grid_of_nested_groups_takes_those_within_the_label() -> None:
    data = panel()
    fit = invented(f"count ~ {DESIGNS['nested']}", data, "poisson")
    answer = fit.means("g", newdata=hm.datagrid(g=["g1", "g4"], x=1.0, treat=1, kind="a"))
    for place, label in enumerate(("g1", "g4")):
        rows = data[data["g"] == label].assign(x=1.0, treat=1, kind="a")
        expected = predicted(fit, rows, "these groups", "response").mean(axis=1)
        close(draws(answer)[:, place], expected)


def test_groups_are_compared_by_moving_rows() -> None:
    data = panel()
    fit = invented("count ~ x + (1 + x | g)", data, "poisson")
    answer = fit.comparisons({"g": ["g2", "g5"]}, by=True)
    moved = [predicted(fit, data.assign(g=g), "these groups", "response") for g in ("g5", "g2")]
    close(draws(answer)[:, 0], (moved[0] - moved[1]).mean(axis=1))
    assert len(fit.comparisons({"g": "pairwise"}, by=True)) == 15


@pytest.mark.parametrize("sd", [0.5, 2.0])
def test_five_categories_are_averaged_to_a_thousandth(sd: float) -> None:
    """Four linear predictors: points that fill the space, in the place of a product of rules."""
    rng = np.random.default_rng(1)
    data = panel(200).assign(choice=rng.choice(list("ABCDE"), 200))
    fit = invented("choice ~ x + (1 + x | g)", data, "categorical", sd=sd, shape=(1, 2))
    rows = data.iloc[[3]]
    found = draws(fit.predictions(rows, over="population"))
    for draw in range(2):
        mean, error = simulated(fit, rows, 1_000_000, draw)
        assert (np.abs(found[draw] - mean) < 1e-3 + 4 * error).all()


EQUATIONS = {
    "zero_inflated_poisson": ("count", ["zi ~ x + (1 | p | g)"]),
    "hurdle_negative_binomial": ("count", ["hu ~ treat + (1 | h)", "shape ~ (1 | p | g)"]),
    "lognormal": ("positive", ["sigma ~ treat"]),
    "gaussian": ("y", ["sigma ~ x + (1 | p | g)"]),
    "negative_binomial": ("count", ["shape ~ x + (1 | h)"]),
}


@pytest.fixture(scope="module", params=EQUATIONS)
def of_equations(request: pytest.FixtureRequest) -> hm.Fit:
    response, others = EQUATIONS[request.param]
    bar = "(1 + x | p | g)" if "| p |" in " ".join(others) else "(1 + x | h)"
    return invented([f"{response} ~ x + treat + {bar}", *others], panel(), request.param, sd=0.4)


@pytest.mark.parametrize("over", [each for each in OVER if each != "population"])
def test_parameters_with_equations_of_their_own(of_equations: hm.Fit, over: str) -> None:
    rows = predicted(of_equations, panel(), over, "response")
    close(draws(of_equations.predictions(by=True, over=over))[:, 0], rows.mean(axis=1))


def test_the_population_of_several_equations_is_that_of_simulated_groups(
    of_equations: hm.Fit,
) -> None:
    """Effects of one group on mu and on zi are correlated, and averaged together."""
    fit, rows = of_equations, panel().iloc[[0, 7, 19]]
    found = draws(fit.predictions(rows, over="population"))
    design, post = fit.design, fit.posterior
    on = design.on(rows.drop(columns="y"), new_groups="population")
    for draw in (0, 9):
        rng = np.random.default_rng(draw)
        names = [each.name for each in design.equations]
        b = [post.b(None if name == "mu" else name)[:, draw] for name in names]
        etas = [
            (on.X(slice(None), name) @ each)[:, None] for name, each in zip(names, b, strict=True)
        ]
        etas = [each + np.zeros((len(rows), 50_000)) for each in etas]
        for grouping in design.groupings:
            L, Z = post.Lambda(grouping)[draw], on.Z(grouping.name)
            r = L @ rng.standard_normal((len(L), 50_000))
            for k, name in enumerate(names):
                places = grouping.of_equation(name)
                etas[k] += Z[:, places] @ r[places]
        family = fit.model.family
        own = {name: values[draw] for name, values in post.own().items()}
        own |= {name: family.parameter(name).by_row(eta)
                for name, eta in zip(names[1:], etas[1:], strict=True)}  # fmt: skip
        values = family.mean(etas[0], own)
        error = values.std(axis=1) / np.sqrt(50_000)
        assert (np.abs(found[draw] - values.mean(axis=1)) < 6 * error + 1e-9).all()


def test_lognormal_means_have_no_mean_where_groups_differ_in_sigma() -> None:
    fit = invented(["positive ~ x + (1 | g)", "sigma ~ (1 | g)"], panel(), "lognormal")
    with pytest.raises(hm.ArgumentError, match="have no mean over all groups"):
        fit.means()
    for over in ("these groups", "typical group", "new group"):
        assert np.isfinite(fit.predictions(by=True, over=over).table()["estimate"]).all()
    linear = fit.predictions(by=True, over="population", scale="linear")
    np.testing.assert_allclose(
        draws(linear), draws(fit.predictions(by=True, over="typical group", scale="linear"))
    )


def test_a_factor_that_enters_another_equation_alone() -> None:
    """It has no part in sums of the linear predictor."""
    data = panel()
    fit = invented(["y ~ x + (1 | h)", "sigma ~ (1 | g)"], data)
    for over in OVER:
        answer = fit.predictions(by="kind", over=over)
        if over != "population":
            rows = predicted(fit, data, over, "response")
            kinds = data.groupby("kind").indices
            close(draws(answer), np.stack([rows[:, at].mean(axis=1) for at in kinds.values()], 1))


@pytest.mark.parametrize("formula", ["y ~ hsgp(x, k=5)", "y ~ bs(x, df=4) + w"])
def test_changes_by_one_stay_within_the_range_that_a_term_knows(formula: str) -> None:
    data = panel()
    design = hm.Model(formula, data).design
    low, high = data["x"].min(), data["x"].max()
    (step,) = changes.steps(design, data, "x", None)
    assert step.label == "+1, in range"
    np.testing.assert_allclose(step.high.column["x"], np.minimum(data["x"] + 1, high))
    np.testing.assert_allclose(step.high.column["x"] - step.low.column["x"], 1)
    inside = data[data["x"] < high - 1]
    assert changes.steps(design, inside, "x", None)[0].label == "+1"
    narrow = hm.Model(formula, data.assign(x=0.1 * data["x"])).design
    (step,) = changes.steps(narrow, data, "x", None)
    assert step.label == "iqr"
    assert step.low.column["x"] > 0.1 * low
    beyond = changes.steps(design, data, "x", 1)[0].high.column  # where that is asked for
    with pytest.raises(DataError, match="outside"):
        design.on(data.assign(**beyond))


def test_comparisons_near_the_end_of_a_range_are_answered() -> None:
    fit = invented("y ~ bs(x, df=4)", panel())
    rows, high = panel(), panel()["x"].max()
    found = fit.comparisons("x").draws.to_numpy()
    start = np.minimum(rows["x"], high - 1)
    ends = [fit.predict(rows.assign(x=at), kind="linear").to_numpy() for at in (start, start + 1)]
    np.testing.assert_allclose(found, ends[1] - ends[0], rtol=1e-8, atol=1e-12)
