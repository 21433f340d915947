"""What is said of wrong input, through every door: in hiermix's own words and classes."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hiermix as hm

FAST: dict[str, Any] = {"seed": 1, "chains": 1, "warmup": 60, "draws": 20, "progress": False}
N = 80
RATINGS = ["lo", "mid", "hi"]
pytestmark = pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")

LIBRARIES = re.compile(
    r"\bnp\.\w+\(|array\(|<class|<U\d|object at 0x|Series\(|Index\(|Timestamp\(|float64|int64|"
    r"complex128|formulaic|numpy|ArviZ|xarray|ufunc|broadcast|operand|invalid literal|h5py|"
    r"could not convert|unhashable|not iterable|positional|keyword argument|NoneType|"
    r"has no attribute|not supported between|out of range|codec|Errno|_p\d_|is not in list|"
    r"cannot be interpreted|signature|item assignment|must be passed|Python scalars|__\w+__"
)
"""Words of libraries and of Python itself."""


def frame(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    day = pd.date_range("2024-01-01", periods=N // 8).repeat(8)
    return pd.DataFrame(
        {
            "y": rng.normal(size=N), "x": rng.normal(size=N), "t": np.arange(N) // 8, "day": day,
            "g": np.array(list("abcdefgh"))[np.arange(N) % 8], "c": rng.poisson(3, N),
            "f": np.array(list("uvw"))[np.arange(N) % 3], "n": np.full(N, 9),
            "r": pd.Categorical(rng.choice(RATINGS, N), RATINGS, ordered=True),
        }
    ).assign(**columns)  # fmt: skip


def model(formula: str = "y ~ x + (1 | g)", **options: Any) -> hm.Model:
    return hm.Model(formula, options.pop("data", frame()), **options)


@pytest.fixture(scope="module")
def fits() -> Mapping[str, hm.Fit]:
    made = {
        "plain": model("y ~ x + f + (1 | g)"), "daily": model("y ~ trend(day) + (1 | g)"),
        "ordinal": model("r ~ x + (1 | g)", family="ordinal"),
        "counts": model("c ~ x + (1 | g)", family="poisson"),
        "spline": model("y ~ bs(x, df=4) + (1 | g)"),
        "trials": model("c | trials(n) ~ x + (1 | g)", data=frame(c=np.arange(N) % 3),
                        family="binomial"),
    }  # fmt: skip
    return {name: each.fit(**FAST) for name, each in made.items()}


FORMULAS = [
    "poly(t, 'a')", "poly(t, 1.5)", "poly(t, 0)", "poly(t, 60)", "poly(x, 2, 3, 4)", "poly()",
    "poly(f, 2)", "bs(x, df='a')", "bs(x, df=1)", "bs(x, df=5, knots=[0, 1])",
    "bs(x, knots=[-100, 0])", "bs(x, knots=['a'])", "bs(x, knots=[0, 0])", "bs(x, dg=5)",
    "bs(x, df=5, degree=-1)", "bs(x, df=5, lower_bound=3, upper_bound=1)",
    "bs(x, df=5, lower_bound=0)", "bs(x, df=5, extrapolation='far')", "cr(x, df=1)", "cr(x)",
    "cr(x, knots=[-100, 0])", "cr(x, df=4, constraints='none')", "cc(x, knots='ab')",
    "cs(f, df=4)", "C(f, contr.treatment('q'))", "C(f, contr.treatment(base='q'))",
    "C(f, Treatment('q'))", "C(f, levels=['u', 'v'])", "C(f, contr.helmert('x'))",
    "C(f, contr.poly(scores=[1, 2]))", "C(f, contr.sum(1))", "C(f, contr.own([1, 2]))",
    "scale(f)", "scale(x, 2)", "center(x, foo=1)", "log(x, 2)", "log(t, x)", "log()", "log(f)",
    "exp('a')", "round(x, 'a')", "maximum(x)", "where(x > 0, 1)", "I(f + 1)", "I(f > 1)",
    "I(x / 0)", "x ** -1", "fourier(day, 0)", "fourier(day, 'decade')", "fourier(day, 365, 1.5)",
    "fourier(day)", "fourier(f, 7)", "trend(f)", "trend(day, unit='D')", "trend(day, 'often')",
    "offset(f)", "offset(log(t))", "x[1]", "x.mean()", "lambda", "'x'", "day",
]  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    "offsets of text": {"offset": ["a"] * N}, "a table of offsets": {"offset": np.zeros((N, 2))},
    "one offset": {"offset": 3}, "weights of text": {"weights": ["a"] * N},
    "one weight": {"weights": np.float64(3)}, "complex weights": {"weights": np.ones(N) * 1j},
    "weights None": {"weights": [None] * N}, "a column of text as weights": {"weights": "f"},
    "trials of 2.5": {"family": "binomial", "trials": np.float64(2.5)},
    "a list of trials": {"family": "binomial", "trials": [9] * N},
    "days as trials": {"family": "binomial", "trials": "day"},
    "family 3": {"family": np.int64(3)}, "link 3": {"link": 3},
    "priors in a list": {"priors": ["a"]}, "a number as prior": {"priors": {"b": np.float64(3)}},
    "prior of 3": {"priors": {3: "normal(0, 1)"}},
    "a bar as groups": {"groups": "g"}, "group by 3": {"groups": [hm.Group(3)]},  # type: ignore[arg-type]
    "missing": {"missing": "leave"}, "effects": {"effects": np.str_("both")},
    "success in a list": {"family": "bernoulli", "success": [1]},
    "labels without success": {"formula": "f ~ x + (1 | g)", "family": "bernoulli"},
    "a constant rating": {"formula": "n ~ x + (1 | g)", "family": "ordinal"},
    "a constant label": {"formula": "n ~ x + (1 | g)", "family": "categorical"},
    "one group": {"formula": "y ~ x + (1 | n)"}, "a constant": {"formula": "y ~ n + (1 | g)"},
    "negative counts": {"formula": "t ~ x + (1 | g)", "data": frame(t=-np.arange(N, dtype="int8")),
                        "family": "poisson"},
    "fractions": {"formula": "c ~ x + (1 | g)", "family": "poisson",
                  "data": frame(c=np.full(N, 0.5, "float32"))},
    "tuples": {"formula": "y ~ x + (1 | q)", "data": frame(q=[(1, 2)] * N)},
    "bytes": {"formula": "y ~ q + (1 | g)", "data": frame(q=[b"a", b"b"] * (N // 2))},
    "decimals": {"formula": "y ~ q + (1 | g)", "data": frame(q=[Decimal(i) for i in range(N)])},
    "complex y": {"formula": "q ~ x + (1 | g)", "data": frame(q=np.arange(N) * 1j)},
    "labels 1 and '1'": {"formula": "y ~ x + (1 | q)",
                         "data": frame(q=pd.Series([np.int64(1), "1"] * (N // 2), dtype=object))},
    "an array as data": {"data": np.zeros((3, 3))},
    "a tuple of numbers as formula": {"formula": (1, 2)},
}  # fmt: skip

SETTINGS: dict[str, dict[str, Any]] = {
    "chains": {"chains": np.int64(0)}, "draws": {"draws": -1}, "seed": {"seed": "a"},
    "adapt_delta": {"adapt_delta": np.float64(1.5)}, "warmup": {"warmup": None},
    "cores": {"cores": 0}, "engine": {"engine": 3}, "progress": {"progress": "yes"},
}  # fmt: skip

type Door = Callable[[Mapping[str, hm.Fit]], Any]


def later(fits: Mapping[str, hm.Fit]) -> hm.Forecast:
    return fits["daily"].forecast(time="day", horizon=2)


def predicts(of: str = "plain", **options: Any) -> Door:
    return lambda fits: fits[of].predict(options.pop("rows", frame()), **options)


def forecasts(**options: Any) -> Door:
    return lambda fits: fits["daily"].forecast(**({"time": "day", "horizon": 2} | options))


def scores(actual: Any) -> Door:
    return lambda fits: later(fits).score(actual)


def backtests(**options: Any) -> Door:
    given = {"time": "t", "horizon": 1, "origins": 1} | options
    return lambda fits: hm.backtest("y ~ t + (1 | g)", frame(), **given, **FAST)


DOORS: dict[str, Door] = {
    "predict kind": predicts(kind=np.str_("foo")), "predict policy": predicts(new_groups="foo"),
    "predict levels": predicts(rows=frame(f=np.int64(67))),
    "predict groups": predicts(rows=frame(g=np.arange(N) + 67)),
    "predict text": predicts(rows=frame(x="a")), "predict complex": predicts(rows=frame(x=1j)),
    "predict array": predicts(rows=np.zeros((3, 3))), "predict path": predicts(rows="a.csv"),
    "quantiles": predicts(quantiles=np.array([1.5])), "quantile text": predicts(quantiles="a"),
    "quantile None": predicts(quantiles=[None]), "predict offset": predicts(offset=["a"] * N),
    "predict seed": predicts(seed=1.5, kind="response"), "into csv": predicts(into="a.csv"),
    "into 3": predicts(into=3), "factors": predicts(group_effects=3),
    "negative trials": predicts("trials", rows=frame(n=np.int64(-1))),
    "spline": predicts("spline", rows=frame(x=100.0)),
    "days of text": predicts("daily", rows=frame(day="soon")),
    "days of numbers": predicts("daily", rows=frame(day=np.int64(5))),
    "labels": predicts("ordinal", rows=frame(g="new", r="zz"), new_groups="update"),
    "counts": predicts("counts", rows=frame(g="new", c=-1), new_groups="update"),
    "horizon": forecasts(horizon=np.float64(0)), "time": forecasts(time="zz"),
    "freq": forecasts(freq="foo"), "freq 3": forecasts(freq=3), "step": forecasts(step="foo"),
    "step 0": forecasts(step=np.int64(0)), "by 3": forecasts(by=3), "by": forecasts(by="zz"),
    "until": forecasts(horizon=None, until="soon"), "until 3": forecasts(horizon=None, until=3),
    "probs": forecasts(probs=["a"]), "forecast kind": forecasts(kind="mean"),
    "scores of few": scores([1.0, 2.0]), "scores of text": scores(["a"] * 16),
    "scores of a table": scores(np.zeros((16, 2))), "score of nothing": scores(None),
    "score of one": scores(np.float64(3)), "scores without groups": scores({"y": [1] * 16}),
    "scores of dates": scores(pd.date_range("2024", periods=16)),
    "complex scores": scores(np.zeros(16) * 1j), "infinite scores": scores([np.inf] * 16),
    "scores of labels": lambda fits: fits["ordinal"].forecast(frame().head(2)).score(["zz", "lo"]),
    "levels of a fan": lambda fits: later(fits).plot(levels=3),
    "series of a fan": lambda fits: later(fits).plot(levels=[np.str_("zz")]),
    "panels": lambda fits: later(fits).plot(panels=np.int64(0)),
    "history": lambda fits: later(fits).plot(history=np.float64(-1)),
    "size": lambda fits: later(fits).plot(figsize=3),
    "origins": backtests(origins=np.int64(0)), "origins of text": backtests(origins="a"),
    "no origins": backtests(origins=None), "backtest horizon": backtests(horizon=1.5),
    "pooling by": lambda fits: hm.pooling("y ~ x + (1 | g)", frame(), by=np.int64(3)),
    "hypothesis": lambda fits: fits["plain"].hypothesis("zz > 0"),
    "no text": lambda fits: fits["plain"].hypothesis(np.float64(3)),
    "a list": lambda fits: fits["plain"].hypothesis("[1] > 0"),
    "a level": lambda fits: fits["plain"].hypothesis("g[zz] > x"),
    "prob": lambda fits: fits["plain"].hypothesis("x > 0", prob=np.float64(2)),
    "summary": lambda fits: fits["plain"].summary(["zz"]),
    "summary of nothing": lambda fits: fits["plain"].summary([]),
    "summary prob": lambda fits: fits["plain"].summary(prob="a"),
    "effects": lambda fits: fits["plain"].group_effects(np.int64(3)),
    "shares": lambda fits: fits["plain"].variance_table(prob=np.float64(0)),
    "folds": lambda fits: fits["plain"].kfold(folds=np.float64(1)),
    "fold groups": lambda fits: fits["plain"].kfold(groups=[1, 2]),
    "compare": lambda fits: hm.compare({"a": fits["plain"]}),
    "shrinkage": lambda fits: fits["plain"].plot_shrinkage("g", effects=3),
    "axes": lambda fits: fits["plain"].plot_shrinkage("g", ax=3),
    "groups": lambda fits: fits["plain"].plot_groups("g", kind=np.str_("zz")),
    "fit": lambda fits: fits["plain"].plot_fit("x", by="g", levels=[]),
    "levels": lambda fits: fits["plain"].plot_fit("x", by="g", levels=[np.int64(3)]),
    "check": lambda fits: fits["plain"].plot_check(statistic=np.str_("zz")),
    "residuals": lambda fits: fits["plain"].plot_residuals(prob=np.float64(-1)),
    "save as 3": lambda fits: fits["plain"].save(3), "load 3": lambda fits: hm.load(3),
    "keep": lambda fits: fits["plain"].save("x.nc", keep="zz"),
    "load this": lambda fits: hm.load(Path(__file__)), "data set": lambda fits: hm.load_dataset(3),
}  # fmt: skip


def said(provoke: Callable[[], Any]) -> str:
    """Return what is said, by a class of hiermix's own."""
    with pytest.raises(hm.HiermixError) as caught:
        provoke()
    return str(caught.value)


def own_words(message: str) -> bool:
    return len(message) > 15 and LIBRARIES.search(message) is None


@pytest.mark.parametrize("term", FORMULAS)
def test_formulas(term: str) -> None:
    message = said(lambda: model(f"y ~ {term} + (1 | g)"))
    assert own_words(message), message


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str) -> None:
    message = said(lambda: model(**MODELS[name]))
    assert own_words(message), message


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name: str) -> None:
    message = said(lambda: model().fit(**(FAST | SETTINGS[name])))
    assert own_words(message), message


@pytest.mark.parametrize("name", DOORS)
def test_doors(name: str, fits: Mapping[str, hm.Fit]) -> None:
    message = said(lambda: DOORS[name](fits))
    assert own_words(message), message


def test_long_values_are_cut_and_numbers_plain() -> None:
    message = said(lambda: model(family="binomial", trials=[np.int64(9)] * N))
    assert "trials is [9, 9, 9, ...]" in message
    with pytest.raises(hm.ArgumentError, match=r"between 0 and 1, not 1\.5"):
        model().fit(adapt_delta=np.float64(1.5))


def test_whole_numbers_of_any_storage_are_taken() -> None:
    fit = model().fit(**(FAST | {"draws": np.int16(20), "seed": np.uint8(1)}))
    assert fit.predict(frame(), kind="response", seed=np.int64(4)).sizes["draw"] == 20
    assert isinstance(fit.plot_check(figsize=(4, np.float64(3))).figure, Figure)


def test_functions_of_formulas_take_what_is_written_of_them() -> None:
    """The table of arguments and the functions themselves, each argument by name."""
    import inspect
    from importlib import import_module

    from hiermix.formula.arguments import TAKES
    from hiermix.formula.names import TRANSFORMS

    for name, takes in TAKES.items():
        module, _, attribute = TRANSFORMS[name].partition(":")
        parameters = inspect.signature(getattr(import_module(module), attribute)).parameters
        real = [each for each in parameters if not each.startswith("_")]
        optional = [each for each, kind in takes.items() if kind is not None and each != "*"]
        assert set(optional) <= set(real), name
        assert len([each for each in takes if each != "*"]) <= len(real), name
        if not TRANSFORMS[name].startswith("numpy"):
            assert len([each for each in takes if each != "*"]) == len(real), name
