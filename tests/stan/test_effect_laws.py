"""Effects that are not alike and independent: log density of the programs against scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.stan.chart import Chart
from hiermix.statistics.related_levels import turn
from tests.stan.test_gaussian_density import POINTS, PRIORS, compare_gradient, reference

STRATA = {
    "intercepts": ("y ~ x + (1 | gr(g, by=f))", (1, 1, 1)),
    "slopes": ("y ~ x + (x | gr(g, by=f))", (2, 2, 2)),
    "apart": ("y ~ x + (x || gr(g, by=f))", (1,) * 6),
}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    g = rng.integers(0, 9, 60)
    x = rng.normal(3, 2, 60)
    y = 1 + 0.5 * x + rng.normal(size=9)[g] + rng.normal(size=60)
    return pd.DataFrame(
        {"y": y, "x": x, "g": [f"g{i}" for i in g], "f": np.array(list("abc"))[g % 3]}
    )


@pytest.mark.parametrize("case", STRATA)
def test_a_spread_for_each_stratum(case: str) -> None:
    formula, blocks = STRATA[case]
    data = frame()
    priors = PRIORS | ({"cor": "lkj(1.7)"} if max(blocks) > 1 else {})
    model = hm.Model(formula, data, priors=priors)
    assert model.program_name == "random_slope"
    plain = np.column_stack([np.ones(60), data["x"]])[:, : sum(blocks) // 3]
    Z = np.hstack([plain * (data["f"] == each).to_numpy()[:, None] for each in "abc"])
    handed = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (POINTS, int(handed["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, handed, points)
    expected = [reference(model, point, blocks, 1.7, Z) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:5], gradient[:5])


# Related levels -----------------------------------------------------------------------------------


def related(levels: list[str], seed: int = 3) -> pd.DataFrame:
    """A covariance of any kind, labels out of order."""
    rng = np.random.default_rng(seed)
    J = len(levels)
    root = rng.normal(size=(J, J)) + 2 * np.eye(J)
    matrix = pd.DataFrame(root @ root.T / J, index=levels, columns=levels)
    order = rng.permutation(J)
    return matrix.iloc[order, order[::-1]]


def of_fit(matrix: pd.DataFrame, model: hm.Model) -> np.ndarray:
    levels = model.design.groupings[0].levels
    return matrix.loc[levels, levels].to_numpy()


LEVELS = [f"g{i}" for i in range(9)]


@pytest.mark.parametrize("extra", [[], ["not seen", "nor this"]])
@pytest.mark.parametrize("weights", [None, "w"])
def test_related_levels_integrated(extra: list[str], weights: str | None) -> None:
    data, matrix = frame(), related(LEVELS + extra)
    data["w"] = 1.0
    model = hm.Model(
        "y ~ x + (1 | gr(g, cov='A'))", data, data2={"A": matrix}, priors=PRIORS, weights=weights
    )
    assert model.program_name == "random_intercept"
    assert set(model.design.groupings[0].levels) == {*LEVELS, *extra}
    handed = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (POINTS, int(handed["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, handed, points)
    between = of_fit(matrix, model)
    expected = [reference(model, point, (1,), 1.7, np.ones((60, 1)), between) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:5], gradient[:5])


@pytest.mark.parametrize("told", [[3.0, 1, 2, 5], [3, 0, 2, 0], [0, 0, 0, 0], [1e9, 1, 0, 1e-9]])
def test_turned_levels_are_independent_with_and_without_their_rows(told: list[float]) -> None:
    matrix = related(list("abcd")).loc[list("abcd"), list("abcd")].to_numpy()
    found = turn(matrix, np.array(told))
    np.testing.assert_allclose(found.root @ found.root.T, matrix, atol=1e-12)
    information = found.root.T @ np.diag(told) @ found.root
    size = max(1.0, *told)
    np.testing.assert_allclose(information, np.diag(found.told), atol=1e-12 * size)


def test_effects_of_related_levels_are_those_of_their_conditional_law() -> None:
    """Given sd and sigma, means and covariances of all levels, with rows or without."""
    data, levels = frame(), [*LEVELS, "new", "other"]
    matrix = related(levels)
    model = hm.Model("y ~ 1 + (1 | gr(g, cov='A'))", data, data2={"A": matrix},
                     priors={"Intercept": "normal(1, 0.00001)", "sigma": "normal(0.7, 0.00001)",
                             "sd": "normal(1.3, 0.00001)"})  # fmt: skip
    draws = 4000
    fit = model.fit(seed=2, chains=1, warmup=200, draws=draws, progress=False)
    r = fit.data["posterior"]["r_g"].to_numpy()[0, :, :, 0]
    A = 1.3**2 * of_fit(matrix, model)
    Z = np.array([[label == level for level in levels] for label in data["g"]], dtype=float)
    V = Z @ A @ Z.T + 0.49 * np.eye(60)
    mean = A @ Z.T @ np.linalg.solve(V, data["y"] - 1)
    covariance = A - A @ Z.T @ np.linalg.solve(V, Z @ A)
    sd = np.sqrt(np.diag(covariance))
    # Independent draws: five standard errors.
    assert (np.abs(r.mean(axis=0) - mean) < 5 * sd / np.sqrt(draws)).all()
    error = np.outer(sd, sd) * np.sqrt(2 / draws)
    assert (np.abs(np.cov(r.T) - covariance) < 5 * error).all()


# Programs that sample effects ---------------------------------------------------------------------


def normal_rows(data: pd.DataFrame, eta: np.ndarray, sigma: float) -> float:
    return float(stats.norm(eta, sigma).logpdf(data["y"]).sum())


@pytest.mark.parametrize("effects", ["1", "x"])
def test_related_levels_sampled(effects: str) -> None:
    """With the root, rows see root u in the place of u, whose density stays what it is."""
    data, matrix = frame(), related([*LEVELS, "new"])
    model = hm.Model(
        f"y ~ x + ({effects} | gr(g, cov='A'))", data, data2={"A": matrix}, effects="sampled",
        priors={"sd": "normal(0, 1)"},
    )  # fmt: skip
    handed = model.stan_data()
    chart, P = Chart(handed), 2
    root, Q = handed["related_root"], int(handed["E"])
    np.testing.assert_allclose(root @ root.T, of_fit(matrix, model), atol=1e-12)
    points = np.random.default_rng(5).normal(0, 1, (20, chart.size))
    engine, program = Embedded(), model._posterior.program
    found, _ = engine.log_density(program, handed, points)
    none = {"related": np.zeros(1, dtype=np.int64), "related_levels": 0, "relatives": 0,
            "related_root": np.zeros((0, 0))}  # fmt: skip
    apart, _ = engine.log_density(program, handed | none, points)
    codes = model.design.groupings[0].codes
    Z = np.column_stack([np.ones(60), data["x"]])[:, :Q]
    X = np.column_stack([np.ones(60), data["x"] - data["x"].mean()])
    for point, one, other in zip(points, found, apart, strict=True):
        at = chart.point(point)
        r = at.r.reshape(Q, -1).T
        u, sigma = np.linalg.solve(root, r), np.exp(at.own[0])
        with_root, without = (
            normal_rows(data, X @ at.b[:P] + np.sum(Z * each[codes], axis=1), sigma)
            for each in (r, u)
        )
        assert one - other == pytest.approx(with_root - without, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | gr(g, dist='student'))",
                                     "y ~ x + (x | gr(g, dist='student'))"])  # fmt: skip
def test_student_effects(formula: str) -> None:
    """With degrees of freedom, effects have the density of a t in the place of the normal one's."""
    data = frame()
    model = hm.Model(formula, data, priors={"df": "gamma(3, 0.2)", "sd": "normal(0, 1)"})
    handed = model.stan_data()
    chart, Q, D = Chart(handed), int(handed["E"]), int(handed["D"])
    points = np.random.default_rng(5).normal(0, 1, (20, chart.size))
    engine, program = Embedded(), model._posterior.program
    found, gradient = engine.log_density(program, handed, points)
    normal = handed | {
        "tails": 0, "D": D - 1, "center": handed["center"][:-1], "scale": handed["scale"][:-1, :-1],
        "df_prior": np.zeros(0, dtype=np.int64), "df_par": np.zeros((0, 4)),
        "heavy": np.zeros(1, dtype=np.int64),
    }  # fmt: skip
    known, _ = engine.log_density(program, normal, np.delete(points, D - 1, axis=1))
    for point, one, other in zip(points, found, known, strict=True):
        at = chart.point(point)
        df = 1 + np.exp(at.cor[-1])
        Lambda = chart._root(at.log_sd, at.cor)
        shape = Lambda @ Lambda.T
        r = at.r.reshape(Q, -1).T
        change = stats.multivariate_t(np.zeros(Q), shape, df=df).logpdf(r).sum()
        change -= stats.multivariate_normal(np.zeros(Q), shape).logpdf(r).sum()
        change += stats.gamma(3, scale=5).logpdf(df) + np.log(df - 1)
        assert one - other == pytest.approx(change, rel=1e-9, abs=1e-9)
    h = 1e-5
    for point, slope in zip(points[:3], gradient[:3], strict=True):
        steps = h * np.eye(len(point))
        ahead, _ = engine.log_density(program, handed, point + steps)
        back, _ = engine.log_density(program, handed, point - steps)
        numeric = (ahead - back) / (2 * h)
        np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-5 * np.abs(slope).max())


LAWS = ["y ~ x + (x | gr(g, cov='A'))", "y ~ x + (x | gr(g, dist='student')) + (1 | f)"]


@pytest.mark.parametrize("formula", LAWS)
def test_a_point_is_what_the_program_makes_of_its_coordinates(formula: str) -> None:
    data2 = {"A": related([*LEVELS, "new"])} if "cov" in formula else None
    model = hm.Model(formula, frame(), data2=data2)
    ready = model._posterior
    chart = Chart(ready.data)
    settings = Settings(seed=1, chains=1, warmup=50, draws=5)
    names = ["raw", "z", "b", "sd", "r", "df"]
    draws = Embedded().sample(ready.program, ready.data, settings, keep=names).draws
    for i in range(settings.draws):
        drawn = {name: each[0, i] for name, each in draws.items()}
        q = np.concatenate([drawn["raw"], drawn["z"]])
        point = chart.point(q)
        np.testing.assert_allclose(point.b, drawn["b"], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(np.exp(point.log_sd), drawn["sd"], rtol=1e-10)
        np.testing.assert_allclose(point.r, drawn["r"], rtol=1e-9, atol=1e-10)
        tails = len(drawn["df"])
        np.testing.assert_allclose(1 + np.exp(point.cor[len(point.cor) - tails :]), drawn["df"])
        np.testing.assert_allclose(chart.coordinates(point), q, rtol=1e-8, atol=1e-8)
