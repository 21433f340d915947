"""Marginal means, contrasts and their standard errors as the R package emmeans prints them.

Draws are points that have, exactly, the mean and covariance of the estimates that R finds: those of
maximum (restricted) likelihood, worked out with dense matrices here. What is tested is what an
answer makes of them.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, optimize, special, stats

import hiermix as hm
from hiermix.typing import FloatArray

# Yates (1935): yields of oats by block, variety and nitrogen (0, 0.2, 0.4, 0.6 cwt an acre).
YIELDS = {
    "I": ([111, 130, 157, 174], [117, 114, 161, 141], [105, 140, 118, 156]),
    "II": ([61, 91, 97, 100], [70, 108, 126, 149], [96, 124, 121, 144]),
    "III": ([68, 64, 112, 86], [60, 102, 89, 96], [89, 129, 132, 124]),
    "IV": ([74, 89, 81, 122], [64, 103, 132, 133], [70, 89, 104, 117]),
    "V": ([62, 90, 100, 116], [80, 82, 94, 126], [63, 70, 109, 99]),
    "VI": ([53, 74, 118, 113], [89, 82, 86, 104], [97, 99, 119, 121]),
}
VARIETIES = ("Victory", "Golden Rain", "Marvellous")
LEFT_OUT = [1, 2, 3, 5, 8, 13, 21, 34, 55]
"""Rows that the vignette leaves out, counted from 1, so that the design is not balanced."""

# Tippett (1950): breaks of yarn by wool and tension.
BREAKS = {
    ("A", "L"): [26, 30, 54, 25, 70, 52, 51, 26, 67],
    ("A", "M"): [18, 21, 29, 17, 12, 18, 35, 30, 36],
    ("A", "H"): [36, 21, 24, 18, 10, 43, 28, 15, 26],
    ("B", "L"): [27, 14, 29, 19, 29, 31, 41, 20, 44],
    ("B", "M"): [42, 26, 19, 16, 39, 28, 21, 39, 29],
    ("B", "H"): [20, 21, 24, 17, 13, 15, 15, 16, 28],
}


def oats() -> pd.DataFrame:
    rows = [
        (block, variety, nitro, yields[place][k])
        for block, yields in YIELDS.items()
        for place, variety in enumerate(VARIETIES)
        for k, nitro in enumerate((0.0, 0.2, 0.4, 0.6))
    ]
    frame = pd.DataFrame(rows, columns=["Block", "Variety", "nitro", "yield_"])
    return frame.drop(index=[row - 1 for row in LEFT_OUT]).reset_index(drop=True)


def warpbreaks() -> pd.DataFrame:
    rows = [(wool, tension, y) for (wool, tension), ys in BREAKS.items() for y in ys]
    frame = pd.DataFrame(rows, columns=["wool", "tension", "breaks"])
    order = pd.CategoricalDtype(["L", "M", "H"])
    return frame.assign(tension=frame["tension"].astype(order))


@dataclass(frozen=True)
class Estimate:
    b: FloatArray
    covariance: FloatArray
    sds: FloatArray


def reml(y: FloatArray, X: FloatArray, Zs: list[FloatArray]) -> Estimate:
    """Restricted maximum likelihood, with dense matrices."""

    def parts(log_sds: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        *between, sigma = np.exp(2 * log_sds)
        V = sigma * np.eye(len(y)) + sum(v * Z @ Z.T for v, Z in zip(between, Zs, strict=True))
        W = np.linalg.inv(V)
        precision = X.T @ W @ X
        b = np.linalg.solve(precision, X.T @ W @ y)
        rest = y - X @ b
        minus = np.linalg.slogdet(V)[1] + np.linalg.slogdet(precision)[1] + rest @ W @ rest
        return minus, b, np.linalg.inv(precision)

    start = np.full(len(Zs) + 1, np.log(y.std() / 2))
    found = optimize.minimize(lambda at: parts(at)[0], start, method="Nelder-Mead",
                              options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000})  # fmt: skip
    _, b, covariance = parts(found.x)
    return Estimate(b, covariance, np.exp(found.x))


def fit_at(model: hm.Model, found: Estimate, sds: dict[str, float], sigma: float) -> hm.Fit:
    """Return a fit whose draws have exactly this mean and covariance: two along each axis."""
    root = np.linalg.cholesky(found.covariance) * np.sqrt(len(found.b))
    points = np.concatenate([found.b + root.T, found.b - root.T])
    draw = {"chain": [0, 1], "draw": np.arange(len(found.b))}
    shape = (2, len(found.b))
    terms = list(model.design.terms)
    b = xr.DataArray(points.reshape(*shape, -1), {**draw, "term": terms})
    posterior = {"Intercept": b.sel(term="Intercept", drop=True), "b": b.sel(term=terms[1:])}
    if sigma:
        posterior["sigma"] = xr.DataArray(np.full(shape, sigma), draw)
    for each in model.design.groupings:
        effect = {f"{each.name}_effect": ["Intercept"]}
        posterior[f"sd_{each.name}"] = xr.DataArray(
            np.full((*shape, 1), sds[each.name]), draw | effect
        )
        levels = draw | {each.name: each.levels.tolist()} | effect
        posterior[f"r_{each.name}"] = xr.DataArray(np.zeros((*shape, len(each.levels), 1)), levels)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})
    tree.attrs["seed"] = 1
    return hm.Fit(model, tree)


def se(answer: object) -> FloatArray:
    """Return standard errors: the sd of all points, and not that of a sample of them."""
    draws = answer.draws.to_numpy()  # type: ignore[attr-defined]
    return draws.reshape(-1, draws.shape[-1]).std(axis=0)


@pytest.fixture(scope="module")
def of_oats() -> hm.Fit:
    data = oats()
    model = hm.Model("yield_ ~ Variety + C(nitro) + (1 | Block / Variety)", data)
    plots = pd.get_dummies(data["Block"] + data["Variety"]).to_numpy(float)
    blocks = pd.get_dummies(data["Block"]).to_numpy(float)
    found = reml(data["yield_"].to_numpy(float), model.design.X(), [blocks, plots])
    sds = dict(zip(["Block", "Block:Variety"], found.sds[:2], strict=True))
    return fit_at(model, found, sds, found.sds[2])


def test_means_of_oats(of_oats: hm.Fit) -> None:
    """emmeans' vignette on sophisticated models; its standard errors are Kenward and Roger's."""
    answer = of_oats.means("nitro")
    means = answer.table()["estimate"].to_numpy()
    assert means == pytest.approx([78.89207, 97.03425, 114.19816, 124.06857], abs=2e-4)
    assert se(answer) == pytest.approx([7.294, 7.136, 7.136, 7.070], rel=0.01)
    steps = of_oats.means("nitro", hypothesis="sequential").table()["estimate"]
    assert steps.to_numpy() == pytest.approx(np.diff(means))
    within = of_oats.comparisons({"nitro": [0.0, 0.6]}, newdata="balanced", by=True)
    assert within.table()["estimate"].to_numpy() == pytest.approx([124.06857 - 78.89207], abs=4e-4)


def test_means_and_contrasts_of_warpbreaks() -> None:
    """emmeans' first example: cell means, their standard errors, pairs of tensions by wool."""
    data = warpbreaks()
    model = hm.Model("breaks ~ wool * tension", data)
    X, y = model.design.X(), data["breaks"].to_numpy(float)
    b = np.linalg.lstsq(X, y, rcond=None)[0]
    variance = ((y - X @ b) ** 2).sum() / (len(y) - X.shape[1])
    found = Estimate(b, variance * np.linalg.inv(X.T @ X), np.empty(0))
    fit = fit_at(model, found, {}, float(np.sqrt(variance)))
    cells = fit.means(["wool", "tension"])
    assert cells.labels["tension"].tolist() == ["L", "M", "H"] * 2
    assert cells.table()["estimate"].to_numpy() == pytest.approx(
        [44.6, 24.0, 24.6, 28.2, 28.8, 18.8], abs=0.05
    )
    assert se(cells) == pytest.approx(np.full(6, 3.65), abs=0.005)
    pairs = fit.means(["wool", "tension"], hypothesis="revpairwise | wool")
    assert pairs.labels["contrast"].tolist() == ["L - M", "L - H", "M - H"] * 2
    assert pairs.table()["estimate"].to_numpy() == pytest.approx(
        [20.556, 20.000, -0.556, -0.556, 9.444, 10.000], abs=0.0006
    )
    assert se(pairs) == pytest.approx(np.full(6, 5.16), abs=0.005)
    # Averaged over tension, as emmeans does with a note on interactions.
    wool = fit.means("wool").table()["estimate"].to_numpy()
    assert wool == pytest.approx([31.0, 25.3], abs=0.05)


def marginal_probability(eta: float, sd: float) -> float:
    def weighed(z: float) -> float:
        return float(special.expit(eta + sd * z) * stats.norm.pdf(z))

    return float(integrate.quad(weighed, -12, 12, epsabs=1e-12)[0])


def test_odds_of_cbpp() -> None:
    """lme4's example: log odds, probabilities of a typical herd, and of the average herd."""
    model = hm.Model("incidence | trials(size) ~ period + (1 | herd)",
                     hm.load_dataset("cbpp"), family="binomial")  # fmt: skip
    b = np.array([-1.3983, -0.9919, -1.1282, -1.5797])  # glmer, Laplace
    sd = 0.6421
    fit = fit_at(model, Estimate(b, 1e-12 * np.eye(4), np.empty(0)), {"herd": sd}, 0.0)
    eta = b[0] + np.array([0.0, *b[1:]])
    odds = fit.means("period", over="typical group", scale="odds ratio", hypothesis="reference")
    assert odds.null == 1
    assert odds.labels["contrast"].tolist() == [f"odds({k}) / odds(1)" for k in (2, 3, 4)]
    assert odds.table()["estimate"].to_numpy() == pytest.approx(np.exp(b[1:]), rel=1e-4)
    typical = fit.means("period", over="typical group").table()["estimate"].to_numpy()
    assert typical == pytest.approx([0.1981, 0.0840, 0.0740, 0.0484], abs=1e-4)
    average = fit.means("period").table()["estimate"].to_numpy()
    assert average == pytest.approx([marginal_probability(each, sd) for each in eta], abs=1e-6)
    linear = fit.means("period", scale="linear", hypothesis="pairwise").table()["estimate"]
    by_hand = [high - low for low, high in itertools.combinations(eta, 2)]
    assert linear.to_numpy() == pytest.approx(by_hand, abs=1e-6)
