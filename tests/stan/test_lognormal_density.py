"""Programs of lognormal responses are those of their logarithms, of dense rows."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan import test_nested_density as of_trees
from tests.stan import test_patterned_density as of_patterns

pytestmark = pytest.mark.usefixtures("unclimbed")


@pytest.mark.parametrize("case", ["two levels", "crossed slopes", "beside a tree"])
def test_trees_and_blocks_are_those_of_the_logarithm(case: str) -> None:
    rows = of_trees.frame()
    priors = of_trees.PRIORS | ({} if case in of_trees.UNCORRELATED else {"cor": "lkj(1.7)"})
    weighted = {"weights": "h", "offset": "k"} if case in of_trees.WEIGHTED else {}
    model = hm.Model(of_trees.CASES[case], rows.assign(y=np.exp(rows["y"])), family="lognormal",
                     priors=priors, effects="integrated", **weighted)  # fmt: skip
    assert model.program_name == "nested"
    data = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (20, int(data["D"])))
    found, _ = Embedded().log_density(model._posterior.program, data, points)
    logs = on_log_scale(model)
    expected = [of_trees.dense(logs, point, 1.7) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["strata and a smooth", "gaps"])
def test_patterns_are_those_of_the_logarithm(name: str) -> None:
    case, rows = of_patterns.CASES[name], of_patterns.frame()
    priors = of_patterns.PRIORS | of_patterns.OF_EFFECTS | case.priors
    correlated = any("(x | g)" in each for each in case.formulas)
    priors |= {"cor": "lkj(1.7)"} if correlated else {}
    model = hm.Model(case.formulas if len(case.formulas) > 1 else case.formulas[0],
                     rows.assign(y=np.exp(rows["y"])), family="lognormal", priors=priors,
                     **case.keywords)  # fmt: skip
    assert model.program_name == case.program
    data = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1, (20, int(data["D"])))
    found, _ = Embedded().log_density(model._posterior.program, data, points)
    logs = on_log_scale(model)
    np.testing.assert_allclose(
        found, [of_patterns.dense(case, logs, each) for each in points], rtol=1e-10
    )


def on_log_scale(model: hm.Model) -> hm.Model:
    """Return a model with its coordinates and the logarithms of its responses."""
    model.stan_data()
    found = copy(model)
    found.design = replace(model.design, response=np.log(model.design.response))
    return found
