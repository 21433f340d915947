"""Models and fits in threads and other processes: they travel, and leave the process as it was.

Numbers that come back from elsewhere are compared, to the last bit, with those of the same fit
made here: same seed, same draws.
"""

import copy
import io
import logging
import multiprocessing
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.families.table import FAMILIES

SETTINGS = {"chains": 2, "warmup": 60, "draws": 40, "engine": "embedded"}
RESPONSES = {
    "gaussian": "y", "student_t": "y", "skew_normal": "y", "exgaussian": "y", "lognormal": "time",
    "shifted_lognormal": "time", "inverse_gaussian": "time", "von_mises": "angle",
    "gamma": "time", "hurdle_gamma": "amount", "tweedie": "amount",
    "hurdle_lognormal": "amount", "beta": "share",
    "zero_inflated_beta": "part", "zero_one_inflated_beta": "part",
    "zero_inflated_binomial": "k | trials(n)", "geometric": "k",
    "weibull": "time", "exponential": "time", "bernoulli": "yes", "binomial": "k | trials(n)",
    "beta_binomial": "k | trials(n)", "poisson": "k", "negative_binomial": "k",
    "zero_inflated_poisson": "k", "zero_inflated_negative_binomial": "k", "hurdle_poisson": "k",
    "hurdle_negative_binomial": "k", "ordinal": "grade", "sratio": "grade",
    "cratio": "grade", "acat": "grade", "categorical": "label", "multinomial": "c(k, m, n)",
}  # fmt: skip
ALL = [*RESPONSES]
OF_EACH_KIND = {"gaussian", "student_t", "binomial", "hurdle_poisson", "ordinal", "categorical"}
COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "deepcopy": copy.deepcopy,
    "cloudpickle": lambda one: pickle.loads(cloudpickle.dumps(one)),
}
copies = pytest.mark.parametrize("how", COPIES)


def frame(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    site = rng.integers(0, 6, 80)
    y = 0.5 * rng.normal(size=6)[site] + rng.normal(size=80)
    return pd.DataFrame({
        "x": rng.normal(size=80), "site": [f"site {i}" for i in site], "y": y,
        "time": np.exp(y), "share": 1 / (1 + np.exp(-y)), "yes": (y > 0).astype(int),
        "k": rng.poisson(1.5, 80), "n": 12,
        "amount": np.exp(y) * (y > -0.8), "part": np.maximum(1 / (1 + np.exp(-y)) - 0.2, 0),
        "grade": pd.cut(y, [-9, -0.5, 0.5, 9], labels=["low", "mid", "high"]),
        "angle": np.clip(y, -3, 3),
        "label": np.where(y > 0.5, "red", np.where(y < -0.5, "blue", "green")),
        "m": rng.poisson(2.0, 80),
    })  # fmt: skip


def model(family: str, seed: int = 1) -> hm.Model:
    formula = f"{RESPONSES[family]} ~ x + (x | site)"
    return hm.Model(formula, frame(seed), family=family)


def fit(family: str, seed: int = 1) -> hm.Fit:
    return model(family, seed).fit(seed=seed, **SETTINGS)


@cache
def here(family: str) -> hm.Fit:
    """Return the fit made in this process."""
    return fit(family)


def work(family: str) -> hm.Fit:
    """Fit in a worker."""
    return fit(family)


def same(one: hm.Fit, other: hm.Fit) -> None:
    new = frame(2)
    for kind in ("mean", "response"):
        first, second = (each.predict(new, kind=kind) for each in (one, other))
        np.testing.assert_array_equal(first.to_numpy(), second.to_numpy())
    assert repr(one.model) == repr(other.model)
    assert one.data.attrs["formula"] == other.data.attrs["formula"]


# Copies.


def test_every_family_is_here() -> None:
    assert set(ALL) == set(RESPONSES) == set(FAMILIES)


@pytest.mark.parametrize(
    ("family", "how"),
    [
        pytest.param(family, how, marks=() if quick else pytest.mark.slow)
        for family in ALL
        for how in COPIES
        for quick in [how == "pickle" or family in OF_EACH_KIND]
    ],
)
def test_a_fit_of_every_family_travels(family: str, how: str) -> None:
    same(COPIES[how](here(family)), here(family))


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=() if family in OF_EACH_KIND else pytest.mark.slow)
        for family in ALL
    ],
)
def test_a_model_that_travelled_gives_the_same_draws(family: str) -> None:
    sent: hm.Model = COPIES["pickle"](model(family))
    same(sent.fit(seed=1, **SETTINGS), here(family))


FORMULAS = [
    "y ~ trend(n2) + fourier(n2, period=7, order=1) + (1 | site)",
    "y ~ bs(x, df=4) + poly(n2, 2) + (1 | site)",
    "y ~ scale(n2) + np.exp(x) + C(label) + (1 + x || site) + (1 | site:label)",
    "y ~ 0 + label + I(x ** 2) + offset(n2) + (0 + x | site)",
]


@copies
@pytest.mark.parametrize("formula", FORMULAS)
def test_states_of_transforms_travel(formula: str, how: str) -> None:
    data = frame().assign(n2=np.linspace(0.0, 30.0, 80))
    design = hm.Model(formula, data).design
    sent = COPIES[how](design)
    new = data.iloc[::-3].assign(n2=3.0)
    np.testing.assert_array_equal(sent.on(new).X(), design.on(new).X())
    assert sent.terms == design.terms


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """One of everything public that holds results."""
    data = frame().assign(t=np.arange(80) // 6)
    pooled = hm.pooling("y ~ x + (1 | site)", data, seed=1, **SETTINGS)
    by_time = hm.Model("y ~ t + (1 | site)", data).fit(seed=1, **SETTINGS)
    forecast = by_time.forecast(
        pd.DataFrame({"t": [20, 21], "site": "site 1"}), time="t", by="site"
    )
    back = hm.backtest(
        "y ~ t + (1 | site)", data.drop_duplicates(["site", "t"]), time="t", horizon=2, origins=1,
        seed=1, **SETTINGS,
    )  # fmt: skip
    return {
        "Pooling": pooled, "Forecast": forecast, "Backtest": back, "Plot": forecast.plot(),
        "ELPDData": pooled.loo["partial"], "Group": hm.Group("site", "x"),
        "DataTree": by_time.data, "priors": by_time.model.priors,
    }  # fmt: skip


@copies
@pytest.mark.parametrize(
    "name", ["Pooling", "Forecast", "Backtest", "Plot", "ELPDData", "Group", "DataTree", "priors"]
)
@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_results_travel(results: dict[str, Any], name: str, how: str) -> None:
    assert repr(COPIES[how](results[name])) == repr(results[name])


def errors() -> Iterator[Exception]:
    attempts: list[Callable[[], object]] = [
        lambda: hm.Model("y ~ (x | site", frame()),
        lambda: hm.Model("y ~ zz + (1 | site)", frame()),
        lambda: hm.Model("y ~ x + (1 | site)", frame(), priors={"b": "nrmal(0, 1)"}),
        lambda: model("poisson").fit(chains=0),
        lambda: model("poisson").fit(engine="none"),
    ]
    for attempt in attempts:
        with pytest.raises(hm.HiermixError) as caught:
            attempt()
        yield caught.value


@copies
def test_errors_travel(how: str) -> None:
    """One that can't be read again breaks the whole pool of workers."""
    for error in (*errors(), hm.EngineError("no"), hm.HiermixWarning("maybe")):
        sent = COPIES[how](error)
        assert (type(sent), str(sent)) == (type(error), str(error))


# Other processes.


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize(
    "start", ["spawn", "fork", pytest.param("forkserver", marks=pytest.mark.slow)]
)
def test_fits_come_back_from_worker_processes(start: str) -> None:
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system starts no process by {start}")
    families = ["gaussian", "ordinal", "weibull"]
    wanted = [here(family) for family in families]
    context = multiprocessing.get_context(start)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        for one, other in zip(pool.map(work, families), wanted, strict=True):
            same(one, other)


def test_fits_come_back_from_loky() -> None:
    from joblib import Parallel, delayed

    families = ["student_t", "categorical"]
    found = Parallel(n_jobs=2, backend="loky")(delayed(work)(each) for each in families)
    for one, family in zip(found, families, strict=True):
        same(one, here(family))


@pytest.mark.slow
def test_fits_come_back_from_dask() -> None:
    import dask

    families = ["student_t", "poisson"]
    found = dask.compute(*[dask.delayed(work)(each) for each in families], scheduler="processes")
    for one, family in zip(found, families, strict=True):
        same(one, here(family))


# Threads.


def state() -> dict[str, object]:
    """Return what belongs to the whole process and a fit could leave changed."""
    return {
        "stdout": sys.stdout, "stderr": sys.stderr, "ignores": ignores_everything(),
        "show": warnings.showwarning, "random": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "errors": np.geterr(), "log": logging.getLogger("hiermix").handlers[:],
    }  # fmt: skip


def ignores_everything() -> bool:
    """Say whether the filter stands that hiermix sets for a while; others' libraries set theirs."""
    return any(each[:3] == ("ignore", None, Warning) for each in warnings.filters)


def test_fits_in_threads_are_those_in_turn_and_leave_the_process_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the bar on, which once stood in the place of sys.stdout."""
    alone = [fit("gaussian", seed).data["posterior"] for seed in range(3)]
    out, bars = io.StringIO(), io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", bars)
        before = state()

        def one(seed: int) -> Any:
            found = model("gaussian", seed).fit(seed=seed, progress=True, **SETTINGS)
            print(f"fit {seed}")
            return found.data["posterior"]

        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(one, range(3)))
        assert state() == before
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first["sigma"], second["sigma"])
    assert sorted(out.getvalue().splitlines()) == [f"fit {seed}" for seed in range(3)]
    assert "sampling 2 chains" in bars.getvalue()


def test_models_and_what_they_print_in_threads_leave_the_filters_of_warnings() -> None:
    """Building a design once changed them without taking turns."""
    before = ignores_everything()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: repr(model("poisson", seed)), range(20)))
        list(pool.map(lambda _: repr(here("gaussian")), range(8)))
    assert ignores_everything() == before
