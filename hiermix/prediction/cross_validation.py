"""Out-of-sample comparison: leave-one-out, whole groups left out, several fits in one table.

The arithmetic is ArviZ's (Vehtari, Gelman and Gabry, 2017); here are the pointwise log densities it
needs, and refits without some rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import checks, imputed
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, DataError, count, ignored_warnings
from hiermix.posterior import one_response
from hiermix.posterior.posterior import Posterior
from hiermix.posterior.summary import names
from hiermix.prediction import group_densities, held_out, pieces, predict, psis
from hiermix.prediction.draw_weights import good_k
from hiermix.prediction.joint_predictions import by_unit, of_frame, of_rows, rows_of_units
from hiermix.prediction.predictor import PIECE
from hiermix.prediction.series_densities import log_density_given_others
from hiermix.side_by_side import Workers
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr
    from arviz_stats import ELPDData

type Refit = Callable[[IntArray], "xr.DataTree"]
"""Fits the model again with some of its rows; groups without rows are drawn from their spread."""


type Densities = Callable[[IntArray], "xr.DataArray"]
"""Log densities (chain, draw, row) of rows, by the fit that left them out."""
type Run = Callable[[Sequence[Callable[[], "xr.DataArray"]]], "list[xr.DataArray]"]
"""Runs tasks, in turn or side by side."""

IN_TURN: Run = Workers().run


class Fitted(Protocol):
    """What `compare` needs of a fit."""

    @property
    def design(self) -> Design:
        """The fitted rows."""

    def loo(self, *, by: held_out.Groups = None) -> "ELPDData":
        """Leave-one-out cross-validation."""


def log_likelihood(posterior: Posterior) -> "xr.DataArray":
    """Return the log density of each row in each draw (chain, draw, row), times its weight.

    Of several responses: of all that a row has, together.
    """
    found = pieces.draw_matrix(of_frame(predict.predictor(posterior)), "log_density")
    named = predict.labelled(posterior, "log_likelihood", found, np.arange(len(found)))
    return named.rename(posterior.design.response_name)


def loo(posterior: Posterior, *, by: held_out.Groups = None) -> "ELPDData":
    """Estimate the log density of unseen rows of the same groups, or of whole unseen groups.

    Parameters
    ----------
    by : str or sequence, optional
        What is left out as a whole, one at a time: the levels of a grouping factor, the values of
        any column of the frame, or a label a row. Single rows by default; of several responses a
        row with all that it has.

    Returns
    -------
    ELPDData
        ArviZ's: ``elpd``, ``se``, ``p`` (effective parameters), ``elpd_i``, ``pareto_k``, the last
        two by row, or by label: then of all rows of a label together.

    Notes
    -----
    By Pareto-smoothed importance sampling, with a warning where that fails for some. Of groups that
    are left out, effects that no other row informs are integrated out: exactly in Gaussian models,
    so that the weights have to make up for what a group says of all others alone.
    """
    one_response.check_alone(posterior, "loo()")
    found = estimate(posterior) if by is None else left_out(posterior, by)
    bad = int((found.pareto_k > found.good_k).sum())
    how, what, way = (("out", "row", "kfold()") if by is None else
                      ("group-out", "group", "kfold(groups=...)"))  # fmt: skip
    if bad:
        checks.warn(
            f"leave-one-{how} is unreliable for {count(bad, what)} of {found.n_data_points:,} "
            f"(Pareto k above {found.good_k:.2f}): the posterior leans too much on each of them. "
            f"{way} refits instead."
        )
    return found


def estimate(posterior: Posterior) -> "ELPDData":
    """Leave-one-out cross-validation, piece by piece, without a warning."""
    import xarray as xr

    design = posterior.design
    _check_response(design)
    tail = psis.tail_size(posterior.size, _efficiency(posterior))
    source = of_frame(predict.predictor(posterior))

    def piece(_: slice, found: FloatArray) -> FloatArray:
        return np.column_stack(psis.leave_one_out(found, tail))

    each = pieces.reduced(source, "log_density", piece)
    return _result(posterior, each, xr.Coordinates({"row": np.arange(len(each))}))


def left_out(posterior: Posterior, by: held_out.Groups) -> "ELPDData":
    """Leave-one-group-out cross-validation, without a warning.

    Rows that stand for others will do, where what is left out are levels of their own columns.
    """
    _check_response(posterior.design, by)
    imputed.without_gaps(posterior.design.imputed, "leave-one-group-out, loo(by=),")
    tail = psis.tail_size(posterior.size, _efficiency(posterior))
    name, labels = held_out.units(by_unit(posterior.design), by)
    found, names = group_densities.log_densities(posterior, of_rows(posterior.design, labels))
    each = np.column_stack(psis.leave_one_out(found, tail))
    return _result(posterior, each, held_out.coords(name, names), **held_out.together(name))


def _result(
    posterior: Posterior, each: FloatArray, coords: "xr.Coordinates", **attrs: Any
) -> "ELPDData":
    """Return elpd, Pareto k and effective parameters (n, 3) of what was left out as ArviZ does."""
    import xarray as xr
    from arviz_stats.utils import ELPDDataLOO

    elpd, pareto, p = (
        xr.DataArray(part, dims=list(coords.dims), coords=coords, attrs=attrs) for part in each.T
    )
    good, n = good_k(posterior.size), len(each)
    return ELPDDataLOO(
        elpd=float(elpd.sum()), se=float(np.sqrt(n * elpd.var(ddof=1))), p=float(p.sum()),
        n_samples=posterior.size, n_data_points=n, scale="log",
        warning=bool((pareto > good).any()), good_k=good, elpd_i=elpd, pareto_k=pareto,
    )  # fmt: skip


def _efficiency(posterior: Posterior) -> float:
    """Effective draws per draw; group effects, of which there may be thousands, are left out."""
    import arviz_stats

    sizes = arviz_stats.ess(posterior.draws[names(posterior.draws)], method="mean")
    every = np.hstack([sizes[name].to_numpy().ravel() for name in sizes])
    return float(every.mean()) / posterior.size


def _check_response(design: Design, by: held_out.Groups = None) -> None:
    if by is not None and design.summed is not None:
        raise DataError(
            "loo(by=) needs moments of each group by itself, and these statistics have them of all "
            "together: build them with hm.statistics(..., whole_groups=True)"
        )
    if not (design.merged and isinstance(by, str)) or design.series is not None:
        design.check_rows("cross-validation")
    if design.response is None or not design.rows:
        raise DataError("there are no observed responses to compare with")


def compare(fits: Mapping[str, "Fitted | ELPDData"], *, by: held_out.Groups = None) -> pd.DataFrame:
    """Compare fits of the same responses by leave-one-out cross-validation.

    Parameters
    ----------
    fits : mapping of str to Fit
        Names and fits; results of ``fit.loo()`` or ``fit.kfold()`` will do as well. Results of
        whole groups left out are compared group by group.
    by : str or sequence, optional
        What is left out as a whole, as in `Fit.loo`; single rows by default.

    Returns
    -------
    DataFrame
        Best first: ``elpd`` and its ``se``, effective parameters ``p``, ``elpd_diff`` to the best
        and its standard error ``dse``, stacking ``weight``, and diagnostics. Where some results
        left out rows and others groups, there are no differences, and a warning says so.

    Raises
    ------
    ArgumentError
        Fewer than two fits.
    DataError
        The fits are of different responses: their densities can't be compared.
    """
    import arviz_stats

    if not isinstance(fits, Mapping) or len(fits) < 2:
        raise ArgumentError(
            "compare takes a dict of two fits or more: hm.compare({'a': a, 'b': b})"
        )
    _check_same_rows({name: fit.design for name, fit in fits.items() if hasattr(fit, "design")})
    results = {name: fit.loo(by=by) if hasattr(fit, "loo") else fit for name, fit in fits.items()}
    points = {name: each.n_data_points for name, each in results.items()}
    if len({held_out.phrase(each) for each in results.values()}) == 1 < len({*points.values()}):
        raise DataError(f"the fits are of different numbers of rows or groups: {points}")
    if not held_out.alike(list(results.values())):
        return _side_by_side(results)
    frame: pd.DataFrame = arviz_stats.compare(held_out.by_unit(results), round_to="none")
    return frame


def _side_by_side(results: Mapping[str, "ELPDData"]) -> pd.DataFrame:
    """Return each fit's own figures, without differences."""
    kinds = ", ".join(f"{name!r} {held_out.phrase(each)}" for name, each in results.items())
    checks.warn(
        f"results of two kinds of folds are not compared: {kinds}. Rows of known groups are easier "
        "to predict than rows of new ones; leave out the same in each."
    )
    rows = [
        {"elpd_diff": np.nan, "dse": np.nan, "p_worse": np.nan, "p": each.p, "elpd": each.elpd,
         "se": each.se, "weight": np.nan} for each in results.values()
    ]  # fmt: skip
    return pd.DataFrame(rows, index=list(results))


def _check_same_rows(designs: Mapping[str, Design]) -> None:
    # Rows that stand for others differ from formula to formula, and are of the same ones.
    designs = {name: each for name, each in designs.items() if not each.merged}
    first = next(iter(designs), None)
    for name, design in designs.items():
        for what in ("response", "weights", "trials", "censored", "counts", "end"):
            one, other = (getattr(each.limits if what == "end" else each, what)
                          for each in (designs[str(first)], design))  # fmt: skip
            same = one is other or (
                one is not None and other is not None and np.array_equal(one, other)
            )
            if not same:
                raise DataError(
                    f"{first!r} and {name!r} are of different {what} values: densities of "
                    "different data can't be compared. Fit both to the same rows and response"
                )


def kfold(
    posterior: Posterior,
    groups: held_out.Groups,
    folds: int,
    seed: int,
    refit: Refit,
    run: Run = IN_TURN,
    *,
    joint: bool = False,
) -> "ELPDData":
    """Cross-validation by refits that leave out rows, or all rows of a label together.

    ArviZ says what each fold leaves out, the refits run, and ArviZ adds up: densities of rows, or
    `joint` ones of all rows of a label.
    """
    import arviz_stats
    import xarray as xr

    design = posterior.design
    _check_response(design)
    options.whole("folds", folds, 2)
    name, labels = held_out.units(by_unit(design), groups)
    codes, names = pd.factorize(labels)
    if joint:
        if name is None:
            raise ArgumentError("joint= is for rows of a label together: name these, groups=")
        found, _ = group_densities.log_densities(posterior, of_rows(design, labels))
        known = _of_labels(posterior, found)
        refitted = partial(_joint_of_left_out, posterior, refit, of_rows(design, codes))
    else:
        known = log_likelihood(posterior)
        refitted = partial(_of_left_out, posterior, refit)
    whole = xr.DataTree.from_dict({"log_likelihood": known.to_dataset(name="y")})
    split = {"k": min(folds, len(names)), "group_by": None if joint else codes, "seed": seed}
    # 1. What each fold leaves out; 2. the refits; 3. what they add up to.
    asked: list[IntArray] = []
    with ignored_warnings():
        arviz_stats.loo_kfold(whole, _wrapper(whole, partial(_noted, known, asked)), **split)
    tasks = [partial(refitted, some) for some in asked]
    each = {some.tobytes(): part for some, part in zip(asked, run(tasks), strict=True)}
    wrapper = _wrapper(whole, lambda some: each[some.tobytes()])
    result: ELPDData = arviz_stats.loo_kfold(whole, wrapper, pointwise=True, **split)
    if joint:
        return held_out.joint(result, name, pd.Index(names))
    return result if name is None else held_out.mark(result, name, labels)


def _noted(known: "xr.DataArray", asked: list[IntArray], rows: IntArray) -> "xr.DataArray":
    """Note what is asked for, and return what the whole fit says of it."""
    asked.append(rows)
    return known[:, :, rows]


def _of_left_out(posterior: Posterior, refit: Refit, rows: IntArray) -> "xr.DataArray":
    """Return the log density of rows that a refit leaves out."""
    design = posterior.design
    rows = rows_of_units(design, rows)
    tree = refit(np.setdiff1d(np.arange(design.rows), rows))
    if design.series is not None and not design.parts:
        return _given_kept(Posterior.of(tree, design, posterior.family), rows)
    left = design.take(rows)
    left = replace(left, imputed=tuple(each.unseen() for each in left.imputed))
    return log_likelihood(Posterior.of(tree, left, posterior.family))


def _given_kept(refitted: Posterior, rows: IntArray) -> "xr.DataArray":
    """Return the log density of each of some rows, given those of its series that were kept."""
    source = predict.predictor(refitted)
    kept = np.ones(refitted.design.rows, dtype=bool)
    kept[rows] = False
    size = max(1, PIECE // refitted.size)
    found = [
        log_density_given_others(source.law, rows[at : at + size], source.residuals, kept)
        for at in range(0, len(rows), size)
    ]  # fmt: skip
    density = np.concatenate(found) + source.log_slopes(rows)
    return predict.labelled(refitted, "log_likelihood", density, np.arange(len(rows)))


def _joint_of_left_out(
    posterior: Posterior, refit: Refit, codes: IntArray, some: IntArray
) -> "xr.DataArray":
    """Return the log density of all rows of each of some labels, which a refit leaves out."""
    rows = np.flatnonzero(np.isin(codes, some))
    tree = refit(np.setdiff1d(np.arange(len(codes)), rows))
    refitted = Posterior.of(tree, posterior.design, posterior.family)
    found, names = group_densities.log_densities(refitted, codes, rows)
    return _of_labels(refitted, found[names.get_indexer(pd.Index(some))])


def _of_labels(posterior: Posterior, found: FloatArray) -> "xr.DataArray":
    """Return densities (J, S) as (chain, draw, label)."""
    named = predict.labelled(posterior, "log_likelihood", found, np.arange(len(found)))
    return named.rename(row="label")


def _wrapper(whole: "xr.DataTree", densities: Densities) -> Any:
    """Tell ArviZ how to refit: what comes of it is known, by the rows that are left out."""
    from arviz_stats.loo import SamplingWrapper

    class Wrapper(SamplingWrapper):  # type: ignore[misc]
        def sel_observations(self, idx: IntArray) -> tuple[IntArray, IntArray]:
            return idx, idx

        def sample(self, modified_observed_data: IntArray) -> "xr.DataTree":
            return whole

        def get_inference_data(self, fitted_model: "xr.DataTree") -> "xr.DataTree":
            return fitted_model

        def log_likelihood__i(
            self, excluded_obs: IntArray, idata__i: "xr.DataTree"
        ) -> "xr.DataArray":
            return densities(excluded_obs)

    return Wrapper(model=None, idata_orig=whole)
