"""Answers about several responses as one, with a column or a dim that says which it is of."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.answers.answer import Answer
from hiermix.design.design import Design
from hiermix.design.joint_design import DIM
from hiermix.errors import ArgumentError
from hiermix.posterior import one_response
from hiermix.posterior.posterior import Posterior
from hiermix.prediction.estimands import label_columns
from hiermix.prediction.estimates import along_rows

_OF_DRAWS = ("chain", "draw")
_OF_ONE = "{error}. This is so for response {name!r}; fit.response(...) answers for one alone"

if TYPE_CHECKING:
    import xarray as xr


def of_each[**P](
    ask: Callable[Concatenate[Posterior, P], Answer],
) -> Callable[Concatenate[Posterior, P], Answer]:
    """Return a question that is asked of each of several responses, and answered in one."""

    @wraps(ask)
    def whole(posterior: Posterior, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        if not posterior.responses:
            return ask(posterior, *args, **kwargs)
        bound = signature(ask).bind(posterior, *args, **kwargs)
        asked, found = bound.arguments.get("variables"), {}
        for k, name in enumerate(posterior.responses):
            own = one_response.of(posterior, k)
            bound.arguments |= {next(iter(bound.arguments)): own}
            if asked is not None:
                bound.arguments["variables"] = mine = _of_response(asked, own.design, posterior)
                if not mine:
                    continue
            try:
                found[name] = ask(*bound.args, **bound.kwargs)
            except ArgumentError as error:
                raise ArgumentError(
                    _OF_ONE.format(name=name, error=str(error).rstrip("."))
                ) from error
        return answers(found)

    return whole


def _of_response(asked: Any, own: Design, posterior: Posterior) -> Any:
    """Return the variables that one response depends on; those that none knows stay, to be told."""
    known = [{*each.predictors, *label_columns(each)} for each in posterior.design.parts]
    mine = {*own.predictors, *label_columns(own)}

    def counts(name: object) -> bool:
        return name in mine or not any(name in each for each in known)

    if isinstance(asked, Mapping):
        return {name: how for name, how in asked.items() if counts(name)}
    return [name for name in options.names("variables", asked) if counts(name)]


def answers(each: Mapping[str, Answer]) -> Answer:
    """Return the answers about several responses as one, response by response."""
    import xarray as xr

    first = next(iter(each.values()))
    labels = [one.labels.assign(**{DIM: name}) for name, one in each.items()]
    whole = pd.concat(labels, ignore_index=True)
    bare = [one.draws.drop_vars([name for name in one.draws.coords if name not in _OF_DRAWS])
            for one in each.values()]  # fmt: skip
    joined = xr.concat(bare, "row").assign_coords(row=np.arange(len(whole)), **along_rows(whole))
    return Answer(joined, whole, first.over, first.scale, first.null, first.conf_level)


def tables(each: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return tables about several responses as one, whose rows have the response before them."""
    return pd.concat(each, names=[DIM])


def datasets(each: "Mapping[str, xr.Dataset]") -> "xr.Dataset":
    """Return datasets about several responses as one, along a dim."""
    import xarray as xr

    return xr.concat(list(each.values()), pd.Index(list(each), name=DIM), join="outer")
