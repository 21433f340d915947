"""Effects that are not kept: the same numbers as if they were, in every door, in little memory."""

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix import memory
from hiermix.statistics.conditional_effects import Hyperdraws, OneFactor
from hiermix.statistics.gram import Gram

pytestmark = pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")  # few draws

FIT = {"seed": 1, "chains": 2, "warmup": 150, "draws": 60, "progress": False}
FORMULAS = {
    "intercepts": "y ~ x + (1 | site)",
    "slopes": "y ~ x + (1 + x | site)",
    "nested": "y ~ x + (1 | town) + (1 + x | town:site)",
    "crossed": "y ~ x + (x | site) + (1 | town)",
    "strata of groups": "y ~ x + (1 + x | gr(site, by=half))",
    "strata": ["y ~ x + (1 + x | site)", "sigma ~ town"],
}


def frame(rows: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    site, town = rng.integers(0, 9, rows), rng.integers(0, 3, rows)
    x = rng.normal(5, 1, rows)
    y = x + 0.5 * site * x + town + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "site": site, "town": np.array(["a", "b", "c"])[town],
                         "half": site // 5})  # fmt: skip


@pytest.fixture(scope="module", params=FORMULAS)
def pair(request: pytest.FixtureRequest) -> tuple[hm.Fit, hm.Fit]:
    model = hm.Model(FORMULAS[request.param], frame())
    return model.fit(**FIT, memory="1 GB"), model.fit(**FIT, memory=0)


def same(kept: object, drawn: object) -> None:
    """To the last bit, but that sums of products may be fused in one place and not in another."""
    if isinstance(kept, pd.DataFrame):
        pd.testing.assert_frame_equal(kept, drawn, rtol=1e-10, atol=1e-12)
    else:
        np.testing.assert_allclose(np.asarray(kept), np.asarray(drawn), rtol=1e-10, atol=1e-12)


def factors(fit: hm.Fit) -> list[str]:
    return [each.name for each in fit.design.groupings]


def test_every_door_has_the_same_numbers(pair: tuple[hm.Fit, hm.Fit]) -> None:
    kept, drawn = pair
    later = frame(12).assign(
        site=[*range(6), *range(94, 100)], town="b", half=lambda d: d["site"].between(5, 95) * 1
    )
    for group in factors(kept):
        same(kept.group_effects(group), drawn.group_effects(group))
        same(kept.coefficients(group), drawn.coefficients(group))
        same(kept.levels(group).table(), drawn.levels(group).table())
        same(kept.ranks(group).table(), drawn.ranks(group).table())
        same(kept.plot_groups(group).data, drawn.plot_groups(group).data)
        same(kept.plot_shrinkage(group).data, drawn.plot_shrinkage(group).data)
        name = f"r_{group}"
        same(kept.data.posterior[name][1, 3:9, ::-2], drawn.data.posterior[name][1, 3:9, ::-2])
    for kind in ("linear", "mean", "response"):
        same(kept.predict(kind=kind), drawn.predict(kind=kind))
    for policy in ("population", "sample", "update"):
        same(kept.predict(later, new_groups=policy), drawn.predict(later, new_groups=policy))
    same(kept.predictions(by="town").table(), drawn.predictions(by="town").table())
    same(kept.summary(), drawn.summary())
    same(kept.loo().elpd_i, drawn.loo().elpd_i)
    same(kept.variance_table(), drawn.variance_table())
    label = kept.design.groupings[-1].levels[2]
    about = f"{factors(kept)[-1]}[{label}, Intercept] > 0"
    same(kept.hypothesis(about), drawn.hypothesis(about))


def test_a_file_has_what_they_are_drawn_from(pair: tuple[hm.Fit, hm.Fit], tmp_path: Path) -> None:
    kept, drawn = pair
    drawn.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    loaded.save(tmp_path / "again.nc")
    for fit in (loaded, hm.load(tmp_path / "again.nc"), pickle.loads(pickle.dumps(drawn))):
        for group in factors(kept):
            pd.testing.assert_frame_equal(kept.group_effects(group), fit.group_effects(group),
                                          rtol=1e-10)  # fmt: skip


def test_a_table_goes_into_a_file(
    pair: tuple[hm.Fit, hm.Fit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiermix.posterior.draw_arrays._BLOCK", 500)  # some levels at a time
    kept, drawn = pair
    for group in factors(kept):
        path = drawn.group_effects(group, into=tmp_path / "effects.parquet")
        expected = kept.group_effects(group).reset_index()
        pd.testing.assert_frame_equal(
            pd.read_parquet(path), expected, check_dtype=False, rtol=1e-12
        )
    assert [each.name for each in tmp_path.iterdir()] == ["effects.parquet"]


def test_tables_have_one_format(pair: tuple[hm.Fit, hm.Fit]) -> None:
    with pytest.raises(hm.ArgumentError, match=r"into= must end in \.parquet, not"):
        pair[1].group_effects(factors(pair[1])[0], into="effects.xlsx")


def test_statistics_without_rows_keep_the_recipe_too(tmp_path: Path) -> None:
    model = hm.Model.from_statistics(hm.statistics("y ~ x + (1 + x | site)", frame()))
    kept, drawn = model.fit(**FIT), model.fit(**FIT, memory=0)
    drawn.save(tmp_path / "fit.nc")
    same(kept.group_effects("site"), drawn.group_effects("site"))
    pd.testing.assert_frame_equal(
        kept.coefficients("site"), hm.load(tmp_path / "fit.nc").coefficients("site"), rtol=1e-10
    )


def test_the_prior_has_effects_too() -> None:
    model = hm.Model("y ~ x + (1 | site)", frame())
    kept, drawn = (model.fit(**FIT, prior_only=True, memory=each) for each in ("1 GB", 0))
    same(kept.group_effects("site"), drawn.group_effects("site"))


def test_draws_that_were_thinned_have_their_effects(tmp_path: Path) -> None:
    model = hm.Model("y ~ x + (1 | site)", frame())
    kept, drawn = (model.fit(**FIT, memory=each) for each in ("1 GB", 0))
    for fit in (kept, drawn):
        tree = type(fit.data)
        fit.data["posterior"] = tree(fit.data.posterior.to_dataset().isel(draw=slice(5, 50, 3)))
    same(kept.group_effects("site"), drawn.group_effects("site"))
    same(kept.predict(), drawn.predict())
    with pytest.raises(hm.DataError, match="some of the draws were chosen"):
        drawn.save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())
    drawn.data["posterior"] = drawn.data["posterior"].load()
    drawn.save(tmp_path / "fit.nc")
    same(kept.group_effects("site"), hm.load(tmp_path / "fit.nc").group_effects("site"))


def test_too_much_at_once_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda: 20_000)
    fit = hm.Model("y ~ x + (1 | site)", frame()).fit(**FIT)
    with pytest.raises(hm.DataError, match=r"9 levels of 'site' take 8.64 kB, more than the 5 kB"):
        fit.data.posterior["r_site"].to_numpy()
    assert fit.data.posterior["r_site"][:, :, 2:4].to_numpy().shape == (2, 60, 2, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(0, 0), (2.5e6, 2_500_000), ("2 GB", 2_000_000_000), ("1.5KiB", 1536), ("64 mb", 64_000_000),
     ("12", 12)],
)  # fmt: skip
def test_memory_is_said_in_bytes_or_in_words(given: float | str, expected: int) -> None:
    assert memory.budget(given) == expected


@pytest.mark.parametrize("given", [-1, True, "much", "2 XB", np.nan, [1]])
def test_other_amounts_are_errors(given: object) -> None:
    with pytest.raises(hm.ArgumentError, match="memory takes a number of bytes, or text"):
        memory.budget(given)  # type: ignore[arg-type]


def test_a_quarter_of_what_is_free_is_the_default() -> None:
    assert 0 < memory.budget(None) < memory.free()


def test_a_table_of_very_many_levels_takes_little_memory(tmp_path: Path) -> None:
    # 20,000 levels x 500 draws would be 80 MB.
    rng, J, S = np.random.default_rng(1), 20_000, 500
    gram = Gram(1.0, np.zeros(1), np.zeros(1), np.eye(1), 1.0, rng.uniform(1, 9, (J, 1, 1)),
                rng.normal(size=(J, 1, 2)))  # fmt: skip
    draws = Hyperdraws(rng.normal(size=(S, 1)), {"sigma": np.ones(S)}, np.ones((S, 1, 1)))
    effects = OneFactor(gram, draws, "g", list(map(str, range(J))), 1)
    tracemalloc.start()
    for start in range(0, J, 1000):
        effects.of_levels("g", np.arange(start, start + 1000))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
