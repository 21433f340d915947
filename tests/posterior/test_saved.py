"""Files that version 0.1 wrote load, and predict what they predicted then."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SAVED = Path(__file__).parents[1] / "saved"


@pytest.mark.parametrize("name", ["slopes_far_from_zero", "nested_trials", "categories"])
def test_answers_are_those_that_0_1_gave(name: str) -> None:
    """Version 0.1 saved, loaded and asked these fits, and its answers were kept beside them."""
    fit, new = hm.load(SAVED / f"{name}.nc"), pd.read_csv(SAVED / "new_rows.csv")
    with np.load(SAVED / f"{name}.npz") as file:
        right = dict(file)
    got = {
        "fitted_mean": fit.predict(),
        "population_linear": fit.predict(new, kind="linear", new_groups="population"),
        "sample_mean": fit.predict(new, new_groups="sample"),
        "coefficients": fit.coefficients("site").select_dtypes("number"),
    }
    for what, answer in got.items():
        np.testing.assert_allclose(answer, right[what], rtol=1e-9, atol=1e-12, err_msg=what)


class TestDefinition:
    """What they predict is also what their draws say."""

    def test_floats_in_nested_groups(self) -> None:
        fit = hm.load(SAVED / "nested_float_labels.nc")
        new = pd.DataFrame({"a": [1, 3], "b": [2, 1], "x": [0.5, -1.0]})
        post = fit.data.posterior.to_dataset()
        for row, (a, b, x) in enumerate(new.itertuples(index=False)):
            want = post["Intercept"] + x * post["b"].sel(term="x")
            want = want + post["r_a"].sel(a=a, a_effect="Intercept")
            inner = {"a:b": f"{a}:{b}", "a:b_effect": "Intercept"}
            want = want + post["r_a:b"].sel(inner)
            got = fit.predict(new)[..., row]
            np.testing.assert_allclose(got, want.transpose("chain", "draw"), rtol=1e-12)

    def test_dates_and_categories(self) -> None:
        fit = hm.load(SAVED / "dates_and_categories.nc")
        new = pd.DataFrame({"when": ["2024-02-01"], "arm": ["hi"], "ill": [True], "site": ["ü"],
                            "size": [4]})  # fmt: skip
        years = (pd.Timestamp("2024-02-01") - pd.Timestamp("1970-01-01")).days / 365.25
        post = fit.data.posterior.to_dataset()
        b = post["b"]
        want = post["Intercept"] + years * b.sel(term="trend(when)[slope]")
        want = want + b.sel(term="arm[T.hi]") + b.sel(term="ill") + np.log(4)
        want = want + post["r_site"].sel(site="ü", site_effect="Intercept")
        got = fit.predict(new, kind="linear")[..., 0]
        np.testing.assert_allclose(got, want.transpose("chain", "draw"), rtol=1e-9)

    def test_ordinal_responses_by_day(self) -> None:
        fit = hm.load(SAVED / "ordinal_by_day.nc")
        new = pd.DataFrame({"x": [1.0], "day": ["2024-01-02"]})
        post = fit.data.posterior.to_dataset()
        want = post["b"].sel(term="x")
        want = want + post["r_day"].sel(day="2024-01-02", day_effect="Intercept")
        got = fit.predict(new, kind="linear")[..., 0]
        np.testing.assert_allclose(got, want.transpose("chain", "draw"), rtol=1e-12)
