"""A column keeps its kind, however it is stored and however its labels are written."""

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.design import kinds
from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.formula import formula
from tests.combinations import thinned

N = 48
RNG = np.random.default_rng(7)
DAYS = pd.date_range("2024-03-28", periods=N)
FAST: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 100, "draws": 20, "progress": False}


def frame(**columns: Any) -> pd.DataFrame:
    base = {
        "y": np.sin(np.arange(N) ** 2.0),  # noise, for all that the other columns know
        "x": np.cos(np.arange(N)),
        "g": [f"g{row % 6}" for row in range(N)],
    }
    return pd.DataFrame(base | columns)


def design(text: str, data: pd.DataFrame, **options: Any) -> Design:
    return build(formula.parse(text), data, **options)


# Storage -----------------------------------------------------------------------------------------

ROLES = {
    "real response": ("y ~ x + (1 | g)", {}),
    "count": ("k ~ x + (1 | g)", {"family": "poisson"}),
    "0/1": ("late ~ x + (1 | g)", {"family": "bernoulli"}),
    "truth values": ("flag ~ x + (1 | g)", {"family": "bernoulli"}),
    "label of success": ("word ~ x + (1 | g)", {"family": "bernoulli", "success": "yes"}),
    "trials": ("late | trials(n) ~ x + (1 | g)", {"family": "binomial"}),
    "weights": ("y ~ x + (1 | g)", {"weights": "n"}),
    "offset": ("k ~ x + offset(log(n)) + (1 | g)", {"family": "poisson", "offset": "x"}),
    "censored": ("w | cens(flag) ~ x + (1 | g)", {"family": "weibull"}),
    "censored 0/1": ("w | cens(late) ~ x + (1 | g)", {"family": "weibull"}),
    "ordinal": ("stars ~ x + (1 | g)", {"family": "ordinal"}),
    "categorical": ("stars ~ x + (1 | g)", {"family": "categorical"}),
    "slopes": ("y ~ flag + n + (flag + n | g)", {}),
    "expressions": ("y ~ I(flag + late) + flag:x + log(n) + (1 | g)", {}),
    "levels": ("y ~ C(stars) + word + (word | g)", {}),
    "nested groups": ("y ~ x + (1 | area/stars)", {}),
    "crossed groups": ("y ~ x + (1 | g:stars) + (1 | flag)", {}),
    "time": ("y ~ trend(when, 2) + fourier(when, 'week') + (1 | g)", {}),
}


def plain() -> pd.DataFrame:
    return frame(
        k=np.arange(N) % 5,
        late=(np.arange(N) % 3 == 0).astype(int),
        flag=np.arange(N) % 4 < 2,
        word=np.tile(["yes", "no", "no"], 16),
        n=2 + np.arange(N) % 7,
        w=0.5 + np.arange(N) / 9,
        stars=1 + np.arange(N) % 4,
        area=np.arange(N) % 3,
        when=DAYS,
    )


def arrow(data: pd.DataFrame) -> pd.DataFrame:
    pytest.importorskip("pyarrow")
    return data.convert_dtypes(dtype_backend="pyarrow")


def sparse(data: pd.DataFrame) -> pd.DataFrame:
    numbers = data.select_dtypes(include=["number"]).columns
    return data.astype({name: pd.SparseDtype(data[name].dtype, 0) for name in numbers})


def boxed(data: pd.DataFrame) -> pd.DataFrame:
    """Python objects where they are no numbers."""
    return data.astype({"flag": object, "word": object}).assign(when=list(DAYS.date))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "store", [pd.DataFrame.convert_dtypes, arrow, sparse, boxed],
    ids=["nullable", "arrow", "sparse", "boxed"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_a_frame_means_the_same_however_it_is_stored(
    store: Callable[[pd.DataFrame], pd.DataFrame], role: str
) -> None:
    text, options = ROLES[role]
    expected = hm.Model(text, plain(), **options).design
    found = hm.Model(text, store(plain()), **options).design
    for what in ("response", "trials", "weights", "offset", "censored"):
        np.testing.assert_array_equal(getattr(found, what), getattr(expected, what))
    same_rows(found, expected)
    new = plain().iloc[::5].reset_index(drop=True)
    same_rows(found.on(new), expected, 5)
    if store is not boxed:
        same_rows(expected.on(store(new)), expected, 5)


def same_rows(found: Design, expected: Design, step: int = 1) -> None:
    assert found.terms == expected.terms
    np.testing.assert_array_equal(found.X(), expected.X()[::step])
    for mine, theirs in zip(found.groupings, expected.groupings, strict=True):
        assert mine.levels.tolist() == theirs.levels.tolist()
        np.testing.assert_array_equal(mine.codes, theirs.codes[::step])
        np.testing.assert_array_equal(found.Z(mine.name), expected.Z(mine.name)[::step])


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "object"])
def test_weights_and_offsets_as_arrays(dtype: Any) -> None:
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    values = pd.Series(np.arange(N) % 7 + 1)
    given: Any = values.astype(dtype) if dtype != "object" else values.tolist()
    found = hm.Model("y ~ x + (1 | g)", frame(), weights=given, offset=given).design
    np.testing.assert_array_equal(found.weights, values)
    np.testing.assert_array_equal(found.offset, values)


def test_whole_numbers_with_a_missing_one_keep_every_digit() -> None:
    ids = pd.array([2**60 + row % 6 for row in range(N)], dtype="Int64")
    data = frame(g=ids)
    data.loc[3, "g"] = pd.NA
    fitted = design("y ~ x + (1 | g)", data, missing="drop")
    assert list(fitted.grouping("g").levels) == [2**60 + k for k in range(6)]


def test_a_nan_inside_a_nullable_column_is_missing() -> None:
    zero = pd.array(np.where(np.arange(N) == 3, 0.0, 1.0), dtype="Float64")
    data = frame(x=zero / zero + pd.array(np.arange(N), dtype="Float64"))
    with pytest.raises(hm.DataError, match=re.escape("'x' has 1 missing value (row 3)")):
        design("y ~ x + (1 | g)", data)


def test_decimals_of_arrow_are_numbers() -> None:
    pa = pytest.importorskip("pyarrow")
    prices = pd.Series([f"{row}.25" for row in range(N)]).astype(pd.ArrowDtype(pa.decimal128(9, 2)))
    assert design("y ~ x", frame(x=prices)).X()[:, 1].tolist() == [row + 0.25 for row in range(N)]


# Truth values count ------------------------------------------------------------------------------

A, B = np.arange(N) % 2 == 0, np.arange(N) % 3 == 0
X = frame()["x"].to_numpy()
SUMS = {
    "I(a + b)": A * 1.0 + B,
    "I(a + b + (x > 0))": A * 1.0 + B + (X > 0),
    "{(x > 0) + (x > 0.5)}": (X > 0) * 1.0 + (X > 0.5),
    "I((x > 0) - b)": (X > 0) * 1.0 - B,
    "I(-a)": -1.0 * A,
    "I(2 * a - b)": 2.0 * A - B,
    "I(a * b)": 1.0 * A * B,
    "I(a / 4)": A / 4,
    "I(a ** 2 + b)": 1.0 * A + B,
    "exp(a)": np.exp(1.0 * A),
    "np.exp(a + b)": np.exp(1.0 * A + B),
    "where(a, x, 2 * b)": np.where(A, X, 2.0 * B),
    "maximum(a, x)": np.maximum(A, X),
    "I(a & b)": A & B,
    "I(~a | b)": ~A | B,
    "I(~(x > 0))": ~(X > 0),
    "I((a & b) + (a | b))": (A & B) * 1.0 + (A | B),
    "I(a == b)": A == B,
    "center(a + b)": A * 1.0 + B - np.mean(A * 1.0 + B),
    "I((a + b) * center(x))": (A * 1.0 + B) * (X - X.mean()),
}


@pytest.mark.parametrize(
    ("term", "dtype"), thinned(3, SUMS, ["bool", "boolean", "object", "bool[pyarrow]"])
)
def test_truth_values_count_in_arithmetic(term: str, dtype: str) -> None:
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    data = frame(a=pd.Series(A).astype(dtype), b=pd.Series(B).astype(dtype))
    fitted = design(f"y ~ {term} + ({term} | g)", data)
    np.testing.assert_allclose(fitted.X()[:, 1], SUMS[term].astype(float), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(fitted.Z("g")[:, 1], fitted.X()[:, 1], rtol=0)
    np.testing.assert_allclose(fitted.on(data.iloc[:9]).X()[:, 1], fitted.X()[:9, 1], rtol=0)


def test_sums_of_truth_values_in_interactions_offsets_and_responses() -> None:
    data = frame(
        a=A, b=B, t=np.tile(["u", "v"], N // 2), **{"c d": B})  # fmt: skip
    count, of_v = A * 1.0 + B, np.tile([0.0, 1.0], N // 2)
    fitted = design("y ~ I(a + `c d`) * t + x:{a + b} + offset(a + b)", data)
    columns = dict(zip(fitted.terms, fitted.X().T, strict=True))
    np.testing.assert_array_equal(columns["I(a + c d)"], count)
    np.testing.assert_array_equal(columns["x:I(a + b)"], X * count)
    np.testing.assert_array_equal(columns["I(a + c d):t[T.v]"], count * of_v)
    np.testing.assert_array_equal(fitted.offset, count)
    np.testing.assert_array_equal(design("I(a + b) ~ x", data).response, count)


def test_a_comparison_that_hangs_on_all_rows_is_not_added() -> None:
    with pytest.raises(hm.DataError, match="make that column before the fit"):
        design("y ~ I((center(x) > 0) + (center(x) > 1))", frame())


# Kinds -------------------------------------------------------------------------------------------

ELAPSED = pd.Series(DAYS - DAYS[0])
AS = {
    "numbers": pd.Series(np.arange(N)),
    "truth values": pd.Series(A),
    "dates": pd.Series(DAYS),
    "durations": ELAPSED,
    "text": pd.Series(["soon", "late"] * (N // 2)),
}
FITTED = {
    "numeric": ("y ~ w + (1 | g)", AS["numbers"]),
    "truth values": ("y ~ w + (1 | g)", AS["truth values"]),
    "dates": ("y ~ trend(w) + (1 | g)", AS["dates"]),
    "durations": ("y ~ trend(w) + (1 | g)", AS["durations"]),
}


@pytest.mark.parametrize("now", AS)
@pytest.mark.parametrize("was", FITTED)
def test_n10_a_column_of_another_kind_is_refused(was: str, now: str) -> None:
    text, values = FITTED[was]
    fitted = design(text, frame(w=values))
    if was.replace("numeric", "numbers") == now:
        assert fitted.on(frame(w=AS[now])).rows == N
        return
    message = rf"column 'w' was {was} in the fit and holds {now} now \("
    with pytest.raises(hm.DataError, match=message):
        fitted.on(frame(w=AS[now]))


@pytest.mark.parametrize("policy", ["error", "population", "sample"])
@pytest.mark.parametrize("now", ["numbers", "truth values", "durations"])
@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_n10_dates_as_groups_under_every_policy(now: str, policy: str) -> None:
    fitted = design("y ~ x + (1 | w/g)", frame(w=DAYS.repeat(8)[:N]))
    with pytest.raises(hm.DataError, match=f"column 'w' was dates in the fit and holds {now} now"):
        fitted.on(frame(w=AS[now]), new_groups=policy)


def test_n10_milliseconds_of_json() -> None:
    fitted = design("y ~ trend(w)", frame(w=DAYS))
    with pytest.raises(hm.DataError, match=re.escape("with unit='ms' for what to_json() wrote")):
        fitted.on(frame(w=DAYS.as_unit("ms").astype(np.int64)))


@pytest.mark.parametrize("text", ["y ~ trend(w, 3)", "y ~ fourier(w, 'week', 2)", "y ~ C(w)"])
@pytest.mark.parametrize(
    "written",
    [
        lambda days: days.strftime("%Y-%m-%d"),
        lambda days: days.strftime("%Y-%m-%dT00:00:00"),
        lambda days: days.date,
        lambda days: days.to_period("D"),
        lambda days: days.as_unit("s"),
        lambda days: pd.Categorical(days),
        lambda days: pd.Series(days.date, dtype=object).astype(str).astype("string"),
    ],
    ids=["ISO", "ISO with a time", "date", "Period", "seconds", "categories", "string"],
)
def test_n10_dates_are_read_however_they_are_written(text: str, written: Any) -> None:
    fitted = design(text, frame(y=np.sqrt(np.arange(N)), w=DAYS))
    if "C(" not in text and isinstance(written(DAYS), pd.Categorical):
        return
    np.testing.assert_array_equal(fitted.on(frame(w=written(DAYS))).X(), fitted.X())


def test_n10_text_that_is_no_iso_date_is_refused_by_name() -> None:
    fitted = design("y ~ trend(w)", frame(w=DAYS))
    message = re.escape("was dates in the fit and holds text now ('28/03/24', '29/03/24', '30/03")
    with pytest.raises(hm.DataError, match=message):
        fitted.on(frame(w=DAYS.strftime("%d/%m/%y")))
    with pytest.raises(hm.DataError, match=re.escape("use pd.to_datetime(data['w'])")):
        design("y ~ trend(w)", frame(w=DAYS.strftime("%Y-%m-%d")))


def test_n10_text_is_no_truth_value() -> None:
    fitted = design("y ~ w", frame(w=np.arange(N) % 2 == 0))
    message = re.escape("('True', 'False'): say which text is true, such as data['w'] == 'yes'")
    with pytest.raises(hm.DataError, match=message):
        fitted.on(frame(w=(np.arange(N) % 2 == 0).astype(str)))


class TestZones:
    """Clocks of one zone, over a change of the clocks."""

    hours = pd.date_range("2024-03-30 20:00", periods=N, freq="h", tz="Europe/Berlin")

    def test_a_day_is_that_of_the_clocks_on_the_wall(self) -> None:
        fitted = design("y ~ fourier(w, 'day')", frame(w=self.hours))
        hour = (self.hours.hour + self.hours.minute / 60).to_numpy()
        np.testing.assert_allclose(
            fitted.X()[:, 1], np.sin(2 * np.pi * hour / 24), rtol=0, atol=1e-9
        )

    @pytest.mark.parametrize("text", ["y ~ trend(w, 2) + fourier(w, 'day')", "y ~ x + (1 | w)"])
    @pytest.mark.parametrize(
        "written",
        [
            lambda hours: hours.tz_convert("UTC"),
            lambda hours: hours.tz_convert("America/Lima"),
            lambda hours: [hour.isoformat() for hour in hours.tz_convert("UTC")],
            lambda hours: pd.Series(list(hours), dtype=object),
        ],
        ids=["UTC", "Lima", "ISO", "boxed"],
    )
    @pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
    def test_one_moment_is_one_moment_in_every_zone(self, text: str, written: Any) -> None:
        fitted = design(text, frame(w=self.hours))
        other = fitted.on(frame(w=written(self.hours)), new_groups="error")
        np.testing.assert_array_equal(other.X(), fitted.X())

    @pytest.mark.parametrize("text", ["y ~ trend(w)", "y ~ x + (1 | w)"])
    @pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
    def test_dates_without_a_zone_are_others(self, text: str) -> None:
        zoned, naive = frame(w=self.hours), frame(w=self.hours.tz_localize(None))
        with pytest.raises(hm.DataError, match=re.escape(".dt.tz_localize('Europe/Berlin')")):
            design(text, zoned).on(naive, new_groups="sample")
        with pytest.raises(hm.DataError, match=re.escape("data['w'].dt.tz_localize(None)")):
            design(text, naive).on(zoned, new_groups="sample")


def test_durations_count_days_and_years() -> None:
    fitted = design("y ~ trend(w, ['10 days']) + fourier(w, 'week')", frame(w=ELAPSED))
    days = np.arange(N)
    expected = [days / 365.25, np.maximum(days - 10, 0) / 365.25, np.sin(2 * np.pi * days / 7)]
    np.testing.assert_allclose(fitted.X()[:, 1:4].T, expected, atol=1e-12)
    new = fitted.on(frame(w=ELAPSED.astype(str)))
    np.testing.assert_array_equal(new.X(), fitted.X())


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(DAYS),
        pd.Series(DAYS.to_period("D")),
        pd.Series(DAYS.date),
        pd.Series(DAYS.tz_localize("Asia/Tokyo")),
        ELAPSED,
    ],
    ids=["Timestamp", "Period", "date", "zoned", "Timedelta"],
)
@pytest.mark.parametrize("term", ["w", "w:x", "poly(w, 2)", "np.log(w)", "I(w + w)", "center(w)"])
def test_row_56_times_are_no_numbers_and_the_advice_works(term: str, values: pd.Series) -> None:
    data = frame(w=values)
    with pytest.raises(hm.DataError, match=r"trend\(w\)") as caught:
        design(f"y ~ {term} + (1 | g)", data)
    advice = re.search(r"(data\['w'\].*|\(data\['w'\].*\)\.dt\.days)$", str(caught.value))
    if term == "w":
        assert advice is not None
        start = str(caught.value).rindex(" with ") + len(" with ")
        days = eval(str(caught.value)[start:], {"data": data})
        assert days.tolist() == list(range(N))
    fitted = design("y ~ trend(w) + (1 | g)", data)
    np.testing.assert_allclose(np.diff(fitted.X()[:, 1]), 1 / 365.25, rtol=1e-9)


# Periods -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_periods_as_groups() -> None:
    months = pd.period_range("2024-01", periods=6, freq="M").repeat(8)
    fitted = design("y ~ x + (1 | w)", frame(w=months))
    assert list(fitted.grouping("w").levels) == [f"2024-0{month}" for month in range(1, 7)]
    for written in (months.astype(str), months.to_timestamp(), pd.Categorical(months)):
        found = fitted.on(frame(w=written), new_groups="error").grouping("w").codes
        np.testing.assert_array_equal(found, np.arange(6).repeat(8))
    with pytest.raises(hm.DataError, match=re.escape("use data['w'].dt.to_period('M')")):
        fitted.on(frame(w=months.to_timestamp() + pd.Timedelta(days=3)), new_groups="sample")


# Labels ------------------------------------------------------------------------------------------

WRITTEN: dict[str, Callable[[pd.Series], Any]] = {
    "int": lambda ids: ids,
    "float": lambda ids: ids.astype(float),
    "int8": lambda ids: ids.astype(np.int8),
    "text": lambda ids: ids.astype(str),
    "text of floats": lambda ids: ids.astype(float).astype(str),
    "nullable": lambda ids: ids.astype("Int64"),
    "boxed": lambda ids: ids.astype(object),
    "categories": lambda ids: ids.astype("category"),
    "categories of text": lambda ids: ids.astype(str).astype("category"),
}


@pytest.mark.parametrize(("fit_as", "new_as"), thinned(4, WRITTEN, WRITTEN))
@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_n11_a_label_is_the_same_label_at_every_level(fit_as: str, new_as: str) -> None:
    a, b = pd.Series(np.arange(N) % 3 + 1), pd.Series(np.arange(N) % 4 * 5)
    fitted = design(
        "y ~ C(a) + C(b):x + (1 | a/b) + (1 | b:g)",
        frame(a=WRITTEN[fit_as](a), b=WRITTEN[fit_as](b)),
    )
    new = frame(a=WRITTEN[new_as](a), b=WRITTEN[new_as](b)).iloc[::-1]
    for policy in ("error", "sample"):
        found = fitted.on(new, new_groups=policy)
        np.testing.assert_array_equal(found.X(), fitted.X()[::-1])
        for grouping in fitted.groupings:
            other = found.grouping(grouping.name)
            np.testing.assert_array_equal(other.codes, grouping.codes[::-1])
            assert not len(other.new_levels)


def test_n11_a_new_label_has_one_name() -> None:
    fitted = design("y ~ x + (1 | a)", frame(a=np.arange(N) % 3))
    for new in ([9] * N, [9.0] * N, ["9"] * N):
        (label,) = fitted.on(frame(a=new), new_groups="sample").grouping("a").new_levels
        assert str(label) == "9"


def test_n11_labels_that_only_look_alike_are_others() -> None:
    labels = kinds.KnownLabels(["1.10", "1.1", "007", "7"])
    assert labels.find("1.10") == "1.10"
    assert labels.find(1.1) == "1.1"
    assert labels.find(7) == "7"
    assert labels.find("007") == "007"
    assert kinds.KnownLabels([True, False]).find(1) == 1
    assert kinds.KnownLabels([0.5, 1e22]).find("1e+22") == 1e22


@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_n11_a_csv_and_json_round_trip(tmp_path: Path) -> None:
    data = frame(a=np.arange(N) % 3 + 1.0, b=np.arange(N) % 4, c=DAYS.repeat(6)[:N], d=A)
    fitted = design("y ~ x + d + trend(c) + (1 | a/b) + (1 | c)", data)
    data.to_csv(tmp_path / "rows.csv", index=False)
    data.to_json(tmp_path / "rows.json", orient="records", date_format="iso")
    for new in (
        pd.read_csv(tmp_path / "rows.csv"),
        pd.read_csv(tmp_path / "rows.csv", dtype={"a": str, "b": str}),
        pd.read_json(tmp_path / "rows.json", dtype=False),
    ):
        found = fitted.on(new, new_groups="error")
        np.testing.assert_allclose(found.X(), fitted.X(), atol=1e-9)  # JSON has ten decimals
        for grouping in fitted.groupings:
            np.testing.assert_array_equal(found.grouping(grouping.name).codes, grouping.codes)


# Files -------------------------------------------------------------------------------------------

BANDS = pd.cut(np.arange(N), [-1, 10, 30, N])
STORED = {
    "bands": ("w", BANDS),
    "bands of dates": ("C(w)", pd.cut(DAYS, 3)),
    "intervals": ("C(w)", pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]).repeat(16)),
    "Timestamp categories": ("w", pd.Categorical(DAYS[::16].repeat(16))),
    "Period categories": ("w", pd.Categorical(DAYS.to_period("M"))),
    "periods": ("C(w)", DAYS.to_period("M")),
    "quarter hours in a zone": ("trend(w)", DAYS.tz_localize("Australia/Lord_Howe")),
    "a fixed offset": (
        "trend(w)",
        DAYS.tz_localize(datetime.timezone(datetime.timedelta(hours=5))),
    ),
    "seconds": ("trend(w)", DAYS.as_unit("s")),
    "long ago": (
        "trend(w)",
        pd.Series(DAYS.to_numpy().astype("M8[s]") - np.timedelta64(9**11, "s")),
    ),
    "durations": ("trend(w)", ELAPSED),
    "float categories": ("w", pd.Categorical(np.arange(N) % 3 / 2)),
    "nullable": ("w", pd.array(A, dtype="boolean")),
    "half floats": ("w", np.arange(N, dtype=np.float16)),
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_a_column_of_every_kind_is_saved_and_loaded(stored: str, tmp_path: Path) -> None:
    term, values = STORED[stored]
    data = frame(w=values)
    fit = hm.Model(f"y ~ {term} + (1 | g)", data).fit(**FAST)
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    pd.testing.assert_series_equal(again.design.frame["w"], fit.design.frame["w"])
    want = fit.predict(data.iloc[::7], kind="response")
    np.testing.assert_array_equal(again.predict(data.iloc[::7], kind="response"), want)


@pytest.mark.parametrize("days", [DAYS.tz_localize("Europe/Berlin"), DAYS.to_period("W"), ELAPSED])
def test_groups_of_every_kind_are_saved_and_loaded(days: Any, tmp_path: Path) -> None:
    data = frame(w=pd.Series(days)[:6].repeat(8).reset_index(drop=True))
    data["w"] = data["w"].where(data.index >= 8, data["w"].iloc[20])
    fit = hm.Model("y ~ x + (1 | w) + (1 | w:g)", data).fit(**FAST)
    fit.save(tmp_path / "fit.nc")
    new = data.iloc[::7]
    np.testing.assert_array_equal(hm.load(tmp_path / "fit.nc").predict(new), fit.predict(new))


@pytest.mark.parametrize("name", ["fit.json", "fit.pkl", "fit.csv", "my.fit"])
def test_a_fit_is_saved_as_netcdf_and_named_so(name: str, tmp_path: Path) -> None:
    fit = hm.Model("y ~ x + (1 | g)", frame()).fit(**FAST)
    with pytest.raises(hm.ArgumentError, match=r"a fit is saved as netCDF.*\.nc'$"):
        fit.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


# Trials ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def binomial() -> hm.Fit:
    return hm.Model("late | trials(n) ~ x + (1 | g)", plain(), family="binomial").fit(**FAST)


@pytest.mark.parametrize("kind", ["mean", "response"])
@pytest.mark.parametrize("trials", [np.nan, -3, 2.9, np.inf, pd.NA])
def test_trials_of_new_rows_are_whole_numbers(binomial: hm.Fit, trials: Any, kind: str) -> None:
    new = plain().drop(columns="late")[:2].assign(n=pd.array([4, trials], dtype="Float64"))
    with pytest.raises(hm.DataError, match=r"trials must be .* column 'n' has .* \(row 1\)"):
        binomial.predict(new, kind=kind)


def test_trials_left_out_are_asked_for(binomial: hm.Fit) -> None:
    new = plain().drop(columns="n").assign(N=4)
    with pytest.raises(hm.DataError, match=r"formula names 'n', not a column\. Did you mean|Colum"):
        binomial.predict(new)
    assert binomial.predict(new, kind="linear").sizes["row"] == N


def test_no_trials_have_no_successes(binomial: hm.Fit) -> None:
    new = plain().drop(columns="late").assign(n=0)
    assert not binomial.predict(new).any()
    assert not binomial.predict(new, kind="response").any()


# Frames ------------------------------------------------------------------------------------------


def mixed() -> pd.DataFrame:
    return plain().assign(
        zoned=DAYS.tz_localize("Europe/Berlin"), late=np.arange(N) % 3 == 0, day=DAYS
    )


MIXED = "y ~ x + n + flag + word + trend(day) + fourier(zoned, 'week') + (1 | area/stars)"
ROWS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "row": lambda data: data.iloc[0],
    "dict": lambda data: data.iloc[0].to_dict(),
    "list of a row": lambda data: [data.iloc[0]],
}
SEVERAL: dict[str, Callable[[pd.DataFrame], Any]] = {
    "records": lambda data: data.to_dict("records"),
    "columns": lambda data: data.to_dict("list"),
    "columns of another index": lambda data: {
        name: values.set_axis(range(k, k + len(values)))
        for k, (name, values) in enumerate(data.items())
    },
    "rows": lambda data: [row for _, row in data.iterrows()],
}


@pytest.mark.parametrize("given", ROWS | SEVERAL)
def test_n12_new_rows_in_other_shapes(given: str) -> None:
    fitted = design(MIXED, mixed())
    new = mixed().iloc[5:9]
    found = fitted.on((ROWS | SEVERAL)[given](new), new_groups="error")
    rows = slice(5, 6) if given in ROWS else slice(5, 9)
    np.testing.assert_array_equal(found.X(), fitted.X(rows))
    for grouping in fitted.groupings:
        codes = found.grouping(grouping.name).codes
        np.testing.assert_array_equal(codes, grouping.codes[rows])


@pytest.mark.parametrize("library", ["polars", "pyarrow", "narwhals"])
def test_n12_frames_of_other_libraries(library: str) -> None:
    polars = pytest.importorskip("polars")
    data = mixed().assign(big=[2**60 + row % 5 for row in range(N)])
    text = MIXED + " + (1 | big)"
    expected = design(text, data)
    given: Any = polars.DataFrame(data.to_dict("list")).with_columns(
        polars.col("word").cast(polars.Categorical),
        polars.col("zoned").dt.convert_time_zone("Europe/Berlin"),
        polars.col("day").cast(polars.Date),
    )
    if library == "pyarrow":
        pytest.importorskip("pyarrow")
        given = given.with_columns(polars.col("word").cast(polars.String)).to_arrow()
    elif library == "narwhals":
        given = pytest.importorskip("narwhals").from_native(given)
    same_rows(hm.Model(text, given).design, expected)
    same_rows(expected.on(given, new_groups="error"), expected)


def test_n12_missing_values_of_polars() -> None:
    polars = pytest.importorskip("polars")
    given = polars.DataFrame(frame(k=range(N)).to_dict("list"))
    given = given.with_columns(polars.when(polars.col("k") != 3).then(polars.col("k")))
    with pytest.raises(hm.DataError, match=re.escape("'k' has 1 missing value (row 3)")):
        hm.Model("y ~ k + (1 | g)", given)


def test_n12_ordered_categories_of_polars() -> None:
    polars = pytest.importorskip("polars")
    names = ["low", "middle", "high"]
    given = polars.DataFrame(frame().to_dict("list")).with_columns(
        polars.Series("answer", names * (N // 3), dtype=polars.Enum(names))
    )
    model = hm.Model("answer ~ x + (1 | g)", given, family="ordinal")
    assert model.design.categories == tuple(names)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": [1, 2], "g": ["g1"]}, "data is a dict whose columns don't make a frame"),
        (np.zeros((2, 2)), "data is a ndarray: pass a pandas DataFrame"),
        ([1.0, 2.0], "data is a list: pass a pandas DataFrame"),
        ("x.csv", "data is a str: pass a pandas DataFrame"),
        ({"x": 1.0}, "formula names 'g', not a column"),
    ],
    ids=["lengths", "array", "numbers", "path", "a column less"],
)
def test_n12_what_holds_no_rows_is_told(data: Any, message: str) -> None:
    with pytest.raises(hm.DataError, match=re.escape(message)):
        design("y ~ x + (1 | g)", frame()).on(data)


# Responses ---------------------------------------------------------------------------------------

RATINGS = {
    "0 to 4": [0, 1, 2, 3, 4],
    "a gap": [1, 2, 4, 5],
    "halves": [0.5, 1.0, 1.5],
    "below zero": [-1, 0, 1],
}


@pytest.mark.parametrize("scale", RATINGS)
@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")
def test_ratings_come_back_as_they_were_given(scale: str, tmp_path: Path) -> None:
    ratings = RATINGS[scale]
    given: Any = pd.Series([ratings[row * 7 % len(ratings)] for row in range(N)])
    if scale == "halves":
        given = pd.Categorical(given, categories=[*ratings, 2.0], ordered=True)
    fit = hm.Model("rating ~ x + (1 | g)", frame(rating=given), family="ordinal").fit(**FAST)
    assert fit.data.observed_data["rating"].to_numpy().tolist() == list(given)
    drawn = fit.predict(kind="response")
    assert set(np.unique(drawn)) == set(ratings)
    own = {name: fit.data.posterior[name].to_numpy().reshape(40, -1) for name in ("threshold",)}
    eta = fit.predict(kind="linear").to_numpy().reshape(40, N)
    above = 1 / (1 + np.exp(own["threshold"][:, None, :] - eta[..., None]))
    want = ratings[0] + above @ np.diff(ratings)  # the steps that are passed
    mean = fit.predict().to_numpy().reshape(40, N)
    np.testing.assert_allclose(mean, want, rtol=1e-9, atol=1e-9)
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc").predict(kind="response")
    np.testing.assert_array_equal(again, drawn)


@pytest.mark.parametrize("written", [str, float, "Int64", "category"])
def test_categories_of_new_responses_are_found_however_they_are_written(written: Any) -> None:
    stars = pd.Series([0, 2, 3, 5] * (N // 4))
    for family in ("ordinal", "categorical"):
        fitted = hm.Model("stars ~ x + (1 | g)", frame(stars=stars), family=family).design
        found = fitted.on(frame(stars=stars.astype(written)))
        np.testing.assert_array_equal(found.response, [1.0, 2.0, 3.0, 4.0] * (N // 4))


def test_another_label_than_the_two_of_success_is_refused() -> None:
    data = frame(word=["yes", "no", "no"] * (N // 3))
    fitted = hm.Model("word ~ x + (1 | g)", data, family="bernoulli", success="yes").design
    only = fitted.on(data[data["word"] == "no"])
    assert only.response is not None
    assert not only.response.any()
    with pytest.raises(hm.DataError, match="'word' has categories that the fit never saw: 'nay'"):
        fitted.on(frame(word=["yes", "nay", "no"] * (N // 3)))
