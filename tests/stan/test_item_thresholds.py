"""Thresholds of each item: log densities of the program against scipy's."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import compare_gradient, population
from tests.stan.test_log_density import bent, effects, weights, working

pytestmark = pytest.mark.usefixtures("unclimbed")

ROWS, J = 90, 6
LAWS = {"logit": stats.logistic, "probit": stats.norm}
SIZES = {"a": 4, "b": 2, "c": 3}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    item = np.array(list("abc"))[np.arange(ROWS) % 3]
    top = np.array([SIZES[one] for one in item])
    y = 1 + rng.integers(0, 100, ROWS) % top
    y[:3] = top[:3]  # every item has its highest category
    return pd.DataFrame({"y": y, "item": item, "x": rng.normal(size=ROWS),
                         "g": rng.integers(0, J, ROWS)})  # fmt: skip


@pytest.mark.parametrize(
    ("link", "discriminating"), [("logit", False), ("logit", True), ("probit", False),
                                 pytest.param("probit", True, marks=pytest.mark.slow)],
)  # fmt: skip
def test_log_density_equals_scipy(link: str, discriminating: bool) -> None:
    rows, law = frame(), LAWS[link]
    formula = ["y | thres(gr=item) ~ x + (1 | g)", *["disc ~ 0 + x"] * discriminating]
    priors = {"b": "normal(0.2, 2)", "sd": "normal(0.3, 1)", "threshold": "student_t(4, 0.5, 2)"}
    priors |= {"b_disc": "normal(0, 0.5)"} if discriminating else {}
    model = hm.Model(formula, rows, family="ordinal", link=link, priors=priors)
    data, P = model.stan_data(), 2 + discriminating
    assert (data["C"].tolist(), data["item_count"]) == ([4, 2, 3], 3)
    first, _, third = data["anchor"] - 1
    x = rows["x"] - rows["x"].mean()

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        gaps, apart = np.exp(theta[P : P + 3]), theta[P + 3 : P + 5]
        sds, lp = bent(theta[P + 5 :], data["center"][P + 5 :], data["sd_spread"],
                       data["sd_bend"])  # fmt: skip
        b, log_width = population(data, point[: data["D"]], sds, np.eye(1))
        a, c = np.cumsum([0, *gaps[:2]]), np.array([0, gaps[2]])
        cuts = {"a": a - a[first], "b": apart[:1], "c": c - c[third] + apart[1]}
        every = np.concatenate(list(cuts.values())) - b[0]
        lp += stats.t(4, 0.5, 2).logpdf(every).sum() + theta[P : P + 3].sum()
        lp += np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sds) + np.log(sds))
        lp += stats.norm(0.2, 2).logpdf(b[1])
        disc = np.ones(ROWS)
        if discriminating:
            lp += stats.norm(0, 0.5).logpdf(b[2])
            disc = np.exp(b[2] * rows["x"])
        d, R = b - data["b_hat"], working(data, theta)
        r, lp_r, _ = effects(weights(data, theta), R, np.diag(sds), d, z[None], data["share"], 0.0)
        eta = b[1] * x + r[rows["g"], 0]
        for n, row in enumerate(rows.itertuples()):
            bound = np.concatenate([[-np.inf], cuts[row.item] - b[0], [np.inf]])
            low, high = disc[n] * (bound[row.y - 1 : row.y + 1] - eta[n])
            far = low > 0  # by the upper tail, where the difference keeps its digits
            lp += np.log(law.sf(low) - law.sf(high) if far else law.cdf(high) - law.cdf(low))
        return float(lp + lp_r + log_width)

    at = np.random.default_rng(5).normal(0, 0.5, (20, int(data["D"]) + J))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    np.testing.assert_allclose(found, [reference(point) for point in at], rtol=1e-10)
    compare_gradient(model, at[:3], gradient[:3])
