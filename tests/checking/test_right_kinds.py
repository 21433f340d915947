"""`Fit.check` of right models of every kind: no false alarm, and what is not looked at is said."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

J, N = 20, 120


def panel(rng: np.random.Generator) -> pd.DataFrame:
    """Rows of `J` groups in turn, of numbers, labels, and what is expected of them."""
    g = np.arange(N) % J
    frame = pd.DataFrame({
        "g": g, "t": np.arange(N) // J, "arm": np.where(g < J // 2, "a", "b"),
        "x": rng.normal(size=N), "z": rng.normal(size=N), "step": rng.integers(0, 4, N),
        "h": rng.integers(0, 6, N), "h2": rng.integers(0, 6, N), "size": rng.integers(3, 9, N),
        "effect": 0.6 * rng.normal(size=J)[g], "e": rng.normal(size=N),
    })  # fmt: skip
    return frame.assign(eta=0.3 + 0.5 * frame["x"] + frame["effect"])


def carried_on(d: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Residuals with a correlation of a half from time to time."""
    each = [rng.normal(size=J)]
    for _ in range(1, N // J):
        each.append(0.5 * each[-1] + np.sqrt(0.75) * rng.normal(size=J))
    return np.asarray(d["eta"]) + np.concatenate(each)


def chosen(d: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    p = np.exp(np.column_stack([0 * d["eta"], d["eta"], 0.5 * d["x"]]))
    return np.array([rng.choice(list("abc"), p=each / each.sum()) for each in p])


def rated(d: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    return 1 + np.digitize(d["eta"] + rng.logistic(size=N), [-1, 0.5, 2])


def member(d: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    r = 0.6 * rng.normal(size=6)
    return np.asarray(0.5 * d["x"] + (r[d["h"]] + r[d["h2"]]) / 2 + d["e"])


type Draw = Callable[[pd.DataFrame, np.random.Generator], Any]
KINDS: dict[str, tuple[str | list[str], str, Draw]] = {
    "strata": (["y ~ x + (1 | g)", "sigma ~ arm"], "gaussian",
               lambda d, _: d["eta"] + np.where(d["arm"] == "a", 0.5, 1.2) * d["e"]),
    "sigma by group": (["y ~ x + (1 | g)", "sigma ~ (1 | g)"], "gaussian", lambda d, r: d["eta"]
                       + np.exp(0.4 * r.normal(size=J))[d["g"]] * d["e"]),
    "ar": ("y ~ x + (1 | g) + ar(t, by=g)", "gaussian", carried_on),
    "unstr": ("y ~ x + unstr(t, by=g)", "gaussian", carried_on),
    "smooth": ("y ~ s(z, k=6) + (1 | g)", "gaussian",
               lambda d, _: d["effect"] + np.sin(2 * d["z"]) + d["e"]),
    "offset": ("y ~ x + offset(log(size)) + (1 | g)", "poisson",
               lambda d, r: r.poisson(d["size"] * np.exp(d["eta"]))),
    "rate": ("y | rate(size) ~ x + (1 | g)", "negative_binomial",
             lambda d, r: r.poisson(d["size"] * np.exp(d["eta"]) * r.gamma(3, 1 / 3, N))),
    "memberships": ("y ~ x + (1 | mm(h, h2))", "gaussian", member),
    "groups by arm": ("y ~ x + (1 | gr(g, by=arm))", "gaussian", lambda d, _: 0.5 * d["x"]
                      + np.where(d["arm"] == "a", 0.7, 1.5) * d["effect"] + d["e"]),
    "steps": ("y ~ mo(step) * z + (1 | g)", "gaussian", lambda d, _: d["effect"] + d["e"]
              + 0.4 * d["step"] * (1 + 0.5 * d["z"])),
    "known errors": ("y | se(size, sigma=True) ~ x + (1 | g)", "gaussian", lambda d, r: 9 * d["eta"]
                     + d["size"] * r.normal(size=N) + 3 * d["e"]),
    "items": ("y | thres(gr=arm) ~ x + (1 | g)", "ordinal", rated),
    "ratios": ("y ~ x + (1 | g)", "cratio", rated),
    "categorical": ("y ~ x + (1 | g)", "categorical", chosen),
    "hurdle": ("y ~ x + (1 | g)", "hurdle_gamma", lambda d, r: np.exp(d["eta"])
               * r.gamma(2, 0.5, N) * (r.random(N) > 0.3)),
    "angles": ("y ~ x", "von_mises",
               lambda d, r: np.angle(np.exp(1j * (0.6 * np.arctan(d["x"]) + r.vonmises(0, 3, N))))),
}  # fmt: skip
UNSEEN = {
    "ar": {"pit", "simulated data"}, "unstr": {"pit", "simulated data"}, "categorical": {"pit"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_right_models_are_left_alone(kind: str) -> None:
    """A doubt by chance alone comes with a p-value: one of all these in 30 runs."""
    formula, family, draw = KINDS[kind]
    rng = np.random.default_rng(sum(map(ord, kind)))
    frame = panel(rng)
    frame["y"] = draw(frame, rng)
    fit = hm.Model(formula, frame, family=family).fit(seed=1, draws=1000, progress=False)
    check = fit.check(refits=20)
    doubts = [each for each in check.findings if each.doubtful]
    assert not doubts, [each.text for each in doubts]
    assert set(check.skipped) == UNSEEN.get(kind, set())
