"""Fits of rows that have several levels of one factor: recovery, labels, new levels, doors."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import DataError, HiermixError
from tests.invented import invented

ROWS, J = 300, 12
FORMULA = "y ~ x + (1 | mm(a, b, weights=cbind(w, v)))"


def truth() -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, J)


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    a = rng.integers(0, J, ROWS)
    b = (a + rng.integers(1, J, ROWS)) % J
    w, v, x = rng.uniform(0.2, 1, ROWS), rng.uniform(0.2, 1, ROWS), rng.normal(size=ROWS)
    u = truth()
    eta = 0.3 * x + (w * u[a] + v * u[b]) / (w + v)
    names = np.array([f"s{j:02d}" for j in range(J)])
    return pd.DataFrame({"x": x, "a": names[a], "b": names[b], "w": w, "v": v,
                         "y": eta + rng.normal(0, 0.4, ROWS), "t": np.arange(ROWS),
                         "c": rng.poisson(np.exp(eta)),
                         "f": rng.choice(["k", "l"], ROWS)})  # fmt: skip


@pytest.fixture(scope="module")
def fits() -> dict[str, hm.Fit]:
    return {
        effects: hm.Model(FORMULA, frame(), effects=effects).fit(
            seed=1, warmup=300, draws=500, progress=False
        )
        for effects in ("integrated", "sampled")
    }


@pytest.fixture
def fit(fits: dict[str, hm.Fit]) -> hm.Fit:
    return fits["integrated"]


def test_effects_are_found_whatever_column_a_label_stands_in(fit: hm.Fit) -> None:
    posterior = fit.data.posterior
    r = posterior["r_mm(a, b)"]
    assert r["mm(a, b)"].to_numpy().tolist() == [f"s{j:02d}" for j in range(J)]
    apart = r[..., 0] - r[..., 0].mean("mm(a, b)")
    error = (apart.mean(("chain", "draw")) - (truth() - truth().mean())) / apart.std(
        ("chain", "draw")
    )
    assert np.abs(error).max() < 4  # of 12
    assert 0.5 < float(posterior["sd_mm(a, b)"].mean()) < 1.8


def test_one_posterior_integrated_and_sampled(fits: dict[str, hm.Fit]) -> None:
    from arviz_stats import mcse

    one, two = (fits[effects].data.posterior for effects in ("integrated", "sampled"))
    for name in ("Intercept", "sigma", "sd_mm(a, b)", "r_mm(a, b)"):
        first, second = (each[name].to_numpy() for each in (one, two))
        first, second = (each.reshape(*each.shape[:2], -1) for each in (first, second))
        for k in range(first.shape[2]):
            error = np.hypot(*(float(mcse(e[:, :, k], method="mean")) for e in (first, second)))
            assert abs(first[:, :, k].mean() - second[:, :, k].mean()) < 5 * error, (name, k)


def test_predictions_add_up_parts_of_effects(fit: hm.Fit) -> None:
    posterior, new = fit.data.posterior, frame().iloc[[5, 9]]
    eta = fit.predict(new, kind="linear").transpose("row", "chain", "draw")
    r = posterior["r_mm(a, b)"][..., 0]
    for place, row in enumerate(new.itertuples()):
        parts = np.array([row.w, row.v]) / (row.w + row.v)
        level = sum(part * r.sel({"mm(a, b)": label}, drop=True)
                    for part, label in zip(parts, (row.a, row.b), strict=True))  # fmt: skip
        expected = posterior["Intercept"] + posterior["b"].sel(term="x") * row.x + level
        np.testing.assert_allclose(eta[place], expected, rtol=1e-10)
    turned = new.rename(columns={"a": "b", "b": "a", "w": "v", "v": "w"})
    np.testing.assert_allclose(fit.predict(turned, kind="linear"), fit.predict(new, kind="linear"))


def test_new_levels_are_one_group_wherever_they_stand(fit: hm.Fit) -> None:
    row = frame().iloc[[5]].assign(w=1.0, v=1.0)
    new = pd.concat([row.assign(a="new", b="s03"), row.assign(a="s03", b="new"),
                     row.assign(a="new", b="new")])  # fmt: skip
    with pytest.raises(DataError, match=r"1 label of .* not in the fit: 'new'"):
        fit.predict(new)
    eta = fit.predict(new, kind="linear", new_groups="sample").transpose("row", ...).to_numpy()
    np.testing.assert_allclose(eta[0], eta[1], rtol=1e-12)
    zero = fit.predict(new, kind="linear", new_groups="population").transpose("row", ...).to_numpy()
    np.testing.assert_allclose(eta[2] - zero[2], 2 * (eta[0] - zero[0]), rtol=1e-8, atol=1e-10)
    spread = fit.data.posterior["sd_mm(a, b)"].to_numpy()[..., 0]
    drawn = (eta[2] - zero[2]) / spread
    assert abs(drawn.std() - 1) < 5 / np.sqrt(2 * drawn.size)
    with pytest.raises(DataError, match="new_groups='update' knows rows of one level"):
        fit.predict(new, new_groups="update")


def test_doors(fit: hm.Fit, tmp_path: Path) -> None:
    data = frame()
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(
        again.predict(data.head(3), kind="mean"), fit.predict(data.head(3), kind="mean")
    )
    assert np.isfinite(fit.loo().elpd)
    for over in ("these groups", "typical group", "new group", "population"):
        assert np.isfinite(fit.predictions(data.head(3), over=over).table()["estimate"]).all()
    posterior = fit.data.posterior
    parts = data[["w", "v"]].to_numpy() / data[["w", "v"]].sum(axis=1).to_numpy()[:, None]
    share = np.mean(np.sum(parts**2, axis=1))
    found = fit.variance()["variance"].sel(component="mm(a, b)")
    np.testing.assert_allclose(found, share * posterior["sd_mm(a, b)"][..., 0] ** 2, rtol=1e-10)
    assert len(fit.ranks("mm(a, b)").table()) == J
    assert len(fit.group_effects("mm(a, b)")) == J
    half = fit.model.of_rows(np.arange(0, ROWS, 2))
    np.testing.assert_array_equal(half.design.groupings[0].codes.shape, (ROWS // 2, 2))
    for ask in (
        lambda: fit.loo(by="mm(a, b)"),
        lambda: fit.plot_shrinkage("mm(a, b)"),
    ):
        with pytest.raises(HiermixError):
            ask()


WRONG = [
    ("y ~ (1 | mm(a, zz))", "formula names 'zz'"),
    ("y ~ (1 | mm(a, b, weights=cbind(w, f)))", "weights of mm() are numbers: column 'f'"),
    ("y ~ (1 | mm(a, b, weights=cbind(w, minus)))", "column 'minus' has -1 (row 3)"),
    ("y ~ (1 | mm(a, b, weights=cbind(none, none)))", "add up to zero (row 2)"),
    ("y ~ (1 | mm(a, gone))", "column 'gone' has 1 missing value (row 4)"),
    ("y ~ (1 | mm(same, same2))", "has one level"),
]


@pytest.mark.parametrize(("formula", "message"), WRONG, ids=[text for text, _ in WRONG])
def test_what_is_no_membership_is_said(formula: str, message: str) -> None:
    data = frame().assign(same="s", same2="s", minus=1.0, none=1.0)
    data.loc[3, "minus"], data.loc[2, "none"] = -1.0, 0.0
    data["gone"] = data["b"].where(data.index != 4)
    with pytest.raises(HiermixError, match=re.escape(message)):
        hm.Model(formula, data)


def test_counts_have_memberships_too() -> None:
    fit = hm.Model("c ~ x + (1 + x | mm(a, b)) + (1 | f)", frame(), family="poisson").fit(
        seed=1, chains=2, warmup=200, draws=200, progress=False
    )
    assert fit.model.program_name == "poisson"
    r = fit.data.posterior["r_mm(a, b)"].sel({"mm(a, b)_effect": "Intercept"})
    assert np.corrcoef(r.mean(("chain", "draw")), truth())[0, 1] > 0.8
    assert np.isfinite(fit.predict(frame().head(3)).to_numpy()).all()


def test_categories_have_effects_of_their_own() -> None:
    data = frame().assign(kind=lambda d: np.where(d["y"] < -0.4, "low", "high"))
    data.loc[data["y"] > 0.6, "kind"] = "top"
    fit = hm.Model("kind ~ x + (1 | mm(a, b))", data, family="categorical").fit(
        seed=1, chains=2, warmup=150, draws=100, progress=False
    )
    r = fit.data.posterior["r_mm(a, b)"].mean(("chain", "draw"))
    assert r.sizes["category"] == 2
    assert np.corrcoef(r.sel(category="top")[:, 0], truth())[0, 1] > 0.5
    assert "sd[mm(a, b), top, Intercept]" in fit.model.priors


def test_populations_are_of_rows_that_have_several_new_groups() -> None:
    """Of a log link exp(eta + v / 2): the parts of different groups add up as squares."""
    fit = invented("c ~ x + (1 | mm(a, b, weights=cbind(w, v)))", frame(), "poisson")
    rows = frame().head(4).assign(w=[1.0, 3.0, 1.0, 1.0], v=[1.0, 1.0, 0.0, 1.0])
    rows.loc[3, "b"] = rows.loc[3, "a"]
    eta = fit.predictions(rows, over="typical group", scale="linear").draws.to_numpy()
    square = fit.data.posterior["sd_mm(a, b)"].to_numpy() ** 2
    shares = np.array([1 / 2, 10 / 16, 1.0, 1.0])
    found = fit.predictions(rows, over="population").draws.to_numpy()
    np.testing.assert_allclose(found, np.exp(eta + shares * square / 2), rtol=1e-6)
    grid = hm.datagrid(x=[0.0, 1.0])
    eta = fit.predictions(grid, over="typical group", scale="linear").draws.to_numpy()
    found = fit.predictions(grid, over="population").draws.to_numpy()
    np.testing.assert_allclose(found, np.exp(eta + square / 2), rtol=1e-6)
    moved = fit.predictions(rows, over="new group", scale="linear").draws.to_numpy()
    alone = fit.predictions(rows, over="typical group", scale="linear").draws.to_numpy()
    first, mixed, only, same = np.moveaxis(moved - alone, -1, 0)
    np.testing.assert_allclose(same, only, rtol=1e-12)
    other = 2 * first - only
    np.testing.assert_allclose(mixed, 0.75 * only + 0.25 * other, rtol=1e-10)


# A number of each membership ---------------------------------------------------------------------

OWN = "y ~ 1 + (1 + mmc(x, z) | mm(a, b, weights=cbind(w, v)))"


@pytest.fixture(scope="module")
def own() -> hm.Fit:
    data = numbered()
    return hm.Model(OWN, data).fit(seed=1, chains=2, warmup=200, draws=200, progress=False)


def numbered() -> pd.DataFrame:
    data, rng = frame(), np.random.default_rng(4)
    data["z"], slope = rng.normal(2, 1, ROWS), slopes()
    a, b = (data[name].str[1:].astype(int) for name in ("a", "b"))
    total = data["w"] + data["v"]
    moved = (data["w"] * data["x"] * slope[a] + data["v"] * data["z"] * slope[b]) / total
    return data.assign(y=data["y"] - 0.3 * data["x"] + moved)


def slopes() -> np.ndarray:
    return np.random.default_rng(9).normal(0, 0.8, J)


def test_slopes_of_memberships_are_found_and_add_up_by_weight(own: hm.Fit) -> None:
    r = own.data.posterior["r_mm(a, b)"]
    r = r.rename({"mm(a, b)": "level", "mm(a, b)_effect": "effect"})
    level, slope = (r.sel(effect=name, drop=True) for name in ("Intercept", "mmc(x, z)"))
    error = (slope.mean(("chain", "draw")) - slopes()) / slope.std(("chain", "draw"))
    assert np.abs(error).max() < 4.5  # of 12
    new = numbered().iloc[[5, 9]]
    eta = own.predict(new, kind="linear").transpose("row", "chain", "draw")
    for place, row in enumerate(new.itertuples()):
        parts = np.array([row.w, row.v]) / (row.w + row.v)
        each = zip(parts, (row.a, row.b), (row.x, row.z), strict=True)
        expected = own.data.posterior["Intercept"] + sum(
            part * (level.sel(level=name, drop=True) + number * slope.sel(level=name, drop=True))
            for part, name, number in each
        )
        np.testing.assert_allclose(eta[place], expected, rtol=1e-10)
    # Whatever stands in which column.
    turned = new.rename(columns={"a": "b", "b": "a", "w": "v", "v": "w", "x": "z", "z": "x"})
    np.testing.assert_allclose(own.predict(turned, kind="linear"), own.predict(new, kind="linear"))


def test_slopes_of_new_levels_are_zero_or_drawn_from_their_spread(own: hm.Fit) -> None:
    row = numbered().iloc[[5]].assign(a="new", w=1.0, v=0.0)
    zero = own.predict(row, kind="linear", new_groups="population").to_numpy().ravel()
    np.testing.assert_allclose(zero, own.data.posterior["Intercept"].to_numpy().ravel())
    pair = pd.concat([row.assign(x=0.0), row.assign(x=1.0), row.assign(x=3.0)])
    eta = own.predict(pair, kind="linear", new_groups="sample").transpose("row", ...).to_numpy()
    np.testing.assert_allclose(eta[2] - eta[0], 3 * (eta[1] - eta[0]), rtol=1e-8, atol=1e-10)
    spread = own.data.posterior["sd_mm(a, b)"].sel({"mm(a, b)_effect": "mmc(x, z)"}).to_numpy()
    drawn = ((eta[1] - eta[0]) / spread).ravel()
    assert abs(drawn.std() - 1) < 5 / np.sqrt(2 * len(drawn))


def test_doors_of_slopes_of_memberships(own: hm.Fit, tmp_path: Path) -> None:
    data = numbered().head(3)
    own.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(data), own.predict(data))
    assert str(again.model.design.formula) == OWN
    assert np.isfinite(own.loo().elpd)
    for over in ("these groups", "typical group", "new group", "population"):
        assert np.isfinite(own.predictions(data, over=over).table()["estimate"]).all()
    with pytest.raises(HiermixError, match=re.escape("a number of its own, mmc()")):
        own.variance()
    with pytest.raises(HiermixError, match=re.escape("statistics know nothing of mmc(x, z)")):
        hm.statistics(OWN, numbered())


def test_averages_of_counts_over_all_groups_are_refused() -> None:
    formula = OWN.replace("y", "c", 1)
    r = invented(formula, numbered(), "poisson")
    assert np.isfinite(
        r.predictions(numbered().head(2), over="new group").table()["estimate"]
    ).all()
    with pytest.raises(HiermixError, match="no average over all groups"):
        r.predictions(numbered().head(2), over="population")


OWN_WRONG = [
    ("y ~ mmc(x, z) + (1 | mm(a, b))", "it stands left of a bar alone"),
    ("y ~ (1 + mmc(x, z) | a)", "stands beside memberships: (1 + mmc(x, z) | mm(g1, g2))"),
    ("y ~ (1 + mmc(x, z, w) | mm(a, b))", "mmc(x, z, w) has 3 columns, and mm(a, b) 2"),
    ("y ~ (1 + mmc(x) | mm(a, b))", "a column for each membership of a row: two or more"),
    ("y ~ (1 + mmc(x, f) | mm(a, b))", "column 'f' holds text, and mmc() needs numbers"),
    ("y ~ (1 + mmc(x, gone) | mm(a, b))", "column 'gone' has 1 missing value (row 4)"),
    ("y ~ (1 + mmc(same, same) | mm(a, b))", "mmc(same, same) is 1 in all memberships"),
    ("y ~ (1 + mmc(x, z):w | mm(a, b))", "in no product of terms"),
]


@pytest.mark.parametrize(("formula", "message"), OWN_WRONG, ids=[text for text, _ in OWN_WRONG])
def test_what_is_no_number_of_memberships_is_said(formula: str, message: str) -> None:
    data = numbered().assign(same=1.0)
    data["gone"] = data["x"].where(data.index != 4)
    with pytest.raises(HiermixError, match=re.escape(message)):
        hm.Model(formula, data)
