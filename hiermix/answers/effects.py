"""The doors of `Fit`: predictions, comparisons, slopes, means."""

from typing import Any

from hiermix.answers.answer import Answer
from hiermix.design.frames import NewRows
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import questions
from hiermix.prediction.changes import Variables
from hiermix.prediction.grids import DataGrid
from hiermix.prediction.marginal import By, Weights
from hiermix.prediction.questions import Asked, Transform


def predictions(
    posterior: Posterior,
    newdata: NewRows | DataGrid | None = None,
    *,
    variables: Variables = None,
    by: By = None,
    over: str = "these groups",
    scale: str = "response",
    hypothesis: Any = None,
    wts: Weights = None,
    conf_level: float = 0.95,
    transform: Transform = None,
) -> Answer:
    """Answer what is expected of rows, or of rows on average, and over which groups.

    Parameters
    ----------
    newdata : DataFrame, DataGrid or {"mean", "median", "balanced"}, optional
        Rows that are asked about; the fitted ones by default. A grid by `hm.datagrid`, or by name:
        one row with everything held at its mean or median (labels: the most frequent), or one for
        each combination of levels.
    variables : str, list or dict, optional
        Columns that are set, in every row, to each of several values: ``{"x": [0, 1]}``, or
        ``"x"`` for its levels, or five quantiles of a number. Rows are then repeated.
    by : bool, str or list, optional
        Average rows by these columns of them; True averages all. By default each row stands alone.
    over : {"these groups", "typical group", "new group", "population"}
        Whom the answer is about: the fitted groups as they are, each row in its own (rows of a
        grid: in all of them, as often as fitted rows are); a group without any deviation; one new
        group, drawn from the fitted spread, the same for all rows; or the average over all groups
        that the fitted spread could give.
    scale : str
        ``"response"``: the mean; of trials the probability; of categories the probability of each.
        ``"linear"``: the linear predictor. ``"mean"``: of ordered categories the mean rating.
        Where a `hypothesis` compares, also ``"ratio"``, ``"odds ratio"`` and ``"lift"``.
    hypothesis : str, list or array, optional
        Compare the rows of the answer: ``"pairwise"``, ``"reference"`` (each with the first),
        ``"sequential"``, with ``"rev"`` before to turn the sign and ``"| column"`` after to
        compare within; expressions of rows, ``"b1 - b0 = 0"``, where b0 is the first; or weights.
    wts : str or array, optional
        Weights of averages: a column, or a value a row. For the levels of a grid also ``"equal"``,
        ``"proportional"`` (to how often each level is) or ``"cells"`` (each combination).
    conf_level : float
        Probability of the equal-tailed interval.
    transform : callable, optional
        Applied to the draws of the answer at last, such as ``np.exp``.

    Returns
    -------
    Answer
        With ``draws``, ``table()`` and ``plot()``. Averages are added up in pieces: memory does not
        grow with rows x draws.
    """
    asked = Asked(newdata, by, over, scale, hypothesis, wts, conf_level, transform)
    return Answer.of(questions.predicted(posterior, asked, variables))


def comparisons(
    posterior: Posterior,
    variables: Variables = None,
    *,
    newdata: NewRows | DataGrid | None = None,
    cross: bool = False,
    by: By = None,
    over: str = "these groups",
    scale: str = "response",
    hypothesis: Any = None,
    wts: Weights = None,
    conf_level: float = 0.95,
    transform: Transform = None,
) -> Answer:
    """Answer how much what is expected changes with a variable.

    Each row is predicted with the variable at one value and at another; averages over rows, and
    over groups, are taken before the two are compared.

    Parameters
    ----------
    variables : str, list or dict, optional
        What changes; every predictor by default, one at a time. Numbers change by one, levels from
        the first to each other. A dict says more: ``{"x": 5}`` by so much, ``{"x": [0, 1]}``
        between values, ``{"x": "sd"}`` (or ``"2sd"``, ``"iqr"``, ``"minmax"``) across the column,
        ``{"kind": "pairwise"}`` (or ``"reference"``, ``"sequential"``) between levels. A column
        of a grouping factor moves rows to other groups.
    cross : bool
        Change all variables at once, in every combination of their changes, instead of one at a
        time with the others as they are.
    newdata, by, over, hypothesis, wts, conf_level, transform
        Those of `predictions`.
    scale : str
        ``"response"`` and ``"linear"``: differences of means, probabilities or linear predictors.
        ``"ratio"`` (also ``"rate ratio"``, ``"risk ratio"``), ``"odds ratio"``, and ``"lift"``,
        the difference as a share of the lower value.

    Returns
    -------
    Answer
        With ``draws``, ``table()`` and ``plot()``.
    """
    asked = Asked(newdata, by, over, scale, hypothesis, wts, conf_level, transform)
    return Answer.of(questions.compared(posterior, asked, variables, cross=cross))


def slopes(
    posterior: Posterior,
    variables: str | list[str] | None = None,
    *,
    slope: str = "dydx",
    newdata: NewRows | DataGrid | None = None,
    by: By = None,
    over: str = "these groups",
    scale: str = "response",
    hypothesis: Any = None,
    wts: Weights = None,
    conf_level: float = 0.95,
    transform: Transform = None,
) -> Answer:
    """Answer how steeply what is expected rises with a number, where each row is.

    Parameters
    ----------
    variables : str or list, optional
        Numeric predictors; all by default.
    slope : {"dydx", "eyex", "eydx", "dyex"}
        Of what: a change of y with a change of x; or of either as a share of where it is, with
        ``e``. ``"eyex"`` is the elasticity, percent of y by percent of x. Of averages, as all
        comparisons are: rows are summed before they are divided.
    newdata, by, over, hypothesis, wts, conf_level, transform
        Those of `predictions`.
    scale : {"response", "linear", "mean"}
        Of what the slope is.

    Returns
    -------
    Answer
        With ``draws``, ``table()`` and ``plot()``.
    """
    asked = Asked(newdata, by, over, scale, hypothesis, wts, conf_level, transform)
    return Answer.of(questions.steepness(posterior, asked, variables, slope))


def means(
    posterior: Posterior,
    by: By = None,
    *,
    newdata: "NewRows | DataGrid | None" = "balanced",
    variables: Variables = None,
    over: str | None = None,
    scale: str = "response",
    hypothesis: Any = None,
    wts: Weights = None,
    conf_level: float = 0.95,
    transform: Transform = None,
) -> Answer:
    """Answer what is expected at levels, averaged over a grid: estimated marginal means.

    Parameters
    ----------
    by : str or list, optional
        Columns whose levels, or few values, have a mean each; one mean of all by default.
    newdata
        The rows averaged over: by default ``"balanced"``, all combinations of levels, once each,
        with numbers at their mean; or those of `predictions`.
    variables, scale, hypothesis, wts, conf_level, transform
        Those of `predictions`.
    over : str, optional
        As in `predictions`; ``"population"`` by default, and ``"these groups"`` where `by` names a
        grouping factor.

    Returns
    -------
    Answer
        With ``draws``, ``table()`` and ``plot()``.
    """
    asked = Asked(newdata, by, over or "", scale, hypothesis, wts, conf_level, transform)
    return Answer.of(questions.averaged(posterior, asked, variables))
