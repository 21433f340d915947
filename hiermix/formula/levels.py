"""``C(...)`` for formulas: formulaic's, but that a level which the fit never saw is an error.

formulaic warns of it and goes on with zeros. What is done with warnings belongs to the process, and
threads that change it undo each other's changes: so the levels are looked at here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from hiermix.errors import DataError, count, first_three, quoted


def C(  # noqa: N802
    data: Any,
    contrasts: Any = None,
    *,
    levels: Iterable[Any] | None = None,
    spans_intercept: bool = True,
) -> Any:
    """Mark a column as categories, with their contrasts.

    Parameters
    ----------
    data : column
        Labels.
    contrasts : optional
        Such as ``contr.sum``; treatment contrasts by default.
    levels : iterable, optional
        All levels in their order; those of the fitted rows by default.
    spans_intercept : bool
        Whether the columns of all levels add up to the intercept.
    """
    from formulaic import transforms
    from formulaic.materializers.types import FactorValues

    given = None if levels is None else list(levels)
    found = transforms.C(data, contrasts, levels=given, spans_intercept=spans_intercept)
    encode = found.__formulaic_metadata__.encoder

    def checked(values: Any, *, encoder_state: dict[str, Any], **others: Any) -> Any:
        _check(values, encoder_state.get("categories") if given is None else given)
        return encode(values, encoder_state=encoder_state, **others)

    return FactorValues(data, kind="categorical", spans_intercept=spans_intercept, encoder=checked)


def _check(values: Any, known: Sequence[Any] | None) -> None:
    if known is None:
        return
    labels = pd.Series(getattr(values, "__wrapped__", values)).dropna()
    unseen = [label for label in labels.unique().tolist() if label not in known]
    if unseen:
        raise DataError(
            f"a term C(...) has {count(len(unseen), 'level')} that the fit never saw: "
            f"{first_three(unseen)}. Allowed: {', '.join(map(quoted, known))}"
        )
