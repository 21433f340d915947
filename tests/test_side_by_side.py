"""Many fits in processes and on a Dask cluster: the numbers and the warnings of fits in turn."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import ignored_warnings, warn
from hiermix.side_by_side import Workers

FIT = {"seed": 1, "chains": 2, "warmup": 100, "draws": 50, "progress": False}
quiet = pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")  # few draws


def frame(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    shop = rng.integers(0, 6, rows)
    x = rng.normal(size=rows)
    y = x + 0.5 * shop + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "shop": shop, "day": np.arange(rows) // 6,
                         "sold": (y > 1).astype(int)})  # fmt: skip


def models() -> dict[str, hm.Model]:
    return {
        "one": hm.Model("y ~ x + (1 | shop)", frame()),
        "two": hm.Model("sold ~ x + (1 | shop)", frame(), family="bernoulli"),
    }


@pytest.fixture(scope="module")
def in_turn() -> dict[str, hm.Fit]:
    with ignored_warnings():
        return hm.fit_many(models(), **FIT)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    options = {"processes": False, "threads_per_worker": 2, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=1, **options) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


@pytest.fixture(params=["processes", "client"])
def where(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "client":
        return {"client": request.getfixturevalue("client")}
    return {"processes": 2}


def same(one: hm.Fit, other: hm.Fit) -> None:
    for name, values in one.data.posterior.data_vars.items():
        np.testing.assert_array_equal(values, other.data.posterior[name])


@quiet
def test_many_fits_have_the_numbers_of_fits_in_turn(
    in_turn: dict[str, hm.Fit], where: dict[str, Any]
) -> None:
    found = hm.fit_many(models(), **FIT, **where)
    assert list(found) == ["one", "two"]
    for name, fit in found.items():
        same(fit, in_turn[name])
        assert isinstance(fit.model, hm.Model)


@quiet
@pytest.mark.slow
def test_folds_have_them_too(in_turn: dict[str, hm.Fit], client: Any) -> None:
    fit = in_turn["one"]
    expected, found = (fit.kfold(groups="shop", folds=2, client=each) for each in (None, client))
    np.testing.assert_allclose(found.elpd_i, expected.elpd_i, rtol=1e-12)
    close = pytest.approx([expected.elpd, expected.se, expected.p], rel=1e-12)
    assert [found.elpd, found.se, found.p] == close


@quiet
@pytest.mark.slow
def test_and_so_have_poolings_and_back_tests(client: Any) -> None:
    formula, data = "y ~ x + (1 | shop)", frame()
    one, other = (hm.pooling(formula, data, **FIT, **each) for each in ({}, {"client": client}))
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-12)
    study = partial(hm.backtest, "y ~ x + (1 | shop)", data, time="day", horizon=2, origins=2,
                    **FIT)  # fmt: skip
    pd.testing.assert_frame_equal(study().scores, study(client=client).scores, rtol=1e-12)


def test_an_error_in_a_worker_is_that_of_the_model(client: Any) -> None:
    with pytest.raises(hm.ArgumentError, match="adapt_delta"):
        hm.fit_many(models(), adapt_delta=7.0, client=client)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client": 1, "processes": 1}, "client= and processes= exclude each other"),
        ({"client": "tcp://there"}, "client must be a dask.distributed.Client, not 'tcp://there'"),
        ({"processes": 0}, "processes must be a whole number from 1 up, not 0"),
        ({"models": {"one": "y ~ x"}}, "takes models by name: 'one' is a str"),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], message: str) -> None:
    given = {"models": models(), **options}
    with pytest.raises(hm.ArgumentError, match=message):
        hm.fit_many(given.pop("models"), **given)


# Tasks --------------------------------------------------------------------------------------------


def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def telling(number: int) -> int:
    warn(f"task {number}")
    with ignored_warnings(hm.HiermixWarning):
        warn("not for anybody")
    return number


def dying() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_and_warnings_come_in_order(where: dict[str, Any]) -> None:
    workers = Workers(**where)
    with pytest.warns(hm.HiermixWarning) as caught:
        assert workers.run([partial(telling, number) for number in range(3)]) == [0, 1, 2]
    assert [str(each.message) for each in caught] == ["task 0", "task 1", "task 2"]


def test_ctrl_c_leaves_no_process() -> None:
    before = set(multiprocessing.active_children())
    threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Workers(processes=2).run([partial(slow, 60.0)] * 4)
    assert time.monotonic() - start < 30
    deadline = time.monotonic() + 10
    while set(multiprocessing.active_children()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(multiprocessing.active_children()) <= before


def test_a_process_that_dies_is_an_error() -> None:
    with pytest.raises(hm.EngineError, match="a process ended"):
        Workers(processes=1).run([dying])


# What travels -------------------------------------------------------------------------------------


def objects(fit: hm.Fit) -> dict[str, Any]:
    """One of everything that users hold."""
    data = frame()
    rows = data.head(4)
    statistics = hm.statistics("y ~ x + (1 | shop)", data)
    cells = hm.statistics("sold ~ 1 + (1 | shop)", data, family="bernoulli")
    return {
        "Model": fit.model, "Fit": fit, "Statistics": statistics, "MergedRows": cells,
        "Group": hm.Group("shop", "1"), "from_statistics": hm.Model.from_statistics(statistics),
        "cost": fit.model.cost(chains=1), "predictions": fit.predictions(),
        "means": fit.means("shop"), "comparisons": fit.comparisons("x"),
        "slopes": fit.slopes("x"), "levels": fit.levels("shop"),
        "ranks": fit.ranks("shop"), "forecast": fit.forecast(rows), "loo": fit.loo(),
        "predict": fit.predict(rows), "hypothesis": fit.hypothesis("x > 0"),
        "variance": fit.variance_table(), "plot": fit.plot_groups("shop").data,
    }  # fmt: skip


@quiet
def test_every_public_object_pickles(in_turn: dict[str, hm.Fit]) -> None:
    for name, each in objects(in_turn["one"]).items():
        again = pickle.loads(pickle.dumps(each))
        assert type(again) is type(each), name
        if name != "cost":  # it measures
            assert repr(again) == repr(each), name


CLASSES = [name for name in hm.__all__ if isinstance(getattr(hm, name), type)]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_and_error_is_found_again(name: str) -> None:
    kind: type = getattr(hm, name)
    assert pickle.loads(pickle.dumps(kind)) is kind
    if issubclass(kind, hm.HiermixError):
        error: Callable[[str], Exception] = kind
        assert str(pickle.loads(pickle.dumps(error("what is wrong")))) == "what is wrong"
