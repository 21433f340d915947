"""HierarchicalRegressor is the model that its formula says, and keeps scikit-learn's rules."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import check_estimator

import hiermix as hm
from hiermix.sklearn import HierarchicalRegressor

SHORT = {"chains": 2, "warmup": 200, "draws": 200, "random_state": 1}


@pytest.fixture(scope="module")
def sleep() -> pd.DataFrame:
    return hm.load_dataset("sleepstudy")


@pytest.mark.filterwarnings("ignore")
def test_it_keeps_the_rules_of_scikit_learn() -> None:
    check_estimator(HierarchicalRegressor(chains=1, warmup=100, draws=100))


def test_it_predicts_as_its_fit(sleep: pd.DataFrame) -> None:
    X, y = sleep[["Days", "Subject"]], sleep["Reaction"]
    model = HierarchicalRegressor("Days + (Days | Subject)", **SHORT).fit(X, y)
    assert str(model.fit_.design.formula) == "target ~ Days + (1 + Days | Subject)"
    mean, sd = model.predict(X, return_std=True)
    expected = model.fit_.predict(kind="mean").mean(("chain", "draw"))
    np.testing.assert_allclose(mean, expected)
    post = model.fit_.data.posterior
    spread = model.fit_.predict(kind="mean").var(("chain", "draw")) + (post["sigma"] ** 2).mean()
    np.testing.assert_allclose(sd, np.sqrt(spread), rtol=0.2)  # 400 draws each
    new, wide = model.predict(X.head(1).assign(Subject="new"), return_std=True)
    assert wide[0] > sd[0]
    center = post["Intercept"].mean().item()
    error = 5 * post["sd_Subject"].mean().item() / np.sqrt(400)
    assert new[0] == pytest.approx(center, abs=error)


def test_columns_are_terms_and_groups(sleep: pd.DataFrame) -> None:
    X, y = sleep[["Days", "Subject"]], sleep["Reaction"]
    model = HierarchicalRegressor(groups="Subject", **SHORT).fit(X, y)
    assert str(model.fit_.design.formula) == "target ~ Days + (1 | Subject)"
    assert model.score(X, y) > 0.6
    array = HierarchicalRegressor(**SHORT).fit(np.arange(180.0)[:, None] % 10, y)
    assert str(array.fit_.design.formula) == "target ~ x0"


def test_errors_are_those_of_scikit_learn(sleep: pd.DataFrame) -> None:
    X, y = sleep[["Days", "Subject"]], sleep["Reaction"]
    with pytest.raises(ValueError, match="groups names 'subject', not a column: Days, Subject"):
        HierarchicalRegressor(groups=["subject"]).fit(X, y)
    with pytest.raises(ValueError, match="formula names 'Day', not a column"):
        HierarchicalRegressor("Day").fit(X, y)
    model = HierarchicalRegressor(groups="Subject", new_groups="error", **SHORT).fit(X, y)
    with pytest.raises(ValueError, match="1 label of 'Subject' was not in the fit"):
        model.predict(X.head(1).assign(Subject="new"))


def test_an_exact_response_gets_a_nugget() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.warns(hm.HiermixWarning, match="a nugget of 1e-06 sds"):
        model = HierarchicalRegressor(**SHORT).fit(X, X[:, 0] - 2 * X[:, 1])
    assert model.predict([[1.0, 1.0]])[0] == pytest.approx(-1, abs=1e-3)


def test_frames_of_other_libraries_and_any_names(sleep: pd.DataFrame) -> None:
    import polars as pl

    X, y = sleep[["Days", "Subject"]], sleep["Reaction"]
    expected = HierarchicalRegressor("Days + (1 | Subject)", **SHORT).fit(X, y).predict(X)
    model = HierarchicalRegressor("Days + (1 | Subject)", **SHORT).fit(pl.from_pandas(X), y)
    np.testing.assert_array_equal(model.predict(pl.from_pandas(X)), expected)
    taken = X.rename(columns={"Days": "target"})
    model = HierarchicalRegressor("target + (1 | Subject)", **SHORT).fit(taken, y)
    np.testing.assert_allclose(model.predict(taken), expected)
    with pytest.raises(ValueError, match="needs responses that are numbers"):
        HierarchicalRegressor("Days", family="categorical").fit(X, sleep["Days"] % 3)
