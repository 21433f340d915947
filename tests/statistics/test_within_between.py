"""What lies within groups and between them, told apart however far apart the groups are."""

import numpy as np
import pandas as pd
import pytest
from arviz_stats import ess

import hiermix as hm
from hiermix.statistics.gram import statistics
from hiermix.statistics.within_between import Within, split, split_rows


def frame(seed: int = 0, rows: int = 90, far: float = 1.0) -> pd.DataFrame:
    """Groups of many sizes; x varies within groups, w hardly does."""
    rng = np.random.default_rng(seed)
    g = rng.integers(0, 9, rows)
    g[:2] = 20, 21  # two that have one row
    x, level = rng.normal(size=rows), far * rng.normal(size=22)
    y = 2 + 0.5 * x + level[g] + 0.3 * rng.normal(size=22)[g] * x + 0.7 * rng.normal(size=rows)
    w = g + 1e-6 * rng.normal(size=rows)
    weight = rng.uniform(0.5, 2, rows)
    return pd.DataFrame({"y": y, "x": x, "w": w, "g": g, "weight": weight})


def apart(formula: str, data: pd.DataFrame) -> tuple[Within, hm.Model, np.ndarray]:
    model = hm.Model(formula, data, weights="weight")
    design = model.design
    gram = statistics(design, "g", design.response, design.weights)
    return split_rows(gram, design, "g", design.response, design.weights), model, gram.x_mean


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (x | g)", "y ~ x + w + (x | g)"])
@pytest.mark.parametrize("far", [1.0, 1e9])
def test_within_is_what_the_columns_of_each_group_leave(formula: str, far: float) -> None:
    data = frame(far=far)
    found, model, x_mean = apart(formula, data)
    X, Z = model.design.X() - x_mean, model.design.Z("g")
    root = np.sqrt(data["weight"].to_numpy())[:, None]
    left = np.column_stack([data["y"] - X @ found.b_hat, X]) * root
    for level in np.unique(data["g"]):
        rows = np.flatnonzero(data["g"] == level)
        Q, _ = np.linalg.qr(Z[rows] * root[rows])
        for _ in range(2):  # once more for what rounding left
            left[rows] -= Q @ (Q.T @ left[rows])
    XtX = left[:, 1:].T @ left[:, 1:]
    size = np.sqrt(np.diag(X.T @ X))
    np.testing.assert_allclose(found.rss, left[:, 0] @ left[:, 0], rtol=1e-5)
    # The weights of rounding in columns that groups explain, and nothing else.
    kept = np.sqrt(np.diag(XtX)) > 1e-11 * size
    np.testing.assert_allclose(found.XtX[~kept], 0.0)
    np.testing.assert_allclose(found.XtX[np.ix_(kept, kept)], XtX[np.ix_(kept, kept)], rtol=1e-5)


def test_a_whole_form_is_split_into_two() -> None:
    data = frame()
    found, model, x_mean = apart("y ~ x + (x | g)", data)
    X = model.design.X() - x_mean
    b = np.array([0.3, -1.2])
    e = data["y"] - X @ b
    one_d = np.concatenate([[1.0], b - found.b_hat])
    inside = found.rss + one_d[1:] @ found.XtX @ one_d[1:]
    between = np.sum((found.QtR @ one_d) ** 2)
    assert inside + between == pytest.approx(float(data["weight"] @ e**2), rel=1e-12)


def test_statistics_alone_give_the_same() -> None:
    data = frame()
    found, model, _ = apart("y ~ x + (x | g)", data)
    design = model.design
    again = split(statistics(design, "g", design.response, design.weights))
    np.testing.assert_allclose(again.XtX, found.XtX, atol=1e-9)
    assert again.rss == pytest.approx(found.rss, rel=1e-9)


@pytest.mark.parametrize("far", [1e7, 1e9, 1e10])
def test_groups_that_are_far_apart(far: float) -> None:
    """With intercepts that nothing shrinks, slope and sigma are those of least squares by group."""
    data = frame(seed=3, rows=300, far=far)
    fit = hm.Model("y ~ x + (1 | g)", data).fit(seed=1, chains=2, warmup=300, draws=500)
    dummies = pd.get_dummies(data["g"]).to_numpy(float)
    A = np.column_stack([data["x"], dummies])
    found, _, _, _ = np.linalg.lstsq(A, data["y"] / far, rcond=None)
    left = data["y"] / far - A @ found
    degrees = len(data) - A.shape[1]
    x = data["x"] - dummies @ (dummies.T @ data["x"] / dummies.sum(axis=0))
    slope = float(x @ data["y"]) / float(x @ x)
    sigma = far * np.sqrt(left @ left / degrees)
    error = sigma / np.sqrt(x @ x)
    b, sizes = fit.data.posterior["b"], ess(fit.data)
    assert (
        abs(float(b.mean()) - slope) < 6 * error / np.sqrt(float(sizes["b"].min())) + 1e-3 * error
    )
    assert float(b.std()) == pytest.approx(error, rel=0.25)
    assert float(fit.data.posterior["sigma"].mean()) == pytest.approx(sigma, rel=0.05)
    assert int(fit.data.sample_stats["diverging"].sum()) == 0
    assert float(fit.data.sample_stats["n_steps"].mean()) < 20


@pytest.mark.parametrize("bar", ["(x | g)", "(x || g)"])
def test_slopes_beside_intercepts_that_are_far_apart(bar: str) -> None:
    """As with intercepts of their own: the sd of slopes doesn't depend on how far they are."""
    found = {}
    for far in (10.0, 1e9):
        fit = hm.Model(f"y ~ x + {bar}", frame(seed=4, rows=300, far=far)).fit(
            seed=1, chains=2, warmup=300, draws=500
        )
        posterior = fit.data.posterior
        sd = posterior["sd_g"].sel(g_effect="x")
        found[far] = np.array([float(sd.mean()), float(posterior["sigma"].mean())])
        assert int(fit.data.sample_stats["diverging"].sum()) == 0
    np.testing.assert_allclose(found[1e9], found[10.0], rtol=0.2)
