"""Names that mean something elsewhere: with a slash, words of Python, other tools' formulas."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    data = pd.DataFrame({"a/b": list("uvwxyz") * 10, "p/q": rng.normal(size=60), "t": range(60)})
    levels = pd.Series(dict(zip("uvwxyz", range(6), strict=True)))
    data["r/s"] = data["a/b"].map(levels) + data["p/q"] + rng.normal(size=60)
    return data


@pytest.fixture(scope="module")
def fit(rows: pd.DataFrame) -> hm.Fit:
    priors = {"sd[a/b, Intercept]": "normal(0, 5)"}
    model = hm.Model("`r/s` ~ `p/q` + (1 + `p/q` | `a/b`)", rows, priors=priors)
    return model.fit(seed=1, chains=2, draws=150, progress=False)


def test_a_slash_in_a_name_reads_otherwise_in_results(fit: hm.Fit) -> None:
    posterior = fit.data.posterior
    assert {"sd_a÷b", "r_a÷b"} <= set(posterior.data_vars)
    assert posterior["term"].to_numpy().tolist() == ["p/q"]
    assert set(fit.data.observed_data.data_vars) == {"r÷s"}
    assert str(fit.model.priors["sd[a÷b, Intercept]"]) == "normal(0, 5)"
    without = fit.hypothesis("sd[a÷b, Intercept] > 0", "p/q > 0")
    assert (without["probability"] > 0.9).all()  # 0.99 and 1.00 but for Monte-Carlo error


def test_either_name_is_understood(fit: hm.Fit) -> None:
    for asked in ("a/b", "a÷b"):
        table = fit.coefficients(asked)
        assert table.index.names == ["a÷b", "effect"]
        np.testing.assert_array_equal(table, fit.coefficients("a/b"))
        np.testing.assert_array_equal(
            fit.predict(group_effects=[asked]), fit.predict(group_effects="all")
        )
        assert len(fit.plot_groups(asked).data) == len(table)
        fit.plot_fit("p/q", by=asked)
        fit.plot_check(asked)


def test_a_slash_survives_files(fit: hm.Fit, rows: pd.DataFrame, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    new = rows.head(7).assign(**{"p/q": 1.5})
    expected = fit.predict(new)
    np.testing.assert_array_equal(loaded.predict(new), expected)
    for name in ("out.nc", "out.zarr"):
        np.testing.assert_array_equal(fit.predict(new, into=tmp_path / name), expected)
    tree = fit.data
    tree["posterior"].to_dataset().to_zarr(tmp_path / "posterior.zarr", consolidated=False)
    tree["constant_data"].to_dataset().to_netcdf(tmp_path / "columns.nc")
    later = fit.forecast(rows.head(6).assign(t=60), time="t", by="a/b")
    later.data.to_netcdf(tmp_path / "later.nc", engine="h5netcdf")
    assert later.table().shape[0] == 6


def test_two_names_that_results_write_alike_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(hm.DataError, match="one name in results, 'a÷b'"):
        hm.Model("`r/s` ~ `a÷b` + (1 | `a/b`)", rows.assign(**{"a÷b": 1.0}))


def test_a_word_of_python_is_a_column_in_backticks(rows: pd.DataFrame) -> None:
    data = rows.rename(columns={"p/q": "lambda", "a/b": "class"})
    model = hm.Model("`r/s` ~ `lambda` + np.log1p(`lambda`**2) + (1 | class)", data)
    assert model.design.terms == ("Intercept", "lambda", "np.log1p(lambda ** 2)")


ANSWERS = [
    ("Surv(t, dead) ~ x", "For it, write time | cens(c)"),
    ("y ~ SSlogis(x, a, b, c)", "no non-linear formulas: write the program in Stan, or"),
    ("y ~ a * exp(-x / b)", "names 'a', not a column. If it is a parameter: no non-linear"),
    ("y ~ a / (1 + exp(-(x - b) / c)) + (1 | g)", "no non-linear formulas"),
    ("y ~ x + exp(rate * x)", "no non-linear formulas"),
    ("y ~ b * x^power", "no non-linear formulas"),
    ("cbind(k, n - k) ~ x", "write k | trials(n)"),
    ("cbind(k, failures) ~ x", "n = k + failures, and write k | trials(n)"),
    ("cbind(a, b, c) ~ x", "for family='multinomial': c(a, b, c) ~ ..."),
    ("p(k, n) ~ x", "write k | trials(n)"),
    ("prop(k, n) ~ x + (1 | g)", "write k | trials(n)"),
    ("proportion(k, 20) ~ x", "write k | trials(20)"),
    ("y ~ cbind(k, n)", "k | trials(n)"),
    ("y ~ .", "'.' does not stand for all other columns"),
    ("y ~ . - x", "'.' does not stand for all other columns"),
    ("y ~ lambda", "if it is a column, write `lambda`"),
    ("y ~ log(lambda)", "if it is a column, write `lambda`"),
    ("y ~ I(class / 2)", "if it is a column, write `class`"),
    ("y ~ x + (1 | lambda)", "if it is a column, write `lambda`"),
    ("lambda ~ x", "if it is a column, write `lambda`"),
    ("y ~ factor(g)", "write C(x)"),
    ("y ~ ns(x, 4)", "write cr(x, df=5)"),
]


@pytest.mark.parametrize(("text", "answer"), ANSWERS)
def test_other_tools_formulas_are_answered(text: str, answer: str) -> None:
    columns: dict[str, Any] = {name: np.linspace(0, 1, 20) for name in ("y", "x", "k", "n")}
    data = pd.DataFrame(columns | {"g": list("abcd") * 5})
    with pytest.raises(hm.HiermixError) as caught:
        hm.Model(text, data)
    assert answer in str(caught.value)
    assert "Did you mean 'log'" not in str(caught.value)


def test_a_mistyped_column_is_no_parameter() -> None:
    data = pd.DataFrame({"y": np.arange(9.0), "size": np.linspace(1, 2, 9)})
    with pytest.raises(hm.DataError, match="Did you mean 'size'") as caught:
        hm.Model("y ~ log(sise)", data)
    assert "non-linear" not in str(caught.value)


def test_both_labels_may_be_the_success() -> None:
    data = pd.DataFrame({"y": ["no", "yes"] * 10, "x": np.linspace(0, 1, 20)})
    with pytest.raises(hm.DataError, match="success='yes' or success='no'"):
        hm.Model("y ~ x", data, family="bernoulli")
