"""Encoders of categories with many levels: log loss of what is trained on them, processor time.

Simulated: three columns of thousands of levels, some with one row, whose effects are normal on the
logit scale; beside them two numbers. An encoder is trained with what follows on half of the rows
and scored on the other half, of which some levels are new. ``oracle`` knows the effects.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

LEVELS = {"user": 6000, "shop": 2000, "city": 300}
FEWER = {"user": 400, "shop": 150, "city": 30}
"""For GLMMEncoder, whose time grows with the square of rows times levels."""
GLMM = ("GLMMEncoder", "GLMMEncoder, 5 folds")
SPREAD = {"user": 1.0, "shop": 0.7, "city": 0.5}


def simulate(
    rows: int, seed: int, sizes: Mapping[str, int] = LEVELS
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return predictors, the response, and its true logit."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 2)), columns=["x", "z"])
    eta = -0.8 + 0.5 * frame["x"].to_numpy() - 0.3 * frame["z"].to_numpy()
    for name, levels in sizes.items():
        share = rng.dirichlet(np.full(levels, 0.7))
        codes = rng.choice(levels, rows, p=share)
        frame[name] = [f"{name}{code}" for code in codes]
        eta += rng.normal(0, SPREAD[name], levels)[codes]
    return frame, (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(int), eta


def encoders() -> dict[str, Callable[[], Any]]:
    """Return makers of encoders by name."""
    from category_encoders import GLMMEncoder
    from category_encoders.wrapper import NestedCVWrapper
    from sklearn.preprocessing import TargetEncoder

    from hiermix.sklearn import PooledEncoder

    return {
        "PooledEncoder": lambda: PooledEncoder(random_state=0),
        "PooledEncoder, log odds": lambda: PooledEncoder(scale="linear", random_state=0),
        "PooledEncoder, loo": lambda: PooledEncoder(scale="linear", cv="loo"),
        "PooledEncoder, log odds and sd": lambda: PooledEncoder(
            scale="linear", uncertainty=True, random_state=0
        ),
        "TargetEncoder": lambda: TargetEncoder(random_state=0),
        "GLMMEncoder": lambda: GLMMEncoder(binomial_target=True),
        "GLMMEncoder, 5 folds": lambda: NestedCVWrapper(
            GLMMEncoder(binomial_target=True), cv=5, random_state=0
        ),
    }


def run(
    rows: int = 40_000,
    seed: int = 1,
    skip: tuple[str, ...] = GLMM,
    sizes: Mapping[str, int] = LEVELS,
) -> pd.DataFrame:
    """Return a row an encoder: log loss of a linear model and of boosted trees, seconds."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    frame, y, eta = simulate(rows, seed, sizes)
    train, test = slice(0, rows // 2), slice(rows // 2, None)
    names = list(LEVELS)
    found = {"oracle": {"linear": log_loss(y[test], 1 / (1 + np.exp(-eta[test])))}}
    for name, make in encoders().items():
        if name in skip:
            continue
        encoder, start = make(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inside = np.asarray(encoder.fit_transform(frame[names][train], y[train]))
            outside = np.asarray(encoder.transform(frame[names][test]))
        seconds = time.process_time() - start
        row = {"seconds": seconds}
        for what, model in (
            ("linear", LogisticRegression(C=1e4, max_iter=1000)),
            ("trees", HistGradientBoostingClassifier(max_iter=60, random_state=0)),
        ):
            numbers = frame[["x", "z"]].to_numpy()
            model.fit(np.hstack([numbers[train], inside]), y[train])
            p = model.predict_proba(np.hstack([numbers[test], outside]))[:, 1]
            row[what] = log_loss(y[test], p)
        found[name] = row
    return pd.DataFrame.from_dict(found, orient="index")[["linear", "trees", "seconds"]]


def main() -> None:
    """Print the table, and that of fewer rows and levels with GLMMEncoder beside."""
    print(run().round(4).to_string())
    print(run(4000, skip=(), sizes=FEWER).round(4).to_string())
