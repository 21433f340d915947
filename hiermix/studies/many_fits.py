"""Several models fitted side by side."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from hiermix.errors import ArgumentError, quoted
from hiermix.fit import Fit
from hiermix.model import Model
from hiermix.side_by_side import Workers


def fit_many(
    models: Mapping[str, Model],
    *,
    client: Any = None,
    processes: int | None = None,
    **settings: Any,
) -> dict[str, Fit]:
    """Fit several models, in turn or side by side: the numbers are the same.

    Parameters
    ----------
    models : mapping of str to Model
        By name.
    client : dask.distributed.Client, optional
        Fit on its workers, a model a task. They need hiermix too.
    processes : int, optional
        Fit in so many processes of this machine. They start afresh: a script that asks for them
        has its work under ``if __name__ == "__main__":``.
    **settings
        As in `Model.fit`, for all of them. Chains of models that share the cores share them too.

    Returns
    -------
    dict of str to Fit

    Raises
    ------
    ArgumentError
        Both `client` and `processes` are given, or what is to be fitted are no models.
    HiermixError
        That of the first model that can't be fitted; the others end.
    """
    wrong = [name for name, model in models.items() if not isinstance(model, Model)]
    if wrong:
        kind = type(models[wrong[0]]).__name__
        raise ArgumentError(f"fit_many takes models by name: {quoted(wrong[0])} is a {kind}")
    workers = Workers(client, processes)
    tasks = [partial(model.fit, **workers.settings(settings)) for model in models.values()]
    return dict(zip(models, workers.run(tasks), strict=True))
