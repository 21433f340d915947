"""What a fit says of itself, on trees whose faults are known because they were put there."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import hiermix as hm
from hiermix.posterior import diagnostics, summary

CHAINS, DRAWS = 4, 500


def normal(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(CHAINS, DRAWS, *shape))


def tree(
    posterior: dict[str, np.ndarray] | None = None,
    stats: dict[str, np.ndarray] | None = None,
    **attrs: Any,
) -> xr.DataTree:
    """A healthy fit of ``y ~ x + (1 | g)`` with 400 groups, but for what is asked for."""
    size = CHAINS, DRAWS
    draws = {
        "Intercept": normal(seed=2), "b": normal(1, seed=3), "sigma": np.exp(normal(seed=4) / 9),
        "sd_g": 1 + np.abs(normal(1, seed=5)) / 9, "r_g": normal(400, 1, seed=6),
    } | (posterior or {})  # fmt: skip
    dims = {"b": ("term",), "sd_g": ("g_effect",), "r_g": ("g", "g_effect")}
    data = xr.Dataset(
        {name: (("chain", "draw", *dims.get(name, ())), each) for name, each in draws.items()},
        coords={"term": ["x"], "g_effect": ["Intercept"], "g": [f"l{k}" for k in range(400)],
                "chain": range(CHAINS)},
    )  # fmt: skip
    sampler = {"diverging": np.zeros(size, bool), "tree_depth": np.full(size, 4),
               "lp": normal(seed=7)} | (stats or {})  # fmt: skip
    found = xr.DataTree.from_dict({
        "posterior": data,
        "sample_stats": xr.Dataset({n: (("chain", "draw"), v) for n, v in sampler.items()}),
    })  # fmt: skip
    found.attrs |= {
        "family": "gaussian", "program": "poisson", "adapt_delta": 0.8, "max_treedepth": 10,
        "prior_only": 0, "priors": json.dumps({"b[x]": "normal(0, 1)"}), "options": "{}",
    } | attrs  # fmt: skip
    return found


def said(fit: xr.DataTree) -> str:
    return "\n".join(diagnostics.of_sampling(fit).values())


def test_nothing_is_said_of_independent_draws() -> None:
    assert diagnostics.of_fit(tree()) == {}
    for seed in range(30):  # short runs: noise of R-hat is no disagreement
        values = np.random.default_rng(seed).standard_cauchy((2, 100))
        short = xr.DataTree.from_dict({
            "posterior": xr.Dataset({"b": (("chain", "draw"), values)}),
            "sample_stats": xr.Dataset({"diverging": (("chain", "draw"), values > np.inf)}),
        })  # fmt: skip
        assert diagnostics.of_sampling(short) == {}


def test_divergences_are_counted_where_they_are() -> None:
    sd = np.abs(normal(1, seed=8))
    diverging = sd[..., 0] < np.quantile(sd, 0.01)
    text = said(tree({"sd_g": sd}, {"diverging": diverging}))
    assert text == (
        "20 draws of 2,000 diverged where sd_g[Intercept] is small: the sampler missed a part of "
        "the posterior. Raise adapt_delta to 0.99, or give the sds a tighter prior."
    )
    careful = said(tree({"sd_g": sd}, {"diverging": diverging}, adapt_delta=0.99))
    assert careful.endswith("of the posterior. Give the sds a tighter prior.")
    anywhere = np.zeros((CHAINS, DRAWS), bool)
    anywhere[1, 10:400:20] = True
    assert "20 draws of 2,000 diverged: " in said(tree({}, {"diverging": anywhere}))


def test_deep_trees_are_counted() -> None:
    depth = np.full((CHAINS, DRAWS), 4)
    depth[2, :7] = 10
    assert said(tree({}, {"tree_depth": depth})).startswith("7 draws reached max_treedepth=10: ")


def test_one_group_effect_of_hundreds_is_found() -> None:
    r = normal(400, 1, seed=6)
    r[2, :, 317] += 0.9
    assert said(tree({"r_g": r})).startswith(
        "the chains disagree about r_g[l317, Intercept] (R-hat"
    )
    r[2, :, 317] -= 0.9
    drift = np.cumsum(np.random.default_rng(9).normal(size=(CHAINS, DRAWS)), axis=1)
    r[:, :, 20, 0] = drift / drift.std()
    assert "r_g[l20, Intercept]" in said(tree({"r_g": r}))
    assert "fewer than 200 effective draws of r_g[l20, Intercept]:" in said(tree({"r_g": r}))


def test_advice_fits_what_is_wrong() -> None:
    b = normal(1, seed=3)
    b[0] += 0.35
    assert said(tree({"b": b})).endswith("fit with more warmup and draws.")
    b[0] += 0.6
    text = said(tree({"b": b}))
    assert "more of them seldom help" in text
    assert "parameterisation='noncentered'" in text
    integrated = said(tree({"b": b}, program="random_slope"))
    assert "parameterisation" not in integrated


def test_modes_of_unequal_density_are_said() -> None:
    b, lp = normal(1, seed=3), normal(seed=7)
    b[[1, 3]] += 12
    level = tree({"b": b}, {"lp": lp})
    assert "sit in different modes of the posterior, of b[x] (R-hat up to" in said(level)
    assert "how much each of them weighs is not known" in said(level)
    lp[[1, 3]] -= 9
    text = said(tree({"b": b}, {"lp": lp}))
    assert "differ, by 9" in text or "differ, by 8.9" in text
    assert "lower in chains 1, 3" in text
    at_once = diagnostics.of_sampling(tree({"b": b}, {"lp": lp}))
    assert at_once["chains"] == diagnostics.of_fit(tree({"b": b}, {"lp": lp}))["chains"]
    assert at_once.keys() <= diagnostics.of_fit(tree({"b": b}, {"lp": lp})).keys()


def test_chains_that_never_moved_are_summarised() -> None:
    """Each at a place of its own: within a chain nothing varies, and R-hat is infinite."""
    values = np.repeat(np.arange(1.0, CHAINS + 1)[:, None], 8, axis=1)
    stuck = xr.DataTree.from_dict({
        "posterior": xr.Dataset({"sigma": (("chain", "draw"), values)}),
    })  # fmt: skip
    row = summary.table(stuck, ["sigma"], 0.95).loc["sigma"]
    assert row["mean"] == pytest.approx(2.5)
    assert row["r_hat"] > 1e6


def test_an_sd_that_may_be_zero_has_an_upper_end() -> None:
    sd = np.abs(normal(1, seed=5))
    (text,) = diagnostics.of_fit(tree({"sd_g": sd})).values()
    assert text.startswith(f"sd of Intercept by g may be zero; up to {np.quantile(sd, 0.95):.2g} ")


def test_an_intercepts_sd_is_judged_where_its_prior_holds() -> None:
    """Effects at x = 2,000 are next to none; those at x = 0 are what slopes make of 2,000 years."""
    at_mean, slope, mean = np.abs(normal(seed=5)), 1 + np.abs(normal(seed=8)) / 9, 2000.0
    root = np.array([[1.0, -mean], [0.0, 1.0]])
    Lambda = root @ (np.stack([at_mean, slope], axis=-1)[..., None] * np.eye(2))
    sigma = Lambda @ Lambda.swapaxes(-1, -2)
    sd = np.sqrt(np.diagonal(sigma, axis1=-2, axis2=-1))
    cor = (sigma[..., 0, 1] / sd.prod(axis=-1))[..., None]
    moved = tree()
    effects, draws = ("chain", "draw", "g_effect"), ("chain", "draw", "g_pair")
    moved["posterior"] = xr.DataTree(
        moved["posterior"]
        .dataset.drop_dims("g_effect")
        .assign(
            sd_g=xr.DataArray(sd, {"g_effect": ["Intercept", "x"]}, effects),
            cor_g=xr.DataArray(cor, {"g_pair": ["Intercept, x"]}, draws),
            r_g=xr.DataArray(normal(400, 2, seed=6), dims=("chain", "draw", "g", "g_effect")),
        )
    )
    moved.attrs["origins"] = json.dumps({"g": [0.0, mean]})
    (text,) = diagnostics.of_answers(moved)
    assert text.startswith(
        "sd of Intercept by g at the mean of the bar's columns may be zero; up to "
        f"{np.quantile(at_mean, 0.95):.2g} "
    )
    moved.attrs["origins"] = json.dumps({"g": [0.0, 0.0]})
    assert not diagnostics.of_answers(moved)


@pytest.mark.parametrize(
    ("family", "name", "simpler"),
    [
        ("negative_binomial", "shape", "Poisson"),
        ("hurdle_negative_binomial", "shape", "Hurdle-Poisson"),
        ("beta_binomial", "phi", "Binomial"),
    ],
)
def test_a_simpler_family_will_do(family: str, name: str, simpler: str) -> None:
    endless = normal(seed=11) ** -2
    (text,) = diagnostics.of_fit(tree({name: endless}, family=family)).values()
    assert text.startswith(f"{name} may be infinite; at least {np.quantile(endless, 0.05):.2g} ")
    assert f"{simpler} will do" in text
    assert diagnostics.of_fit(tree({name: 3 + normal(seed=11) / 9}, family=family)) == {}


def test_a_prior_that_the_user_wrote_is_not_remarked() -> None:
    default = tree(family="bernoulli", default_priors=json.dumps(["b[x]"]))
    (text,) = diagnostics.of_fit(default).values()
    assert text.startswith("b[x] sits on its default prior")
    assert diagnostics.of_fit(tree(family="bernoulli", default_priors="[]")) == {}


def test_a_fit_warns_when_it_ends_and_prints_it(tmp_path: Any) -> None:
    """A funnel of eight schools' kind, sampled carelessly on purpose."""
    frame = pd.DataFrame({"y": [28, 8, -3, 7, -1, 1, 18, 12.0], "g": list("abcdefgh")})
    frame = pd.concat([frame, frame.assign(y=frame["y"] + [1, -1] * 4)])
    model = hm.Model("y ~ 1 + (1 | g)", frame, effects="sampled", parameterisation="centered")
    with pytest.warns(hm.HiermixWarning) as caught:
        fit = model.fit(seed=1, warmup=20, draws=60, adapt_delta=0.3)
    messages = [str(each.message) for each in caught]
    assert len(messages) == len(set(messages))
    assert all(each.filename == __file__ for each in caught), "it points at the user's line"
    for message in messages:
        assert f"! {message}" in repr(fit) or "effective draws" in message
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    assert diagnostics.of_fit(again.data) == diagnostics.of_fit(fit.data)
