"""PooledEncoder against dense algebra, quadrature, fits without a row, scikit-learn's rules."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from scipy.special import digamma, expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from hiermix.sklearn import PooledEncoder
from hiermix.sklearn.pooled_means import fit_dirichlet, fit_normal


def levels(seed: int = 1, rows: int = 300, size: int = 40) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, size, rows) * rng.integers(0, 2, rows)  # one level has many rows
    y = 5 + rng.normal(0, 1.5, size)[codes] + rng.normal(0, 1, rows)
    return pd.DataFrame({"g": [f"g{code}" for code in codes]}), y


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "encoder",
    [
        PooledEncoder(),
        PooledEncoder(cv="loo"),
        PooledEncoder(cv="loo", uncertainty=True),
        PooledEncoder(scale="linear", uncertainty=True),
    ],
    ids=["folds", "loo", "sd", "log odds"],
)
def test_it_keeps_the_rules_of_scikit_learn(encoder: PooledEncoder) -> None:
    check_estimator(encoder)


def test_numbers_are_shrunk_as_dense_algebra_does() -> None:
    """The means of levels given all rows: best linear unbiased predictions, and their variance."""
    X, y = levels()
    encoder = PooledEncoder(uncertainty=True).fit(X, y)
    (pooled,) = encoder.pooled_
    Z = (X["g"].to_numpy()[:, None] == np.unique(X["g"])).astype(float)
    V = pooled.between * Z @ Z.T + pooled.within * np.eye(300)
    one = np.ones((300, 1))
    A = one.T @ np.linalg.solve(V, one)
    center = (one.T @ np.linalg.solve(V, y) / A)[0, 0]
    r = pooled.between * Z.T @ np.linalg.solve(V, y - center)
    found = encoder.transform(pd.DataFrame({"g": np.unique(X["g"])}))
    np.testing.assert_allclose(found[:, 0], center + r)
    lift = 1 - pooled.between * Z.T @ np.linalg.solve(V, one)
    variance = pooled.between * np.eye(Z.shape[1]) - pooled.between**2 * Z.T @ np.linalg.solve(V, Z)
    np.testing.assert_allclose(found[:, 1] ** 2, np.diag(variance + lift @ lift.T / A))
    new = encoder.transform(pd.DataFrame({"g": ["other"]}))
    np.testing.assert_allclose(new, [[center, np.sqrt(pooled.between + 1 / A[0, 0])]])


def test_variances_are_the_restricted_likelihoods() -> None:
    """But for the weak prior: by dense search over both."""
    X, y = levels()
    Z = (X["g"].to_numpy()[:, None] == np.unique(X["g"])).astype(float)

    def loss(logs: np.ndarray) -> float:
        between, within = np.exp(logs)
        V = between * Z @ Z.T + within * np.eye(300)
        A = np.linalg.solve(V, np.ones(300))
        rest = y - A @ y / A.sum()
        prior = 2 * np.sqrt(between / within)
        return np.linalg.slogdet(V)[1] + np.log(A.sum()) + rest @ np.linalg.solve(V, rest) + prior

    expected = np.exp(optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead").x)
    pooled = PooledEncoder().fit(X, y).pooled_[0]
    assert pooled.between == pytest.approx(expected[0], rel=0.02)
    assert pooled.within == pytest.approx(expected[1], rel=0.02)


def test_levels_of_one_row_each_are_pooled_completely() -> None:
    y = np.random.default_rng(0).normal(3, 1, 60)
    X = np.arange(60)[:, None]
    encoder = PooledEncoder(cv="loo")
    np.testing.assert_allclose(encoder.fit_transform(X, y)[:, 0], y.mean(), atol=1e-2)
    np.testing.assert_allclose(encoder.transform(X)[:, 0], y.mean(), atol=1e-2)
    assert fit_normal(np.array([3.0]), np.array([6.0]), 2.0).between == 0


def test_numbers_far_from_zero_keep_their_digits() -> None:
    X, y = levels()
    near, far = (PooledEncoder(uncertainty=True).fit(X, each).transform(X) for each in (y, y + 1e9))
    np.testing.assert_allclose(far[:, 0] - 1e9, near[:, 0], atol=1e-5)
    np.testing.assert_allclose(far[:, 1], near[:, 1], rtol=1e-5)


def answers(classes: int, seed: int = 2) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 60, 500)
    score = rng.normal(0, 1.2, (60, classes))[codes] + rng.gumbel(size=(500, classes))
    return pd.DataFrame({"g": codes}), np.array(list("nyz"))[score.argmax(axis=1)]


def test_shares_are_posterior_means_of_a_beta() -> None:
    """Mean and sd of probability and of log odds, by quadrature."""
    X, y = answers(2)
    a, b = PooledEncoder().fit(X, y).pooled_[0].alpha[::-1]
    k, n = (y[X["g"] == 7] == "y").sum(), (X["g"] == 7).sum()
    logit = np.linspace(-12, 12, 20_001)
    log = (a + k) * np.log(expit(logit)) + (b + n - k) * np.log(expit(-logit))
    weights = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    row = pd.DataFrame({"g": [7]})
    for scale, values in (("response", expit(logit)), ("linear", logit)):
        found = PooledEncoder(scale=scale, uncertainty=True).fit(X, y).transform(row)
        mean = weights @ values
        expected = [[mean, np.sqrt(weights @ (values - mean) ** 2)]]
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_dirichlet_is_the_most_likely_one() -> None:
    """No point around it is better: scipy's marginal likelihood, and the weak prior."""
    X, y = answers(3)
    counts = pd.crosstab(X["g"], y).to_numpy().astype(float)

    def height(alpha: np.ndarray) -> float:
        each = [stats.dirichlet_multinomial.logpmf(row, alpha, int(row.sum())) for row in counts]
        return float(np.sum(each) - 1 / np.sqrt(alpha.sum()))

    alpha = fit_dirichlet(counts).alpha
    top = height(alpha)
    rng = np.random.default_rng(0)
    for size in (0.3, 0.03):
        others = [height(alpha * np.exp(rng.normal(0, size, 3))) for _ in range(50)]
        assert max(others) < top + 1e-6
    assert 0.5 < alpha.sum() < 20


def test_probabilities_of_classes_add_up() -> None:
    X, y = answers(3)
    encoder = PooledEncoder(uncertainty=True).fit(X, y)
    assert encoder.get_feature_names_out().tolist() == [
        "g_n", "g_y", "g_z", "g_n_sd", "g_y_sd", "g_z_sd",
    ]  # fmt: skip
    found = encoder.transform(pd.DataFrame({"g": [3, -1]}))
    np.testing.assert_allclose(found[:, :3].sum(axis=1), 1)
    alpha = encoder.pooled_[0].alpha
    np.testing.assert_allclose(found[1, :3], alpha / alpha.sum())
    linear = PooledEncoder(scale="linear").fit(X, y).transform(pd.DataFrame({"g": [-1]}))
    np.testing.assert_allclose(linear[0], digamma(alpha) - digamma(alpha.sum() - alpha), rtol=1e-6)


@pytest.mark.parametrize("target", ["number", "two classes", "three classes"])
def test_leaving_a_row_out_is_having_never_seen_it(target: str) -> None:
    """The level's own rows but one, given what the levels are drawn towards."""
    X, y = levels() if target == "number" else answers(2 if target == "two classes" else 3)
    encoder = PooledEncoder(cv="loo", uncertainty=True)
    found = encoder.fit_transform(X, y)
    rest = PooledEncoder(uncertainty=True).fit(X, y)
    for row in (0, 17, 123):
        others = X["g"].drop(row) == X["g"][row]
        mine = y[others.index[others]]
        if target == "number":
            rest.sums_[0][:] = len(mine), (mine - rest.mean_).sum()
        else:
            rest.sums_[0][:] = [(mine == each).sum() for each in rest.classes_]
        np.testing.assert_allclose(found[row], rest.transform(X.loc[[row]])[0], rtol=1e-12)


def test_folds_hide_the_target_of_their_rows() -> None:
    """Without an effect of levels, no encoding of a training row foretells its target."""
    rng = np.random.default_rng(3)
    X, y = rng.integers(0, 400, (4000, 1)), rng.integers(0, 2, 4000)
    hidden = PooledEncoder(random_state=0).fit_transform(X, y)[:, 0]
    assert abs(np.corrcoef(hidden, y)[0, 1]) < 4 / np.sqrt(4000)
    again = PooledEncoder(random_state=0).fit_transform(X, y)[:, 0]
    np.testing.assert_array_equal(hidden, again)


def test_missing_values_and_other_dtypes_are_levels() -> None:
    X = pd.DataFrame(
        {"a": ["x", None, "x", np.nan, "z", "z"], "b": pd.Categorical([1, 2, 1, 2, 1, 2])}
    )
    y = np.array([1.0, 5.0, 1.2, 5.2, 3.0, 3.1])
    encoder = PooledEncoder().set_output(transform="pandas").fit(X, y)
    found = encoder.transform(X)
    assert list(found) == ["a", "b"]
    assert found["a"][1] == found["a"][3] > found["a"][0]
    assert np.ptp(encoder.transform(X.assign(b=7))["b"]) == 0


def test_options_and_targets_that_can_not_be_used_are_said() -> None:
    X, y = levels()
    with pytest.raises(ValueError, match="cv must be 'loo' or a whole number from 2 up, not 1"):
        PooledEncoder(cv=1).fit(X, y)
    with pytest.raises(ValueError, match="scale must be one of response, linear"):
        PooledEncoder(scale="logit").fit(X, y)
    with pytest.raises(ValueError, match="one class, 1"):
        PooledEncoder(target_type="binary").fit(X, np.ones(300))
    with pytest.raises(ValueError, match="3 classes: it is no binary one"):
        PooledEncoder(target_type="binary").fit(*answers(3))


def test_it_stands_in_a_pipeline() -> None:
    X, y = answers(2)
    model = make_pipeline(PooledEncoder(scale="linear", random_state=0), LogisticRegression())
    assert model.fit(X, y).score(X, y) > 0.6


def test_frames_of_every_library_and_dtype_are_read_alike() -> None:
    import polars as pl

    rng = np.random.default_rng(2)
    X = pd.DataFrame({"a": rng.choice(["x", "y", "z"], 60), "b": rng.integers(0, 4, 60)})
    y = rng.normal(size=60)
    expected = PooledEncoder().fit(X, y).transform(X)
    for each in (pl.from_pandas(X), X.astype("category"), X.convert_dtypes(),
                 X.convert_dtypes(dtype_backend="pyarrow")):  # fmt: skip
        np.testing.assert_array_equal(PooledEncoder().fit(each, y).transform(X), expected)
        np.testing.assert_array_equal(PooledEncoder().fit(X, y).transform(each), expected)


def test_what_it_does_not_know_is_refused() -> None:
    X, y = levels()
    with pytest.raises(TypeError, match="sample_weight"):
        PooledEncoder().fit_transform(X, y, sample_weight=np.ones(len(y)))
    fit = PooledEncoder().fit(pd.DataFrame(np.asarray(X)).add_prefix("c"), y)
    with pytest.raises(ValueError, match="input_features is not equal to the columns of fit"):
        fit.get_feature_names_out(["other"] * fit.n_features_in_)
