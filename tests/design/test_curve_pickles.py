"""Fits of smooths go through pickle, as processes hand them on."""

import pickle

import numpy as np

import hiermix as hm


def test_a_fit_with_a_smooth_pickles() -> None:
    data = hm.load_dataset("sleepstudy")
    fit = hm.Model("Reaction ~ s(Days, k=5) + (1 | Subject)", data).fit(
        seed=1, chains=1, draws=400, algorithm="importance"
    )
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.predict(data.head(5)), fit.predict(data.head(5)))
