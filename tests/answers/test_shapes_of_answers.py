"""Elasticities, changes of several variables at once, transforms, grids with empty cells."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import ArgumentError, UnseenError


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(41)
    rows = 150
    frame = pd.DataFrame({
        "a": rng.choice(list("pq"), rows), "b": rng.choice(list("uvw"), rows),
        "x": rng.normal(3.0, 1.0, rows), "g": np.arange(rows) % 10,
    })  # fmt: skip
    frame = frame[(frame["a"] != "q") | (frame["b"] != "w")].reset_index(drop=True)
    mean = np.exp(0.3 * frame["x"] + 0.2 * (frame["a"] == "q"))
    return frame.assign(n=rng.poisson(mean))


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> hm.Fit:
    model = hm.Model("n ~ x + a + (1 | g)", data, family="poisson")
    return model.fit(seed=1, draws=200, progress=False)


@pytest.fixture(scope="module")
def with_empty_cell(data: pd.DataFrame) -> hm.Fit:
    with pytest.warns(hm.HiermixWarning, match="1 combination of a:b has no rows"):
        model = hm.Model("n ~ a * b + (1 | g)", data)
    return model.fit(seed=1, draws=200, progress=False)


def means(fit: hm.Fit, frame: pd.DataFrame) -> np.ndarray:
    """Mean responses (chain, draw, row)."""
    return fit.predict(frame).to_numpy()


@pytest.mark.parametrize("slope", ["dydx", "eyex", "eydx", "dyex"])
@pytest.mark.parametrize("by", [None, "a"])
def test_slopes_of_shares_are_those_of_averages(
    fit: hm.Fit, data: pd.DataFrame, slope: str, by: str | None
) -> None:
    """Counts have dy / dx = b y; sums over the rows of a cell are divided by sums."""
    y, b, x = means(fit, data), fit["b[x]"].to_numpy()[..., None], data["x"].to_numpy()
    top = b * y * (x if slope.endswith("ex") else 1.0)
    bottom = y if slope.startswith("ey") else np.ones_like(y)
    if by is None:
        expected = top / bottom
    else:
        cells = [(data["a"] == level).to_numpy() for level in "pq"]
        expected = np.stack(
            [top[..., cell].mean(-1) / bottom[..., cell].mean(-1) for cell in cells], axis=-1
        )
    found = fit.slopes("x", slope=slope, by=by)
    assert np.allclose(found.draws, expected, rtol=1e-4)
    assert set(found.labels["contrast"]) == {f"{slope[:2]}/{slope[2:]}"}


def test_an_elasticity_is_a_percent_of_a_percent(fit: hm.Fit, data: pd.DataFrame) -> None:
    found = fit.slopes("x", slope="eyex", by=True).draws[..., 0]
    y = means(fit, data).mean(-1)
    more = means(fit, data.assign(x=data["x"] * 1.0001)).mean(-1)
    assert np.allclose(found, (more / y - 1) / 0.0001, rtol=2e-3)


@pytest.mark.parametrize("scale", ["response", "ratio"])
def test_crossed_changes_are_made_at_once(fit: hm.Fit, data: pd.DataFrame, scale: str) -> None:
    found = fit.comparisons(
        {"x": 2, "a": "pairwise"}, cross=True, by=True, scale=scale, over="these groups"
    )
    low = means(fit, data.assign(a="p")).mean(-1)
    high = means(fit, data.assign(a="q", x=data["x"] + 2)).mean(-1)
    expected = high - low if scale == "response" else high / low
    assert np.allclose(found.draws[..., 0], expected)
    row = found.table().iloc[0]
    assert (row["term"], row["contrast"]) == (
        "x, a", "+2, q - p" if scale == "response" else "+2, q / p"
    )  # fmt: skip


def test_every_change_is_crossed_with_every_other(with_empty_cell: hm.Fit) -> None:
    one = with_empty_cell.comparisons({"b": ["u", "v"], "a": "reference"}, cross=True, by=True)
    assert len(one) == 1
    fit = with_empty_cell
    several = fit.comparisons({"g": [0, 1, 2], "a": ["p", "p"]}, cross=True, by=True)
    assert several.labels["contrast"].tolist() == ["1 - 0, p - p", "2 - 0, p - p"]
    alone = fit.comparisons({"g": [0, 1, 2]}, by=True, newdata=fit.design.frame.assign(a="p"))
    assert np.allclose(several.draws, alone.draws)


def test_a_transform_is_of_the_draws(fit: hm.Fit) -> None:
    plain = fit.comparisons("x", by=True, scale="linear")
    found = fit.comparisons("x", by=True, scale="linear", transform=np.exp)
    assert np.allclose(found.draws, np.exp(plain.draws))
    assert found.null == 1.0  # no difference of logs is a ratio of one
    assert found.table()["probability"].equals(plain.table()["probability"])
    assert np.allclose(fit.means("a", transform=np.log).draws, np.log(fit.means("a").draws))
    pairs = fit.means("a", scale="linear", hypothesis="pairwise", transform=np.exp)
    assert np.allclose(pairs.draws[..., 0], np.exp(fit["a[T.q]"]))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (lambda fit: fit.slopes("x", slope="elasticity"), "slope must be one of dydx, eyex"),
        (lambda fit: fit.slopes("x", transform="exp"), "transform is a function such as np.exp"),
        (lambda fit: fit.slopes("x", transform=np.mean), "a number for each number"),
    ],
)
def test_what_is_no_slope_and_no_transform(fit: hm.Fit, question: object, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        question(fit)  # type: ignore[operator]


def test_a_grid_with_a_cell_that_no_row_has_says_what_to_ask(with_empty_cell: hm.Fit) -> None:
    with pytest.raises(UnseenError, match=r"a='q', b='w' .* wts='cells' weighs combinations"):
        with_empty_cell.means("a")


def test_cells_weigh_what_rows_have(with_empty_cell: hm.Fit, data: pd.DataFrame) -> None:
    fit = with_empty_cell
    found = fit.means("a", wts="cells", over="typical group")
    cells = data.groupby(["a", "b"], as_index=False).size()
    each = fit.predict(cells.assign(g="new"), new_groups="population").to_numpy()
    for place, level in enumerate("pq"):
        some = (cells["a"] == level).to_numpy()
        share = cells["size"].to_numpy()[some] / cells["size"][some].sum()
        assert np.allclose(found.draws[..., place], each[..., some] @ share)
    assert len(fit.means(["a", "b"], wts="cells")) == 5
