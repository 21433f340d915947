"""HierarchicalRegressor: a model of hiermix as a regressor of scikit-learn."""

import contextlib
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from hiermix.design import checks, frames
from hiermix.errors import DataError, HiermixError
from hiermix.families.family import needs_numbers
from hiermix.families.table import find
from hiermix.formula.names import quoted
from hiermix.model import Model
from hiermix.prediction import pieces, predict
from hiermix.typing import FamilyName, FloatArray, LinkName

_RESPONSE = "target"
"""Name of the response in formulas; with lines below it where a column has that."""
_NUGGET = 1e-6
"""Noise, in sds of the response, without which an exact fit has no density."""


class HierarchicalRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A hierarchical regression: coefficients of the population, and effects of groups.

    Parameters
    ----------
    formula : str, optional
        Right side of a formula, ``"price + (1 + price | store)"``, in the names of the columns;
        of an array they are ``x0``, ``x1``, ... By default all columns that are no groups.
    groups : str or sequence of str, optional
        Columns whose levels have an intercept each, where no formula says so.
    family, link, priors
        As in `Model`.
    new_groups : {"sample", "population", "error"}
        What levels get that were not seen: as in `Fit.predict`.
    chains, warmup, draws : int
        As in `Model.fit`.
    random_state : int, RandomState or None
        Seed of the sampler.

    Attributes
    ----------
    fit_ : Fit
        The fitted model, and everything asked of it.
    """

    def __init__(
        self,
        formula: str | None = None,
        *,
        groups: Any = None,
        family: FamilyName = "gaussian",
        link: LinkName | None = None,
        priors: Any = None,
        new_groups: str = "sample",
        chains: int = 4,
        warmup: int = 500,
        draws: int = 1000,
        random_state: Any = None,
    ) -> None:
        self.formula = formula
        self.groups = groups
        self.family = family
        self.link = link
        self.priors = priors
        self.new_groups = new_groups
        self.chains = chains
        self.warmup = warmup
        self.draws = draws
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "HierarchicalRegressor":
        """Sample the posterior.

        Parameters
        ----------
        X : array-like or DataFrame (rows, columns)
            Predictors and groups.
        y : array-like (rows,)
            Response.

        Returns
        -------
        HierarchicalRegressor
            Itself.
        """
        rows, response = self._checked(_read(X), y)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        try:
            self.fit_ = self._model(rows, response, seed).fit(
                seed=seed, chains=self.chains, warmup=self.warmup, draws=self.draws, progress=False
            )
        except HiermixError as error:
            raise ValueError(str(error)) from error
        return self

    def _model(self, rows: pd.DataFrame, response: FloatArray, seed: int) -> Model:
        """Return the model, with a nugget where predictors give the response exactly."""
        needs_numbers(find(self.family, self.link), "HierarchicalRegressor")
        name = _RESPONSE
        while name in rows:
            name += "_"

        def of(response: FloatArray) -> Model:
            return Model(
                f"{name} ~ {self._right_side(rows)}", rows.assign(**{name: response}),
                family=self.family, link=self.link, priors=self.priors,
            )  # fmt: skip

        try:
            return of(response)
        except DataError as error:
            noise = np.random.default_rng(seed).normal(0, _NUGGET * response.std(), len(response))
            with contextlib.suppress(HiermixError):
                model = of(response + noise)
                checks.warn(f"a nugget of {_NUGGET:g} sds is added to the response: {error}")
                return model
            raise

    def predict(
        self, X: Any, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict the mean of the response.

        Parameters
        ----------
        X : array-like or DataFrame (rows, columns)
            Predictors and groups.
        return_std : bool
            Also return the sd of the response itself, noise and what is not known together.

        Returns
        -------
        array (rows,), or two of them
        """
        check_is_fitted(self)
        X = _read(X)
        rows = self._named(X, validate_data(self, X, reset=False, **self._validation(X)))
        try:
            source = predict.of_rows(
                self.fit_.posterior, rows, kind="response", new_groups=self.new_groups,
                group_effects="all", offset=None, seed=None,
            )  # fmt: skip
        except HiermixError as error:
            raise ValueError(str(error)) from error
        mean = pieces.reduced(source, "mean", lambda _, draws: draws.mean(axis=1))
        if not return_std:
            return mean
        return mean, pieces.reduced(source, "response", lambda _, draws: draws.std(axis=1, ddof=1))

    def _checked(self, X: Any, y: Any) -> tuple[pd.DataFrame, FloatArray]:
        """Check as scikit-learn does, and return rows by name and the response."""
        values, response = validate_data(
            self, X, y, y_numeric=True, ensure_min_samples=2, **self._validation(X)
        )
        return self._named(X, values), np.asarray(response, dtype=np.float64)

    def _validation(self, X: Any) -> dict[str, Any]:
        """Text and numbers may stand side by side in a frame; arrays without groups are numbers."""
        plain = self.formula is None and self.groups is None
        return {"dtype": "numeric" if plain and not _is_frame(X) else None}

    def _named(self, X: Any, values: Any) -> pd.DataFrame:
        if _is_frame(X):
            return pd.DataFrame({str(name): X[name].array for name in X.columns})
        found = pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])
        return found.infer_objects() if values.dtype == object else found

    def _right_side(self, rows: pd.DataFrame) -> str:
        if self.formula is not None:
            return self.formula
        groups = [self.groups] if isinstance(self.groups, str) else list(self.groups or ())
        names = list(map(str, rows))
        for name in groups:
            if name not in names:
                raise ValueError(f"groups names {name!r}, not a column: {', '.join(names)}")
        terms = [quoted(name) for name in names
                 if name not in groups and not _constant(rows[name])]  # fmt: skip
        return " + ".join([*(terms or ["1"]), *(f"(1 | {quoted(name)})" for name in groups)])


def _read(X: Any) -> Any:
    """Return frames of any library as those of pandas; all else as it is."""
    return frames.frame(X) if hasattr(X, "__arrow_c_stream__") else X


def _is_frame(X: Any) -> bool:
    return isinstance(X, pd.DataFrame)


def _constant(column: pd.Series) -> bool:
    return bool((column == column.iloc[0]).all())
