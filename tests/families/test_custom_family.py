"""Families that a user writes: the same as those of the table, and refused where parts disagree."""

import importlib.util
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hiermix as hm
from hiermix import family_checks
from hiermix.engines.embedded import Embedded
from hiermix.errors import ArgumentError, DataError, EngineError, FormulaError, PriorError
from hiermix.stan import custom_program
from hiermix.stan.chart import Chart

# Those of the table, written again ---------------------------------------------------------------

STUDENT = hm.CustomFamily(
    "my_student",
    "  real my_student_lpdf(real y, real mu, real sigma, real nu) {\n"
    "    return student_t_lpdf(y | nu, mu, sigma);\n  }",
    parameters={"mu": "identity", "sigma": "log", "nu": "logm1"},
    mean=lambda mu, sigma, nu: mu + 0 * sigma * nu,
    draw=lambda rng, mu, sigma, nu: mu + sigma * rng.standard_t(nu),
    log_density=lambda y, mu, sigma, nu: stats.t.logpdf(y, nu, mu, sigma),
)
ZEROS = hm.CustomFamily(
    "my_zeros",
    "  real my_zeros_lpmf(int y, real mu, real zi) {\n"
    "    real lp = log1m(zi) + poisson_lpmf(y | mu);\n"
    "    if (y == 0) lp = log_sum_exp(log(zi), lp);\n    return lp;\n  }",
    parameters={"mu": "log", "zi": "logit"},
    mean=lambda mu, zi: (1 - zi) * mu,
    draw=lambda rng, mu, zi: np.where(rng.random(mu.shape) < zi, 0, rng.poisson(mu)),
    log_density=lambda y, mu, zi: np.log(zi * (y == 0) + (1 - zi) * stats.poisson.pmf(y, mu)),
    support="count",
)
BETA = hm.CustomFamily(
    "my_beta",
    "  real my_beta_lpdf(real y, real mu, real phi) {\n"
    "    return beta_proportion_lpdf(y | mu, phi);\n  }",
    parameters={"mu": "logit", "phi": "log"},
    mean=lambda mu, phi: mu,
    draw=lambda rng, mu, phi: np.clip(rng.beta(mu * phi, (1 - mu) * phi), 1e-12, 1 - 1e-12),
    log_density=lambda y, mu, phi: stats.beta.logpdf(y, mu * phi, (1 - mu) * phi),
    support="share",
    priors={"phi": "inv_gamma(0.4, 0.3)"},
)
EXPONENTIAL = hm.CustomFamily(
    "my_exponential",
    "  real my_exponential_lpdf(real y, real mu) {\n    return -log(mu) - y / mu;\n  }",
    parameters={"mu": "log"},
    mean=lambda mu: mu,
    draw=lambda rng, mu: rng.exponential(mu),
    log_density=lambda y, mu: -np.log(mu) - y / mu,
    support="positive",
)
TWINS = {"student_t": STUDENT, "zero_inflated_poisson": ZEROS, "beta": BETA,
         "exponential": EXPONENTIAL}  # fmt: skip


def data(name: str, rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(31)
    g = np.arange(rows) % 10
    x = rng.normal(size=rows)
    eta = 0.3 + 0.4 * x + 0.5 * rng.normal(size=10)[g]
    y = {
        "student_t": lambda: eta + rng.standard_t(4, rows),
        "zero_inflated_poisson": lambda: rng.poisson(np.exp(eta)) * (rng.random(rows) > 0.3),
        "beta": lambda: rng.beta(5 * special.expit(eta), 5 * special.expit(-eta)),
        "exponential": lambda: rng.exponential(np.exp(eta)),
    }[name]()
    return pd.DataFrame({"g": g, "x": x, "y": y})


PRIORS = {"student_t": {"sigma": "exponential(1)", "nu": "gamma(2, 0.1)"},
          "zero_inflated_poisson": {"zi": "beta(2, 3)"}, "beta": {"phi": "gamma(2, 0.3)"},
          "exponential": {}}  # fmt: skip
FORMULAS = {
    "numbers": lambda family: "y ~ x + (1 | g)",
    "equations": lambda family: ["y ~ x + (1 | p | g)", *(f"{own} ~ x + (1 | p | g)"
                                                         for own in family.own)],
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("formula", FORMULAS)
def test_the_density_is_that_of_the_same_family_in_the_table(name: str, formula: str) -> None:
    custom = TWINS[name]
    text = FORMULAS[formula](custom)
    priors = PRIORS[name] if formula == "numbers" else None
    ours = hm.Model(text, data(name), family=name, priors=priors)  # type: ignore[arg-type]
    handed = ours.stan_data()
    handed |= {"y": data(name)["y"].to_numpy().astype(int if name[:4] == "zero" else float)}
    points = np.random.default_rng(32).normal(0, 0.7, (20, int(handed["D"]) + int(handed["K"])))
    merged = len(np.atleast_1d(handed["weight"])) < len(data(name))
    assert not merged
    expected, slopes = Embedded().log_density(ours._posterior.program, ours.stan_data(), points)
    found, gradients = Embedded().log_density(
        custom_program.of_family(custom.family()), handed, points
    )
    assert np.allclose(found, expected, rtol=1e-10, atol=1e-8)
    assert np.allclose(gradients, slopes, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("custom", TWINS.values(), ids=TWINS)
def test_the_real_compiler_takes_its_programs(custom: hm.CustomFamily, tmp_path: Path) -> None:
    found = importlib.util.find_spec("httpstan")
    assert found is not None
    assert found.origin is not None
    family = custom.family()
    for program in (custom_program.of_family(family), custom_program.density(family)):
        source = tmp_path / f"{program.name}.stan"
        source.write_text(program.code)
        command = [str(Path(found.origin).parent / "stanc"), f"--o={tmp_path / 'model.hpp'}",
                   str(source)]  # fmt: skip
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


# One that the table doesn't have -----------------------------------------------------------------

_EULER = 0.5772156649015329
_SIZE = np.sqrt(6) / np.pi


def gumbel_mean(mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    return mu


def gumbel_draw(rng: np.random.Generator, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    return rng.gumbel(mu - _EULER * _SIZE * sigma, _SIZE * sigma)


def gumbel_log_density(y: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    z = (y - mu) / (_SIZE * sigma) + _EULER
    return -z - np.exp(-z) - np.log(_SIZE * sigma)


def gumbel(**changed: Any) -> hm.CustomFamily:
    """Gumbel responses, by their mean and sd."""
    parts: dict[str, Any] = {
        "likelihood": (
            "  real flood_lpdf(real y, real mu, real sigma) {\n"
            "    real size = sigma * sqrt(6) / pi();\n"
            "    return gumbel_lpdf(y | mu - 0.57721566490153286 * size, size);\n  }"
        ),
        "parameters": {"mu": "identity", "sigma": "log"},
        "mean": gumbel_mean, "draw": gumbel_draw, "log_density": gumbel_log_density,
    }  # fmt: skip
    return hm.CustomFamily("flood", **(parts | changed))


FLOOD = gumbel()


@pytest.fixture(scope="module")
def floods() -> pd.DataFrame:
    rng = np.random.default_rng(33)
    g = np.repeat(np.arange(15), 12)
    x = rng.normal(size=len(g))
    mu = 2 + 0.5 * x + 0.6 * rng.normal(size=15)[g]
    y = gumbel_draw(rng, mu, np.full(len(g), 1.0))
    return pd.DataFrame({"river": g, "x": x, "y": y, "year": np.tile(np.arange(12), 15)})


@pytest.fixture(scope="module")
def fit(floods: pd.DataFrame) -> hm.Fit:
    model = hm.Model(["y ~ x + (1 | river)", "sigma ~ 1"], floods, family=FLOOD)
    return model.fit(seed=1, draws=500, progress=False)


def test_what_was_simulated_is_found(fit: hm.Fit) -> None:
    truth = {"Intercept": 2.0, "b[x]": 0.5, "Intercept_sigma": 0.0, "sd_river[Intercept]": 0.6}
    for name, value in truth.items():
        draws = fit[name]
        assert abs(float(draws.mean()) - value) < 4 * float(draws.std())
    assert "family   flood, link identity" in repr(fit.model)
    assert "sigma" in repr(fit.model)


def test_predictions_and_densities_are_those_of_its_functions(
    fit: hm.Fit, floods: pd.DataFrame
) -> None:
    mu = fit.predict(kind="mean")
    assert np.allclose(mu, fit.predict(kind="linear"))
    sigma = np.exp(fit["Intercept_sigma"].to_numpy())[..., None]
    density = gumbel_log_density(floods["y"].to_numpy(), mu.to_numpy(), sigma)
    assert np.allclose(fit.log_likelihood(), density)
    drawn = fit.predict(kind="response")
    skewness = stats.skew((drawn - mu).to_numpy().ravel())
    assert skewness == pytest.approx(1.14, abs=0.05)  # that of a Gumbel


DOORS: dict[str, Callable[[hm.Fit], Any]] = {
    "loo": lambda fit: fit.loo(),
    "loo by group": lambda fit: fit.loo(by="river"),
    "summary": lambda fit: fit.summary(),
    "repr": repr,
    "html": lambda fit: fit._repr_html_(),
    "hypothesis": lambda fit: fit.hypothesis("b[x] > 0"),
    "comparisons": lambda fit: fit.comparisons(variables="x").table(),
    "population": lambda fit: fit.predictions(over="population").table(),
    "new group": lambda fit: fit.predict({"x": 0.0, "river": "new"}, new_groups="sample"),
    "update": lambda fit: fit.predict(
        pd.DataFrame({"x": [0.0, 1.0], "river": "new", "y": [4.0, 5.0]}), new_groups="update"
    ),
    "forecast": lambda fit: fit.forecast(
        pd.DataFrame({"x": 0.0, "river": range(15), "year": 12}), time="year"
    ).table(),
    "check": lambda fit: fit.check(["pit", "priors"]),
    "plot_check": lambda fit: fit.plot_check(),
    "plot_residuals": lambda fit: fit.plot_residuals(),
    "plot_fit": lambda fit: fit.plot_fit("x", by="river"),
    "plot_shrinkage": lambda fit: fit.plot_shrinkage("river"),
    "group_effects": lambda fit: fit.group_effects("river"),
    "log_prior": lambda fit: fit.log_prior(),
    "cost": lambda fit: fit.model.cost(),
    "code": lambda fit: fit.model.stan_code(),
}


@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
@pytest.mark.parametrize("door", DOORS)
def test_every_door_serves_it(fit: hm.Fit, door: str) -> None:
    assert DOORS[door](fit) is not None


def test_a_residual_variance_on_the_scale_of_its_link_is_not_known(fit: hm.Fit) -> None:
    with pytest.raises(ArgumentError, match="flood"):
        fit.variance()


def test_it_is_given_again_where_a_fit_is_loaded(fit: hm.Fit, tmp_path: Path) -> None:
    path = tmp_path / "floods.nc"
    fit.save(path)
    loaded = hm.load(path, family=gumbel())
    new = {"x": 1.0, "river": 3}
    assert np.array_equal(fit.predict(new, kind="response"), loaded.predict(new, kind="response"))
    assert loaded.refit(fit.design.frame, draws=100).design.rows == 180
    with pytest.raises(DataError, match=r"custom family 'flood', whose functions .* family=\.\.\."):
        hm.load(path)
    parameters = {"mu": "identity", "sigma": "logm1"}
    other = replace(FLOOD, parameters=parameters, priors={"sigma": "gamma(2, 1)"})
    with pytest.raises(DataError, match="another parameters and priors than"):
        hm.load(path, family=other)


def test_a_fit_of_the_table_takes_no_other_family(floods: pd.DataFrame, tmp_path: Path) -> None:
    hm.Model("y ~ x", floods).fit(seed=1, draws=50, progress=False).save(tmp_path / "a.nc")
    with pytest.raises(DataError, match="family 'gaussian', not of a custom one"):
        hm.load(tmp_path / "a.nc", family=FLOOD)


def test_its_parameters_take_priors_and_formulas(floods: pd.DataFrame) -> None:
    given = gumbel(priors={"sigma": "lognormal(0, 0.5)"})
    assert str(hm.Model("y ~ x", floods, family=given).priors["sigma"]) == "lognormal(0, 0.5)"
    model = hm.Model("y ~ x", floods, family=FLOOD, priors={"sigma": "exponential(2)"})
    assert str(model.priors["sigma"]) == "exponential(2)"
    with pytest.raises(FormulaError, match="no parameter 'shape' for an equation"):
        hm.Model(["y ~ x", "shape ~ x"], floods, family=FLOOD)
    with pytest.raises(ArgumentError, match="unknown link 'log' for family 'flood'"):
        hm.Model("y ~ x", floods, family=FLOOD, link="log")
    with pytest.raises(ArgumentError, match="statistics are of families by name"):
        hm.statistics("y ~ x", floods, family=FLOOD)  # type: ignore[arg-type]


def test_the_scale_of_a_parameter_and_where_responses_may_be_counted_from_are_seen() -> None:
    """Nobody says which parameter is a scale: the density stretches with it, or does not."""
    row, other = FLOOD.family(), STUDENT.family()
    assert str(row.own[0].default(7.0)) == "student_t(3, 0, 17.5)"
    assert str(other.own[0].default(7.0)) == "student_t(3, 0, 17.5)"
    assert str(other.own[1].default(7.0)) == "gamma(2, 0.1)"
    assert not row.mixed
    spread = gumbel(log_density=lambda y, mu, s: gumbel_log_density(y, mu, s * np.abs(mu)))
    assert str(spread.family().own[0].default(7.0)) == "student_t(3, 0, 2.5)"
    assert spread.family().mixed
    fails = gumbel(log_density=lambda y: y)
    assert fails.family().mixed


def test_a_response_far_from_zero_in_large_units_is_fitted(floods: pd.DataFrame) -> None:
    far = floods.assign(y=1e6 + 1e3 * floods["y"])
    ready = hm.Model("y ~ x + (1 | river)", far, family=FLOOD)._started
    near = hm.Model("y ~ x + (1 | river)", floods, family=FLOOD)._started
    found, expected = (Chart(each.ready.data).point(each.modes[0].at) for each in (ready, near))
    assert found.b[1] == pytest.approx(1e3 * expected.b[1], rel=0.02)
    assert found.own == pytest.approx(np.log(1e3) + expected.own, abs=0.05)


def answers(name: str, link: str) -> hm.CustomFamily:
    """Answers that are right with a probability that Stan works out itself."""

    def chance(mu: np.ndarray) -> np.ndarray:
        return np.asarray(special.expit(mu) if link != "mu" else mu)

    return hm.CustomFamily(
        name,
        f"  real {name}_lpmf(int y, real mu) {{\n    real p = {link};\n"
        "    real lp = negative_infinity();\n    if (y == 1) lp = log(p);\n"
        "    if (y == 0) lp = log1m(p);\n    return lp;\n  }",
        parameters={"mu": "identity"}, mean=chance,
        draw=lambda rng, mu: (rng.random(np.shape(mu)) < chance(mu)) * 1.0,
        log_density=lambda y, mu: np.where(
            y > 1, -np.inf, np.log(np.where(y == 1, chance(mu), 1 - chance(mu)))
        ),
        support="count",
    )  # fmt: skip


def test_successes_whose_probability_is_linked_in_stan_are_fitted() -> None:
    """As by the family of the table; with x large, where a probability is one in numbers."""
    rng = np.random.default_rng(34)
    x, g = rng.normal(size=300), np.arange(300) % 15
    eta = 0.3 + 0.8 * x + 0.7 * rng.normal(size=15)[g]
    frame = pd.DataFrame({"y": (rng.random(300) < special.expit(eta)) * 1, "x": x, "g": g})
    priors = {"Intercept": "normal(0, 2.5)", "b": "normal(0, 2)", "sd": "exponential(1)"}
    points = []
    for family in (answers("right", "inv_logit(mu)"), "bernoulli"):
        started = hm.Model("y ~ x + (1 | g)", frame, family=family, priors=priors)._started
        points.append(Chart(started.ready.data).point(started.modes[0].at))
    assert np.allclose(points[0].b, points[1].b, atol=0.02)
    assert np.allclose(points[0].log_sd, points[1].log_sd, atol=0.05)
    with pytest.raises(ArgumentError, match=r"adds up to nan .* link identity"):
        hm.Model("y ~ x", frame, family=answers("share", "mu")).fit(draws=50, progress=False)


def test_a_rate_is_of_counts_by_the_log_of_their_mean() -> None:
    """It is an offset: beside another link it would be taken for something else."""
    frame = pd.DataFrame({"y": [0, 1, 1, 0, 1], "x": [1, 2, 4, 3, 7], "t": [1, 2, 1, 3, 1]})
    assert hm.Model("y | rate(t) ~ x", frame, family=ZEROS).design.offset is not None
    with pytest.raises(DataError, match=r"family 'right' takes no rate\(\): it is for counts by"):
        hm.Model("y | rate(t) ~ x", frame, family=answers("right", "inv_logit(mu)"))


def test_where_no_row_has_a_density_chains_do_not_start(floods: pd.DataFrame) -> None:
    """A density that the checks have seen nothing of: they know responses near to the mean."""
    late = gumbel(
        likelihood=FLOOD.likelihood.replace("return", 'if (y > 1e5) reject("late");\n    return')
    )
    with pytest.raises(EngineError, match=r"chains can't start: .* rows have a density"):
        hm.Model("y ~ x", floods.assign(y=floods["y"] + 1e6), family=late).fit(draws=50)


# Parts that don't agree --------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a constant is missing in numpy": (
        {"log_density": lambda y, mu, s: gumbel_log_density(y, mu, s) + 0.1}, "densities .* differ",
    ),
    "Stan has another scale": (
        {"likelihood": "real flood_lpdf(real y, real mu, real sigma) {"
                       " return gumbel_lpdf(y | mu, sigma); }"}, "densities .* differ at y=",
    ),
    "both lack the same constant": (
        {"likelihood": "real flood_lpdf(real y, real mu, real sigma) {"
                       " real s = sigma * sqrt(6) / pi();"
                       " return gumbel_lpdf(y | mu - 0.57721566490153286 * s, s) + log(s); }",
         "log_density": lambda y, mu, s: gumbel_log_density(y, mu, s) + np.log(_SIZE * s)},
        "adds up to .* instead of 1",
    ),
    "draws are too wide": (
        {"draw": lambda rng, mu, s: gumbel_draw(rng, mu, 1.2 * s)}, "draws .* of its responses",
    ),
    "the mean is the mode": ({"mean": lambda mu, s: mu - _EULER * _SIZE * s}, "mean of family"),
    "draws of one number": (
        {"draw": lambda rng, mu, s: float(rng.gumbel())}, r"returns an array of \(\)",
    ),
    "draws that are no numbers": (
        {"draw": lambda rng, mu, s: np.full(mu.shape, np.nan)}, "draws nan at",
    ),
    "a function that fails": (
        {"mean": lambda mu, s: mu, "log_density": lambda y, mu, s: float(mu)}, "fails on arrays",
    ),
    "a function of too few": ({"draw": lambda rng, mu: mu}, "fails on arrays"),
    "Stan that does not compile": (
        {"likelihood": "real flood_lpdf(real y, real mu, real sigma) { return y; "},
        "can't be compiled",
    ),
    "Stan with another signature": (
        {"likelihood": "real flood_lpdf(real y, real mu) { return -mu; }"},
        r"called as real flood_lpdf\(real y, real mu, real sigma\)(.|\n)*Expected 2 arguments",
    ),
    "a mean of one row": (
        {"mean": lambda mu, s: np.ones(7)}, r"mean of .* returns an array of \(7,\)",
    ),
    "means that it can't have": (
        {"parameters": {"mu": "identity"}, "draw": lambda rng, mu: rng.exponential(np.abs(mu)),
         "likelihood": "real flood_lpdf(real y, real mu) { return -log(mu) - y / mu; }",
         "log_density": lambda y, mu: -np.log(mu) - y / mu, "mean": lambda mu: mu},
        "densities .* differ at .* mu=-|adds up to nan .* see links log and logit",
    ),
    "a name that results have": (
        {"parameters": {"mu": "identity", "Intercept": "log"}}, "'Intercept' can't be the name",
    ),
    "a name that the program has": (
        {"parameters": {"mu": "identity", "theta": "log"}}, "'theta' can't be the name",
    ),
    "the wrong support": ({"support": "positive"}, "which is not positive"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_parts_that_disagree_are_refused_before_the_first_fit(
    floods: pd.DataFrame, case: str
) -> None:
    changed, said = WRONG[case]
    positive = floods.assign(y=floods["y"] - floods["y"].min() + 1)
    model = hm.Model("y ~ x", positive, family=gumbel(**changed))
    with pytest.raises(ArgumentError, match=said):
        model.fit(seed=1, draws=50, progress=False)


@pytest.mark.parametrize("custom", [*TWINS.values(), FLOOD], ids=lambda each: each.name)
def test_parts_that_agree_are_not(custom: hm.CustomFamily) -> None:
    family_checks.check(custom)


def test_a_density_without_a_mean_is_taken() -> None:
    far = hm.CustomFamily(
        "far",
        "real far_lpdf(real y, real mu) {"
        "  return log(2 / pi() / mu) - log1p(square(y / mu)); }",
        parameters={"mu": "log"}, mean=lambda mu: np.inf + 0 * mu,
        draw=lambda rng, mu: np.abs(mu * rng.standard_cauchy(mu.shape)),
        log_density=lambda y, mu: np.log(2 / np.pi / mu) - np.log1p((y / mu) ** 2),
        support="positive",
    )  # fmt: skip
    family_checks.check(far)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no mu": ({"parameters": {"sigma": "log"}}, "whose first is 'mu'"),
    "an unknown link": (
        {"parameters": {"mu": "identity", "sigma": "exp"}},
        "the link of sigma must be one of log, logit, logm1",
    ),
    "another function": ({"likelihood": "real f_lpdf(real y) { return 0; }"}, "flood_lpdf"),
    "no function": ({"draw": None}, "draw of family 'flood' is a function"),
    "an unknown support": ({"support": "integer"}, "support must be one of real, positive"),
    "priors in a list": ({"priors": ["sigma"]}, "priors of family 'flood' are a dict"),
    "a prior of another": ({"priors": {"nu": "gamma(2, 1)"}}, "priors name 'nu'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_part_that_is_missing_is_said(case: str) -> None:
    changed, said = BAD[case]
    with pytest.raises(ArgumentError, match=said):
        gumbel(**changed)


def test_a_prior_that_is_none_and_a_bad_name_are_said() -> None:
    with pytest.raises(PriorError, match="can't be read"):
        gumbel(priors={"sigma": "wide"})
    with pytest.raises(ArgumentError, match="small letters"):
        replace(FLOOD, name="Flood 1")


def test_responses_are_checked_by_its_support() -> None:
    with pytest.raises(DataError, match="needs counts"):
        hm.Model("y ~ x", pd.DataFrame({"y": [0.5, 1, 2], "x": [1, 2, 4]}), family=ZEROS)
