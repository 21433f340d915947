"""What notebooks and regression tables show: numbers of the tables, in plain HTML."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SAMPLE: dict[str, Any] = {"seed": 1, "chains": 2, "draws": 200, "progress": False}


class Page(HTMLParser):
    """Cells, pictures and unclosed elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.pictures = 0
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.pictures += tag == "svg"
        self.cells += [""] if tag in ("td", "th") else []
        if tag not in ("br", "line", "circle", "rect", "polyline", "polygon"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "circle", "rect", "polyline", "polygon"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("td", "th", "code"):
            self.cells[-1] += data


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(8), 12)
    frame = pd.DataFrame({"g": [f"<b>{k}" for k in g], "t": np.tile(np.arange(12.0), 8)})
    frame["y"] = 0.2 * frame["t"] + rng.normal(0, 1, 8)[g] + rng.normal(0, 0.5, 96)
    return frame


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> hm.Fit:
    return hm.Model("y ~ t + (1 | g)", data).fit(**SAMPLE)


def plain(text: str) -> Page:
    """Read a page, which is light, and has no colours of text or background of its own."""
    page = Page(text)
    assert not page.open
    assert len(text) < 30_000
    assert set(re.findall(r"background:([^;\"]+)", text)) == {"transparent"}
    assert set(re.findall(r"(?<!-)color:([^;\"]+)", text)) == {"inherit"}
    assert "<b><b>" not in text
    return page


def test_a_fit_shows_its_summary(fit: hm.Fit) -> None:
    page = plain(fit._repr_html_())
    assert [each for each in page.cells if "[" in each] == ["b[t]", "sd_g[Intercept]"]
    place = page.cells.index("b[t]")
    row = fit.summary().loc["b[t]"]
    assert page.cells[place + 1] == f"{row['mean']:.3g}"
    assert page.cells[place + 3] == f"{row['q97.5']:.3g}"
    assert page.pictures == 4


def test_a_model_shows_its_priors(fit: hm.Fit) -> None:
    page = plain(fit.model._repr_html_())
    assert page.cells[page.cells.index("b[t]") + 1] == str(fit.model.priors["b[t]"])
    assert "8 levels" in " ".join(page.cells)
    assert page.pictures == 1


def test_forecasts_show_their_series(fit: hm.Fit) -> None:
    forecast = fit.forecast(time="t", horizon=3)
    page = plain(forecast._repr_html_())
    assert "<b>0" in page.cells
    table = forecast.table(probs=[0.1, 0.9]).loc["<b>0"]
    last = page.cells[page.cells.index("<b>0") + 3]
    assert last.split(" ")[0] == f"{table['median'].iloc[-1]:.3g}"
    assert page.pictures == 8
    assert plain(forecast.total()._repr_html_()).pictures == 1
    rows = pd.DataFrame({"t": [20.0], "g": ["<b>1"]})
    assert fit.forecast(rows)._repr_html_() is None  # no times: text does


def test_a_fit_is_a_column_of_a_regression_table(fit: hm.Fit) -> None:
    """In the form that the package maketables reads, which need not be there."""
    table = fit.__maketables_coef_table__
    summary = fit.summary()
    assert table.index.tolist() == ["Intercept", "t", "sigma", "sd_g[Intercept]"]
    np.testing.assert_array_equal(table["b"], summary["mean"])
    np.testing.assert_array_equal(table["se"], summary["sd"])
    assert table["p"].isna().all()
    assert fit.__maketables_default_stat_keys__ == ["N", "N g"]
    assert (fit.__maketables_stat__("N"), fit.__maketables_stat__("N g")) == (96, 8)
    assert fit.__maketables_stat__("r2") is None
    assert fit.__maketables_depvar__ == "y"


def test_draws_have_the_names_of_hypotheses(fit: hm.Fit) -> None:
    names = fit._ipython_key_completions_()
    assert names[:4] == ["Intercept", "t", "sigma", "sd_g[Intercept]"]
    assert "g[<b>3, Intercept]" in names
    for name in names:
        assert fit[name].dims == ("chain", "draw")
    own = fit.data.posterior
    level = own["Intercept"] + own["r_g"].sel(g="<b>3", g_effect="Intercept")
    np.testing.assert_allclose(fit["g[<b>3, Intercept]"], level)
    np.testing.assert_array_equal(fit["t"], own["b"].sel(term="t"))
    with pytest.raises(hm.ArgumentError, match=r"'sigmo' is no parameter .* mean 'sigma'"):
        fit["sigmo"]


def test_a_refit_keeps_priors_and_settings(fit: hm.Fit, data: pd.DataFrame) -> None:
    some = data[data["g"] != "<b>3"]
    again = fit.refit(some)
    assert again.model.priors == fit.model.priors
    assert again.data.attrs["draws"] == 200
    assert again.design.grouping("g").levels.tolist() == [f"<b>{k}" for k in range(8) if k != 3]
    held = fit.model.of_rows(np.flatnonzero(data["g"] != "<b>3")).fit(**SAMPLE)
    for name in ("Intercept", "sigma"):
        one, other = again.data.posterior[name], held.data.posterior[name]
        error = 5 * np.hypot(one.std(), other.std()) / np.sqrt(200)
        assert abs(float(one.mean() - other.mean())) < error
    assert fit.refit(data, draws=50, seed=3).data.attrs["seed"] == 3


def test_a_plot_is_saved_as_matplotlib_saves(fit: hm.Fit, tmp_path: Any) -> None:
    fit.plot_groups("g").savefig(tmp_path / "groups.svg", transparent=True)
    assert (tmp_path / "groups.svg").stat().st_size > 1000


def test_the_module_lists_what_is_public() -> None:
    assert set(dir(hm)) == {*hm.__all__, "__version__"}
