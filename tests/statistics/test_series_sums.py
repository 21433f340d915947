"""Sums of rows that go together: the likelihood is that of the rows, in any pieces, or an error."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.design.design import Design
from hiermix.statistics.series_sums import SeriesSums

FORMULAS: dict[str, Any] = {
    "even": "y ~ x + ar(t, by=g) + (1 + z | g)",
    "dates": "y ~ x * arm + ar(day, by=g) + (1 | site)",
    "months": "y ~ x + ar(month, by=g)",
    "uneven": "y ~ x + offset(z) + ar(u, by=g) + (1 | site)",
    "smooth": "y ~ s(x, k=5) + ar(t, by=g) + (1 | g)",
    "units": "y ~ x + arm * visit + unstr(visit, by=g) + (1 + z | site)",
    "sds of arms": ["y ~ x + ar(t, by=g) + (1 | g)", "sigma ~ arm + late"],
    "sds of visits": ["y ~ x + unstr(visit, by=g)", "sigma ~ visit * arm"],
    "lognormal": "v ~ x + ar(t, by=g) + (1 | site)",
}
AT_POSITIONS = "units", "sds of visits"
FAMILY = {"lognormal": "lognormal"}


def rows() -> pd.DataFrame:
    rng, J, T = np.random.default_rng(2), 10, 8
    data = pd.DataFrame({"g": np.repeat(np.arange(J), T), "t": np.tile(np.arange(T), J)})
    n = len(data)
    data["site"], data["arm"] = data["g"] // 4, np.where(data["g"] % 2, "new", "old")
    data["x"], data["z"] = rng.normal(50, 2, n), rng.normal(size=n)
    data["u"] = data["t"] + 0.4 * rng.random(n)
    data["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * data["t"], unit="D")
    data["month"] = [pd.Timestamp("2024-01-31") + pd.offsets.MonthEnd(t) for t in data["t"]]
    words = ["start", "week 1", "week 4", "end"]
    data["visit"] = pd.Categorical(np.array(words)[data["t"] % 4], words)
    data["late"] = data["t"] > 4
    data["y"] = 1e3 + data["x"] + rng.normal(size=J)[data["g"]] + rng.normal(size=n)
    data["v"] = np.exp(data["y"] / 1e3)
    return data[rng.random(n) > 0.15].reset_index(drop=True)


def rows_of(name: str) -> pd.DataFrame:
    data = rows()
    return data[data["t"] < 4].reset_index(drop=True) if name in AT_POSITIONS else data


def build(name: str, source: Any, **options: Any) -> SeriesSums:
    family = FAMILY.get(name, "gaussian")
    found = hm.statistics(FORMULAS[name], source, family=family, **options)
    assert isinstance(found, SeriesSums)
    return found


def cut(name: str) -> list[pd.DataFrame]:
    """Rows of later times, or of other units."""
    data = rows_of(name)
    by, ends = ("t", (3, 6)) if name not in AT_POSITIONS else ("g", (2, 7))
    piece = np.searchsorted(ends, data[by], side="right")
    return [data[piece == k] for k in range(3)]


def log_likelihood(design: Design, rng: np.random.Generator) -> float:
    """Dense normal densities of all series or, where bundles stand for rows, of these.

    An autoregression is a product of pairs, less the rows that stand in two of them.
    """
    series = design.series
    assert series is not None
    assert design.response is not None
    y = np.log(design.response) if design.response_name == "v" else design.response
    size = np.array([1.0 if label == "Intercept" else 0.1 for label in design.terms])
    e = y - design.X() @ (rng.normal(size=len(size)) * size)
    e = e - design.equations[0].known(design.rows)
    for each in design.groupings:
        effects = rng.normal(size=(len(each.levels), len(each.effects)))
        e = e - np.einsum("nq,nq->n", design.Z(each.name), each.factor.gather(effects))
    log_sd = np.zeros(design.rows)
    if len(design.equations) > 1:
        X = design.X(equation="sigma")
        log_sd = X @ rng.normal(size=X.shape[1])
    e = e / np.exp(log_sd)
    weight = np.ones(design.rows) if design.weights is None else design.weights
    if series.positions:
        B = rng.normal(size=(len(series.positions), 9))
        return _of_units(e, design, B @ B.T) - float(weight @ log_sd)
    rho, sigma = 0.6, 1.3
    row, last, gap = series.before()
    pairs = np.ones(len(row)) if series.weight is None else series.weight[row]
    alone = weight @ (stats.norm.logpdf(e, scale=sigma) - log_sd)
    given = stats.norm.logpdf(e[row], rho**gap * e[last], sigma * np.sqrt(1 - rho ** (2 * gap)))
    return float(alone + pairs @ (given - stats.norm.logpdf(e[row], scale=sigma)))


def _of_units(e: np.ndarray, design: Design, covariance: np.ndarray) -> float:
    series, total = design.series, 0.0
    assert series is not None
    for unit in np.unique(series.unit):
        mine = np.flatnonzero(series.unit == unit)
        at = series.place[mine].astype(int)
        weight = 1.0 if design.weights is None else design.weights[mine[0]]
        total += weight * stats.multivariate_normal.logpdf(e[mine], cov=covariance[np.ix_(at, at)])
    return total


def density(found: SeriesSums, formula: str | None = None) -> float:
    model = hm.Model.from_statistics(found, formula)
    return log_likelihood(model.design, np.random.default_rng(7))


@pytest.mark.parametrize("name", FORMULAS)
def test_few_bundles_have_the_likelihood_of_all_rows(name: str) -> None:
    """Against scipy's densities of every row, of its series so far or its unit."""
    data = rows_of(name)
    expected = hm.Model(FORMULAS[name], data, family=FAMILY.get(name, "gaussian"))
    found = hm.Model.from_statistics(build(name, data))
    assert repr(found).splitlines()[:6] == repr(expected).splitlines()[:6]
    for prior, theirs in zip(found.priors.values(), expected.priors.values(), strict=True):
        np.testing.assert_allclose(prior.arguments, theirs.arguments, rtol=1e-9, atol=1e-9)
    mine, theirs = (log_likelihood(each.design, np.random.default_rng(7))
                    for each in (found, expected))  # fmt: skip
    assert mine == pytest.approx(theirs, rel=1e-10)
    one, other = found.design.series, expected.design.series
    assert one is not None
    assert other is not None
    assert (one.even, one.monthly, one.positions) == (other.even, other.monthly, other.positions)
    assert one.step == pytest.approx(other.step, rel=1e-12)


@pytest.mark.parametrize("name", ["even", pytest.param("units", marks=pytest.mark.slow)])
def test_the_sums_that_a_program_is_handed_are_those_of_the_rows(name: str) -> None:
    data = rows_of(name)
    mine = hm.Model.from_statistics(build(name, data)).stan_data()
    theirs = hm.Model(FORMULAS[name], data).stan_data()
    assert mine.keys() == theirs.keys()
    for each, value in theirs.items():
        if each not in ("K_root", "scale"):  # roots have signs, a search ends near its end
            size = np.abs(value).max(initial=1e-9)
            np.testing.assert_allclose(mine[each], value, atol=1e-8 * size, err_msg=each)


@pytest.mark.parametrize("name", ["months", "uneven", "units"])
def test_rows_may_come_in_any_order_and_batches(name: str) -> None:
    data = rows_of(name)
    expected = density(build(name, data))
    shuffled = data.sample(frac=1, random_state=3)

    def batches(size: int) -> Iterator[pd.DataFrame]:
        yield from (shuffled.iloc[k : k + size] for k in range(0, len(shuffled), size))

    assert density(build(name, data[::-1])) == pytest.approx(expected, rel=1e-11)
    assert density(build(name, lambda: batches(1))) == pytest.approx(expected, rel=1e-11)
    assert density(build(name, lambda: batches(13))) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("name", ["months", "sds of visits", "sds of arms"])
def test_pieces_add_up_in_any_order_and_leave_again(name: str, tmp_path: Path) -> None:
    whole = build(name, rows_of(name))
    a, b, c = (build(name, piece, like=whole) for piece in cut(name))
    expected = density(whole)
    for total in (a + c + b, sum([c, a, b])):
        assert isinstance(total, SeriesSums)
        assert len(total) == len(whole)
        assert density(total) == pytest.approx(expected, rel=1e-10)
    (a + c + b).save(tmp_path / "sums.nc")
    held = SeriesSums.load(tmp_path / "sums.nc")
    assert density(held) == pytest.approx(expected, rel=1e-10)
    left = build(name, pd.concat(cut(name)[1:]), like=whole)
    assert density(held - a) == pytest.approx(density(left), rel=1e-9)


def test_a_source_of_many_rows_is_cut_where_units_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is held of a stream at a time, its sums are those of all of it, or an error."""
    for name, order in (("even", ["t", "g"]), ("units", ["g", "t"])):
        data = rows_of(name).sort_values(order)
        expected = density(build(name, data))
        with monkeypatch.context() as patched:
            patched.setattr("hiermix.design.coding.BATCH", 10)
            pieces = [data.iloc[k : k + 7] for k in range(0, len(data), 7)]
            assert density(build(name, pieces)) == pytest.approx(expected, rel=1e-10)
            with pytest.raises(hm.DataError, match=r"come in (several )?pieces"):
                build(name, pieces[1::2] + pieces[::2])


def test_pieces_that_are_none_are_told() -> None:
    a, b, _ = cut("even")
    one, two = build("even", a), build("even", b)
    with pytest.raises(hm.DataError, match=r"rows of series \d, .* whose times overlap or repeat"):
        _ = one + two + one
    with pytest.raises(hm.DataError, match="were not added as one piece: subtract what was added"):
        _ = one - two
    with pytest.raises(hm.DataError, match="no rows are left"):
        _ = one - one
    unit, other, _ = (build("units", each) for each in cut("units"))
    with pytest.raises(hm.DataError, match=r"unit 0, 1 come in several pieces, .*partition them"):
        _ = unit + other + unit
    text = FORMULAS["even"]
    with pytest.raises(hm.DataError, match="'t' holds numeric here and dates there"):
        _ = one + hm.statistics(text, b.assign(t=b["day"]))
    with pytest.raises(hm.DataError, match=r"labels 0 \(int\) and '0' \(text\) of 'g' read the"):
        _ = one + hm.statistics(text, b.assign(g=b["g"].astype(str)))


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("y ~ x + ar(t)", {}, r"times of 't' repeat: each has one row. Name the series: by="),
        ("y ~ x + ar(site, by=g)", {}, r"times of 'site' repeat within a level of 'g' \(series"),
        ("y ~ x + ar(t, by=g) + (1 | visit)", {}, "rows of several levels of 'visit'"),
        ("y ~ x + ar(t, by=g)", {"weights": "z"}, "takes no weights"),
        ("site ~ x + ar(t, by=g)", {"family": "poisson"}, "'poisson' has no residuals that go"),
    ],
    ids=["one series", "repeats", "levels", "weights", "family"],
)
def test_what_is_no_series_is_told(formula: str, options: Any, message: str) -> None:
    with pytest.raises(hm.HiermixError, match=message):
        hm.statistics(formula, rows(), **options)


def test_smaller_formulas_and_larger_ones() -> None:
    data = rows()
    found = build("even", data)
    fewer = hm.Model.from_statistics(found, "y ~ x + ar(t, by=g)")
    theirs = hm.Model("y ~ x + ar(t, by=g)", data)
    rng = np.random.default_rng
    assert log_likelihood(fewer.design, rng(1)) == pytest.approx(
        log_likelihood(theirs.design, rng(1)), rel=1e-10
    )
    alone = hm.Model.from_statistics(found, "y ~ x + (1 | g)")
    assert alone.design.series is None
    assert len(found) == len(data)
    sums = hm.statistics("y ~ x + t + (1 | g) + (1 | site)", data)
    with pytest.raises(hm.DataError, match=re.escape("has ar(t, by=g), and the statistics are of")):
        hm.Model.from_statistics(sums, "y ~ x + ar(t, by=g)")
    short = hm.statistics("y ~ x + ar(t, by=g)", data.drop_duplicates("g"))
    with pytest.raises(hm.DataError, match=r"no series has two rows"):
        hm.Model.from_statistics(short)


def test_what_asks_for_fitted_rows_is_refused_and_new_ones_are_predicted(tmp_path: Path) -> None:
    data = rows()
    fit = hm.Model.from_statistics(build("even", data)).fit(
        seed=1, chains=1, warmup=60, draws=20, progress=False
    )
    later = data.head(5).assign(t=lambda frame: frame["t"] + 20)
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_allclose(fit.predict(later), again.predict(later))
    slope = float(fit.data["posterior"]["b"].sel(term="x").mean())
    assert float(fit.slopes("x", newdata=later).draws.mean()) == pytest.approx(slope, rel=1e-6)
    for ask in (lambda: fit.forecast(later), fit.loo, lambda: fit.loo(by="g"), fit.predict):
        with pytest.raises(hm.HiermixError, match="needs the rows of the fit"):
            ask()
