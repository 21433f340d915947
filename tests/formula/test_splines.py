"""Splines and the other transforms that remember the fit: as documented, in new data too."""

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline

import hiermix as hm
from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.formula.formula import parse


def frame(rows: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "y": rng.normal(size=rows),
            "t": np.r_[0.0, 10.0, rng.uniform(0, 10, rows - 2)],
            "x": rng.normal(size=rows),
            "f": rng.choice(["u", "v"], rows),
            "g": rng.permutation(np.arange(rows) % 6),
        }
    )


def design(right: str, data: pd.DataFrame | None = None) -> Design:
    return build(parse(f"y ~ {right}"), frame() if data is None else data)


def spanned(X: np.ndarray, columns: np.ndarray) -> bool:
    """Tell whether columns are combinations of those of X."""
    left = columns - X @ np.linalg.lstsq(X, columns, rcond=None)[0]
    return bool(np.abs(left).max() < 1e-8 * np.abs(columns).max())


def natural(t: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the natural cubic splines that are one at one knot and zero at the others."""
    each = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    return np.asarray(each(t))


@pytest.mark.parametrize("spline", ["cr(t, knots=[3, 6])", "cs(t, knots=[3, 6])"])
@pytest.mark.parametrize("sum_", ["{}", "0 + {}", "0 + f + {}", "x + {}", "0 + x + {}"])
def test_natural_splines_span_what_they_should(spline: str, sum_: str) -> None:
    found = design(sum_.format(spline))
    X, t = found.X(), frame()["t"].to_numpy()
    assert np.linalg.matrix_rank(X) == X.shape[1]
    assert spanned(X, natural(t, np.array([0, 3, 6, 10.0])))


def test_cyclic_splines_meet_at_their_ends() -> None:
    found = design("cc(t, df=4)")
    ends = found.on(frame().head(2)).X()
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-12)
    assert np.linalg.matrix_rank(found.X()) == 5


@pytest.mark.parametrize("spline", ["cr(t, df=5)", "cc(t, df=5)", "0 + f + cr(t, df=4)"])
def test_beside_an_intercept_a_spline_has_mean_zero(spline: str) -> None:
    found = design(spline)
    places = [place for place, label in enumerate(found.terms) if "(t" in label]
    np.testing.assert_allclose(found.X()[:, places].mean(axis=0), 0, atol=1e-12)


def test_all_columns_can_be_asked_for() -> None:
    assert len(design("0 + cr(t, df=5, constraints='center')").terms) == 5
    np.testing.assert_allclose(design("0 + cr(t, df=5)").X().sum(axis=1), 1)
    np.testing.assert_allclose(design("0 + cr(t, df=5, constraints=None)").X().sum(axis=1), 1)
    with pytest.raises(hm.DataError, match="leave out constraints=None, or write 0"):
        design("cr(t, df=5, constraints=None)")


REMEMBER = (
    "center(t)",
    "scale(t)",
    "standardize(t)",
    "scale(t, scale=False)",
    "poly(t, 3)",
    "poly(t, 2, raw=True)",
    "bs(t, df=5)",
    "bs(t, knots=[2, 5], degree=2)",
    "bs(t, df=5, include_intercept=True)",
    "cr(t, df=5)",
    "cs(t, knots=[2, 5])",
    "cc(t, df=5)",
    "cr(sqrt(t), df=4)",
    "f * cr(t, df=4)",
    "0 + f:cr(t, df=4)",
    "0 + cr(t, df=4, lower_bound=-1, upper_bound=12)",
)


@pytest.mark.parametrize("right", REMEMBER)
def test_transforms_remember_the_fit(right: str) -> None:
    """Rows mean what they meant, one at a time and among others of another spread."""
    found = design(right)
    rows = [0, 7, 30]
    for row in rows:
        np.testing.assert_allclose(found.on(frame().iloc[[row]]).X(), found.X()[[row]], atol=1e-12)
    np.testing.assert_allclose(found.on(frame().iloc[rows]).X(), found.X()[rows], atol=1e-12)
    assert np.linalg.matrix_rank(found.X()) == found.X().shape[1]
    bar = build(parse(f"y ~ x + ({right} | g)"), frame())
    np.testing.assert_allclose(bar.on(frame().iloc[rows]).Z("g"), bar.Z("g")[rows], atol=1e-12)


def test_natural_splines_go_on_straight_outside() -> None:
    found = design("cr(t, df=5)")
    X = found.on(frame().head(3).assign(t=[11.0, 12.0, 13.0])).X()
    np.testing.assert_allclose(X[2] - X[1], X[1] - X[0], atol=1e-10)


@pytest.mark.parametrize("spline", ["bs(t, df=5)", "cr(t, df=5, extrapolation='raise')"])
def test_values_outside_are_refused_unless_it_is_said_what_holds(spline: str) -> None:
    with pytest.raises(hm.DataError, match=r"from 0 to 10, .* 1 lie outside: 10\.5\. Say what"):
        design(spline).on(frame().head(3).assign(t=[1.0, 10.5, 2.0]))
    clipped = "bs(t, df=5, extrapolation='clip')"
    ends = design(clipped).on(frame().head(2).assign(t=[10.0, 12.0])).X()
    np.testing.assert_array_equal(ends[0], ends[1])


WRONG = [
    ("cr(t)", r"cr\(\) takes df, the number of columns, or knots"),
    ("cc(t, df=3, knots=[2])", r"cc\(\) takes df"),
    ("cr(t, df=1)", "df is a whole number from 2 up, not 1"),
    ("bs(t, df=2)", "df is a whole number from 3 up, not 2"),
    ("bs(t, df=4.5)", "df is a whole number from 0 up, not 4.5"),
    ("bs(t, df=5, degree=-1)", "degree is a whole number from 0 up"),
    ("cr(t, df=5, extrapolation='no')", "extrapolation is one of 'raise', 'clip', .*, not 'no'"),
]


@pytest.mark.parametrize(("right", "message"), WRONG)
def test_wrong_arguments_are_answered(right: str, message: str) -> None:
    with pytest.raises(hm.HiermixError, match=message) as caught:
        design(right)
    assert "Unable to evaluate" not in str(caught.value)
