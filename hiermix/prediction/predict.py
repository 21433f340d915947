"""Predictions for old and new rows and groups: as draws, as quantiles, in pieces, in a file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from hiermix import options, table_files
from hiermix.design import imputed, row_labels, sources
from hiermix.design.design import Design
from hiermix.design.frames import NewRows
from hiermix.engines.protocol import LARGEST_SEED
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.families.family import Family, needs_numbers
from hiermix.formula.names import in_results
from hiermix.posterior.draw_arrays import Which
from hiermix.posterior.intervals import levels
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import residual_laws
from hiermix.prediction.draw_files import write
from hiermix.prediction.joint_predictions import extra_dims, of_frame
from hiermix.prediction.new_groups import NewEffects, check_policy
from hiermix.prediction.pieces import draw_matrix, quantile_matrix
from hiermix.prediction.prediction_tables import PredictionTables
from hiermix.prediction.predictor import Pieces, Predictor
from hiermix.prediction.residual_laws import Before
from hiermix.prediction.update import with_updated
from hiermix.typing import FloatArray, Kind, NewGroups

if TYPE_CHECKING:
    import xarray as xr

type Effects = str | Sequence[str]
"""``"all"``, ``"none"``, or the names of grouping factors."""

KINDS = get_args(Kind.__value__)


def factors(design: Design, group_effects: Effects) -> tuple[str, ...]:
    """Return the grouping factors whose effects enter a prediction."""
    names = tuple(each.name for each in design.groupings)
    if group_effects == "all":
        return names
    if group_effects == "none":
        return ()
    wanted = options.names("group_effects", group_effects)
    wanted = tuple(in_results(str(name)) for name in wanted)
    for name in wanted:
        if name not in names:
            near = did_you_mean(str(name), ("all", "none", *names))
            known = ", ".join(map(repr, names)) or "none"
            raise ArgumentError(
                f"group_effects names {name!r}, not a grouping factor.{near} Write 'all', 'none' "
                f"or a list of: {known}"
            )
    return tuple(name for name in names if name in wanted)


def check_kind(kind: str, family: Family, kinds: Sequence[str] = KINDS) -> str:
    """Return the option `kind`; only categories have a probability each."""
    options.one_of("kind", kind, kinds)
    if kind == "probability" and family.categories == "none":
        raise ArgumentError(
            "kind='probability' is for responses that are categories: "
            f"family {family.name!r} has kind='mean' and kind='response'"
        )
    return kind


def predictor(
    posterior: Posterior,
    *,
    group_effects: Effects = "all",
    new_groups: str = "error",
    seed: int | None = None,
    draws: Which = None,
) -> Predictor:
    """Return what predicts the rows of a posterior's design: those fitted, or new ones.

    Parameters
    ----------
    posterior : Posterior
        The fit's, or ``posterior.on(rows)`` with what `rows_on` made of new rows.
    group_effects : str or sequence of str
        Which grouping factors enter.
    new_groups : str
        What levels get that the fit never saw.
    seed : int, optional
        The fit's own by default.
    draws : sequence of int, optional
        Which draws, counted through the chains; all by default.
    """
    design, family = posterior.design, posterior.family
    seed = posterior.seed if seed is None else options.whole("seed", seed, 0, LARGEST_SEED)
    if new_groups == "update":
        needs_numbers(family, "new_groups='update'")
        way = "fit.response(...) knows the rows of one"
        residual_laws.one_response_only(design, "new_groups='update'", way)
        imputed.without_gaps(design.imputed, "new_groups='update'")
    wanted = factors(design, group_effects)

    def of(equation: str | None) -> Predictor:
        layout = posterior.layout(wanted, equation, draws)
        new = NewEffects(layout, new_groups, seed, category=equation)
        return Predictor(design, family, layout, new, seed)

    each = tuple(map(of, posterior.equations))
    if design.alike:
        return replace(each[0], categories=each)
    return with_updated(each[0]) if new_groups == "update" else each[0]


def residuals_before(posterior: Posterior, draws: Which = None) -> tuple[Before, ...]:
    """Return the fitted rows whose residuals are carried on; none where rows are independent."""
    series = posterior.design.series
    if series is None:
        return ()
    posterior.design.check_rows("what carries residuals on")
    return (Before(series, predictor(posterior, draws=draws).standard_residuals),)


def rows_on(
    fitted: Design,
    new_data: NewRows | None,
    *,
    group_effects: Effects = "all",
    new_groups: str = "error",
    offset: ArrayLike | None = None,
    kind: str = "mean",
) -> Design:
    """Put rows through the door of the fit; None stands for the fitted rows."""
    wanted = factors(fitted, group_effects)
    check_policy(new_groups)
    if new_data is None:
        fitted.check_rows("a prediction of the fitted rows")
        return fitted
    return fitted.on(
        new_data, groups=wanted, new_groups=new_groups, offset=offset,
        trials=kind not in ("linear", "probability"),
    )  # fmt: skip


def of_rows(
    posterior: Posterior,
    new_data: NewRows | None,
    *,
    kind: str,
    new_groups: str,
    group_effects: Effects,
    offset: ArrayLike | None,
    seed: int | None,
) -> Predictor:
    """Return what predicts new rows, or the fitted ones for None."""
    check_kind(kind, posterior.family)
    rows = rows_on(
        posterior.design, new_data, group_effects=group_effects, new_groups=new_groups,
        offset=offset, kind=kind,
    )  # fmt: skip
    return predictor(
        posterior.on(rows), group_effects=group_effects, new_groups=new_groups, seed=seed
    )


def pieces_of_rows(
    posterior: Posterior, new_data: NewRows | None, given: Sequence[str] = (), **how: Any
) -> Pieces:
    """Return what predicts rows for a user: with several responses, all of each row."""
    return of_frame(of_rows(posterior, new_data, **how), given)


# What a user gets ------------------------------------------------------------------------------


def predict(
    posterior: Posterior,
    new_data: NewRows | None = None,
    *,
    kind: Kind = "mean",
    new_groups: NewGroups = "error",
    group_effects: str | Sequence[str] = "all",
    quantiles: Sequence[float] | None = None,
    offset: FloatArray | None = None,
    seed: int | None = None,
    into: str | Path | None = None,
    given: str | Sequence[str] | None = None,
) -> "xr.DataArray | Path":
    """Predict old or new rows, of old or new groups.

    Parameters
    ----------
    new_data : DataFrame, Series, dict or list, optional
        Rows with the columns of the formula, the response left out or not; the fitted rows by
        default. A Series or dict of values is one row, a list of them several. Neither the
        order of rows nor the index nor other columns matter.
    kind : {"linear", "mean", "response", "probability"}
        The linear predictor, the mean of the response, draws of the response itself, or, of
        ordered or unordered categories, the probability of each.
    new_groups : {"error", "population", "sample", "update"}
        What a level gets that the fit never saw: an error; an effect of zero; a fresh draw
        from the fitted spread for each draw, the same for all rows of the level, independent
        between levels; or a draw given its own rows in `new_data` whose response is there. Then
        draws of everything else are weighed by the density of these rows; attributes
        ``effective_draws`` and ``pareto_k`` of the result say what that leaves.
    group_effects : str or sequence of str
        Which grouping factors enter: ``"all"``, ``"none"`` or their names.
    quantiles : sequence of float, optional
        Return these quantiles over the draws instead of the draws, which are then never held
        all at once.
    offset : array, optional
        Offset of the new rows, where that of the fit was no column.
    seed : int, optional
        Seed of new effects and of response draws; that of the fit by default, so that the same
        call gives the same numbers, and one new group the same effects in several calls.
    into : path, optional
        Write the draws to this file, piece by piece, and return them opened, not loaded:
        ``.nc`` for netCDF, ``.zarr`` for zarr. Or write a table, ``.parquet``, and return its path:
        the rows as they are given, with all their columns, and beside them
        ``mean``, ``sd`` and the `quantiles`. Rows then may come from any source that
        `hm.statistics` reads, and are read and written in batches; of a Dask or Spark frame each
        partition is predicted where it is and written to a file of its own, in a folder of this
        name.
    given : str or sequence of str, optional
        Of several responses those whose values in `new_data` are known: the others are predicted
        given them, through the correlations of the residuals, and of effects of new groups
        where these are sampled. What the fit says of its parameters and of its own groups stays
        as it is. By default none is known.

    Returns
    -------
    DataArray or Path
        (chain, draw, row), or (quantile, row) where quantiles were asked for; with a last dim
        ``category`` for ``"probability"``, and for ``"linear"`` and ``"mean"`` of unordered
        categories; or with ``response``, of several, whose draws go together. A fitted row has
        numbers for the responses that it has.

    Raises
    ------
    DataError
        Labels, levels, columns or values that the fit can't predict for.
    ArgumentError
        An option is out of range.
    """
    make = partial(
        pieces_of_rows, posterior, kind=kind, new_groups=new_groups, group_effects=group_effects,
        offset=offset, seed=seed, given=options.names("given", given or ()),
    )  # fmt: skip
    if into is not None and table_files.is_table(into):
        if sources.streams(new_data):
            _check_apart(new_groups, offset, given)
        return PredictionTables(make, kind, quantiles or ()).write(new_data, options.path(into))
    _check_whole(new_data)
    return result(posterior, make(new_data), kind, quantiles=quantiles, into=into)


def _check_whole(new_data: Any) -> None:
    """Raise for a source whose rows come in batches alone, where they are needed at once."""
    if sources.only_streams(new_data):
        raise ArgumentError(
            f"rows of a source ({type(new_data).__name__}) are predicted in batches, into a table: "
            "pass into='predictions.parquet', or a frame"
        )


def _check_apart(new_groups: str, offset: ArrayLike | None, given: object) -> None:
    """Raise for what needs all rows of a source at once."""
    if new_groups == "update" or (new_groups == "sample" and given):
        beside = "" if new_groups == "update" else " with given="
        raise ArgumentError(
            f"new_groups={new_groups!r}{beside} learns from all rows of a group at once, and a "
            "source is read in batches: pass a frame"
        )
    if offset is not None:
        raise ArgumentError("rows of a source take no offset as an array: make it a column")


def predict_pieces(
    posterior: Posterior,
    new_data: NewRows | None = None,
    *,
    kind: Kind = "mean",
    new_groups: NewGroups = "error",
    group_effects: str | Sequence[str] = "all",
    offset: FloatArray | None = None,
    seed: int | None = None,
) -> Iterator["xr.DataArray"]:
    """Predict in pieces of rows, for results larger than memory.

    Parameters are those of `predict`. The pieces, joined along ``row``, are its result.
    """
    source = pieces_of_rows(
        posterior, new_data, kind=kind, new_groups=new_groups, group_effects=group_effects,
        offset=offset, seed=seed,
    )  # fmt: skip
    return in_pieces(posterior, source, kind)


def result(
    posterior: Posterior,
    source: Pieces,
    kind: str,
    *,
    quantiles: Sequence[float] | None = None,
    into: str | Path | None = None,
) -> "xr.DataArray":
    """Return a prediction as draws, as quantiles, or in a file."""
    if quantiles is not None and into is not None:
        raise ArgumentError(
            "quantiles= and into= a file of draws exclude each other: quantiles fit in memory, or "
            "go into a table, into='predictions.parquet'"
        )
    if quantiles is not None:
        return quantile_array(source, kind, quantiles)
    rows = row_labels.coords(source.design)
    if into is not None:
        empty = labelled(posterior, kind, np.empty((0, *source.shape(kind))), np.arange(0), source)
        return write(in_pieces(posterior, source, kind), empty, rows, options.path(into))
    numbers = np.arange(source.design.rows)
    return _named(labelled(posterior, kind, draw_matrix(source, kind), numbers, source), rows)


def labelled(
    posterior: Posterior,
    kind: str,
    flat: FloatArray,
    rows: np.ndarray,
    source: Pieces | None = None,
) -> "xr.DataArray":
    """Label draws (n, S, ...) as (chain, draw, row, ...); a view, nothing is copied."""
    import xarray as xr

    chains = {dim: posterior.draws[dim] for dim in ("chain", "draw")}
    several = {} if source is None else extra_dims(source, kind)
    weighed = None if source is None else source.weighed
    return xr.DataArray(
        np.moveaxis(flat.reshape(len(flat), *posterior.shape, *flat.shape[2:]), 0, 2),
        dims=("chain", "draw", "row", *several),
        coords={**chains, "row": rows, **several},
        name=kind,
        attrs={} if weighed is None else weighed.attrs(),
    )


def in_pieces(posterior: Posterior, source: Pieces, kind: str) -> Iterator["xr.DataArray"]:
    """Yield a prediction in pieces of rows, in order."""
    names, numbers = row_labels.coords(source.design), np.arange(source.design.rows)
    for job in source.jobs(kind):
        rows, part = job()
        yield _named(labelled(posterior, kind, part, numbers[rows], source), names.isel(row=rows))


def _named(found: "xr.DataArray", rows: "xr.Dataset") -> "xr.DataArray":
    return found.drop_vars("row").assign_coords(rows.coords)


def quantile_array(source: Pieces, kind: str, probs: Sequence[float]) -> "xr.DataArray":
    """Return quantiles labelled as (quantile, row), and category where there are several."""
    import xarray as xr

    rows, several = row_labels.coords(source.design), extra_dims(source, kind)
    return xr.DataArray(
        quantile_matrix(source, kind, probs),
        dims=("quantile", "row", *several),
        coords={"quantile": levels(probs), **rows.coords, **several},
        name=kind,
        attrs={} if source.weighed is None else source.weighed.attrs(),
    )
