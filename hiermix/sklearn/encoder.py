"""PooledEncoder: categories as partially pooled means of a target, with their uncertainty."""

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from hiermix.errors import quoted
from hiermix.sklearn.pooled_means import Dirichlet, Normal, fit_dirichlet, fit_normal, sums
from hiermix.typing import FloatArray

_TARGETS = ("continuous", "binary", "multiclass")


class PooledEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode categories by the mean of the target in each, partially pooled.

    A level of few rows is drawn towards the mean of all levels, by as much as the target says that
    levels differ. All in closed form, given the variances (numbers) or the Dirichlet distribution
    (classes) that the levels' sums make most likely.

    Parameters
    ----------
    target_type : {"auto", "continuous", "binary", "multiclass"}
        What the target is.
    scale : {"response", "linear"}
        Of classes: probabilities, or their log odds, for models that are linear in these.
    uncertainty : bool
        Put beside each column the posterior sd of what stands in it.
    cv : int or "loo"
        What `fit_transform` leaves out, so that no row is encoded by its own target: folds of rows
        at random, or each row on its own. The sums of the levels are downdated exactly: nothing is
        fitted again. "loo" is for looking at, and for levels of few rows; within a level it runs
        against the target, which models as flexible as boosted trees can read.
    random_state : int, RandomState or None
        Of the folds.

    Attributes
    ----------
    levels_ : list of Index
        Levels of each column. A missing value is a level; levels that were not seen have the mean
        of all, and the sd between levels.
    pooled_ : list
        What the levels of each column are drawn towards, and how strongly.
    classes_ : array
        Classes of the target, if it has some.
    target_type_ : str
        What the target was taken for.

    Notes
    -----
    ``fit(X, y).transform(X)`` encodes rows by their own target, too: train what comes next on
    ``fit_transform(X, y)``, as pipelines do.
    """

    def __init__(
        self,
        *,
        target_type: Literal["auto", "continuous", "binary", "multiclass"] = "auto",
        scale: Literal["response", "linear"] = "response",
        uncertainty: bool = False,
        cv: int | Literal["loo"] = 5,
        random_state: Any = None,
    ) -> None:
        self.target_type = target_type
        self.scale = scale
        self.uncertainty = uncertainty
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "PooledEncoder":
        """Learn the levels of every column.

        Parameters
        ----------
        X : array-like (rows, columns)
            Categories.
        y : array-like (rows,)
            Target.

        Returns
        -------
        PooledEncoder
            Itself.
        """
        self._fit(X, y)
        return self

    def fit_transform(self, X: Any, y: Any) -> FloatArray:
        """Learn the levels, and encode each row without its own target.

        Parameters
        ----------
        X : array-like (rows, columns)
            Categories.
        y : array-like (rows,)
            Target.

        Returns
        -------
        array (rows, encodings)
        """
        codes, values = self._fit(X, y)
        fold = self._folds(len(values))
        blocks = []
        for column, total, pooled in zip(codes.T, self.sums_, self.pooled_, strict=True):
            own = _left_out(column, fold, values, len(total))
            blocks.append(self._encoded(pooled, total[column] - own))
        return np.hstack(blocks)

    def transform(self, X: Any) -> FloatArray:
        """Encode rows.

        Parameters
        ----------
        X : array-like (rows, columns)
            Categories.

        Returns
        -------
        array (rows, encodings)
        """
        check_is_fitted(self)
        X = validate_data(self, _objects(X), dtype=None, ensure_all_finite=False, reset=False)
        blocks = []
        for place, (levels, total) in enumerate(zip(self.levels_, self.sums_, strict=True)):
            codes = levels.get_indexer(_labels(X[:, place]))
            table = self._encoded(self.pooled_[place], np.vstack([total, 0 * total[:1]]))
            blocks.append(table[codes])  # the last row, -1, is of levels that were not seen
        return np.hstack(blocks)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the encodings: that of the column, with the class, with ``_sd``."""
        check_is_fitted(self)
        known = getattr(self, "feature_names_in_", None)
        names = [f"x{k}" for k in range(self.n_features_in_)] if known is None else list(known)
        if input_features is not None:
            asked = list(input_features)
            if len(asked) != len(names) or (known is not None and asked != names):
                raise ValueError(f"input_features is not equal to the columns of fit: {names}")
            names = asked
        many = [f"_{each}" for each in self.classes_] if self.target_type_ == "multiclass" else [""]
        ends = ["", "_sd"] if self.uncertainty else [""]
        return np.array(
            [f"{name}{one}{end}" for name in names for end in ends for one in many], dtype=object
        )

    def _fit(self, X: Any, y: Any) -> tuple[NDArray[np.intp], FloatArray]:
        """Fit, and return the codes of the rows and what is summed of their target."""
        self._check_options()
        X, y = validate_data(
            self, _objects(X), y, dtype=None, ensure_all_finite=False, y_numeric=False,
            multi_output=False,
        )  # fmt: skip
        values = self._read(y)
        self.levels_, self.sums_, self.pooled_, columns = [], [], [], []
        for column in X.T:
            codes, levels = pd.factorize(_labels(column), use_na_sentinel=False)
            total = sums(codes, values, len(levels))
            self.levels_.append(pd.Index(levels, dtype=object))
            self.sums_.append(total)
            self.pooled_.append(self._pooled(codes, values, total))
            columns.append(codes)
        return np.stack(columns, axis=1), values

    def _check_options(self) -> None:
        known = {"target_type": ("auto", *_TARGETS), "scale": ("response", "linear")}
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}")
        whole = isinstance(self.cv, int | np.integer) and not isinstance(self.cv, bool)
        if self.cv != "loo" and not (whole and self.cv >= 2):
            raise ValueError(f"cv must be 'loo' or a whole number from 2 up, not {self.cv!r}")

    def _read(self, y: NDArray[Any]) -> FloatArray:
        """Return what is summed over levels: counts of classes, or rows and their target."""
        found = type_of_target(y, input_name="y") if self.target_type == "auto" else (
            self.target_type)  # fmt: skip
        if found not in _TARGETS:
            raise ValueError(
                f"Unknown label type: {found!r}. The target must be one of {', '.join(_TARGETS)}"
            )
        self.target_type_ = found
        if found == "continuous":
            numbers = np.asarray(y, dtype=np.float64)
            if not np.isfinite(numbers).all():
                raise ValueError("Input y contains NaN or infinity.")
            self.mean_ = float(numbers.mean())  # far from zero, squares would lose digits
            return np.column_stack([np.ones(len(numbers)), numbers - self.mean_])
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"The target has one class, {quoted(self.classes_[0])}: there is nothing to learn"
            )
        if found == "binary" and len(self.classes_) > 2:
            raise ValueError(f"The target has {len(self.classes_)} classes: it is no binary one")
        return np.eye(len(self.classes_))[codes]

    def _pooled(
        self, codes: NDArray[np.intp], values: FloatArray, total: FloatArray
    ) -> Normal | Dirichlet:
        if self.target_type_ != "continuous":
            return fit_dirichlet(total, logit=self.scale == "linear")
        means = total[:, 1] / total[:, 0]
        within = values[:, 1] - means[codes]
        return fit_normal(total[:, 0], total[:, 1], float(within @ within))

    def _folds(self, rows: int) -> NDArray[np.intp]:
        if self.cv == "loo":
            return np.arange(rows)
        return np.asarray(check_random_state(self.random_state).permutation(rows) % int(self.cv))

    def _encoded(self, pooled: Normal | Dirichlet, total: FloatArray) -> FloatArray:
        """Return encodings (L, ...) of levels with these sums."""
        if isinstance(pooled, Normal):
            mean, sd = pooled.encode(total[:, 0], total[:, 1])
            mean = mean + self.mean_
        else:
            mean, sd = pooled.encode(total)
        return np.hstack([mean, sd]) if self.uncertainty else mean

    def __sklearn_tags__(self) -> Any:
        """Say what it takes."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.non_deterministic = self.cv != "loo"  # folds are drawn at random
        return tags


def _left_out(
    codes: NDArray[np.intp], fold: NDArray[np.intp], values: FloatArray, size: int
) -> FloatArray:
    """Return, for each row, the sums of the rows of its level and fold."""
    cells, cell = np.unique(codes * (int(fold.max()) + 1) + fold, return_inverse=True)
    return sums(cell, values, len(cells))[cell]


def _objects(X: Any) -> Any:
    """Return frames of pandas without dtypes, which scikit-learn reads in part as numbers."""
    return X.astype(object) if isinstance(X, pd.DataFrame) else X


def _labels(column: NDArray[Any]) -> Any:
    """Return labels that compare: missing ones are one level."""
    labels = pd.Series(column, dtype=object)
    wrong = next((each for each in column if not isinstance(each, Hashable)), None)
    if wrong is not None:
        raise TypeError(f"argument must be a string or a number, not a {type(wrong).__name__}")
    return pd.Index(labels.where(labels.notna(), None), dtype=object)
