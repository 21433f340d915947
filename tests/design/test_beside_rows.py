"""Arrays and settings of a fit, asked again for other rows."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"g": np.arange(40) % 8, "x": rng.normal(size=40), "y": rng.poisson(3, 40)})


@pytest.mark.parametrize("what", ["weights", "offset"])
def test_an_array_says_nothing_of_other_rows(what: str) -> None:
    by_array = {what: np.linspace(0.5, 2, 40)}
    model = hm.Model("y ~ x + (1 | g)", rows(), family="poisson", **by_array)
    with pytest.raises(hm.DataError, match=rf"{what} of the fit came as an array.*{what}='<col"):
        model.on(rows())


@pytest.mark.parametrize("missing", ["drop", "predict"])
def test_other_rows_are_left_out_as_those_of_the_fit_were(missing: str) -> None:
    data = rows().astype({"y": float})
    data.loc[[3, 5], "y"] = np.nan
    model = hm.Model("y ~ x + (1 | g)", data, missing=missing)
    assert model.on(data).design.rows == 38
    assert model.on(rows()).design.rows == 40
    with pytest.raises(hm.DataError, match="2 missing values"):
        hm.Model("y ~ x + (1 | g)", rows()).on(data)
