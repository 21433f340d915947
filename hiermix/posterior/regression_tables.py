"""A fit as a column of a regression table, in the form that the package maketables asks for."""

from typing import Any

import pandas as pd

from hiermix.errors import ignored_warnings
from hiermix.posterior import summary
from hiermix.posterior.coefficients import term_of
from hiermix.posterior.describe import number_of_rows
from hiermix.posterior.posterior import Posterior


def coefficients(posterior: Posterior, tree: Any) -> pd.DataFrame:
    """Return posterior means, sds and 95 % intervals by term; there are no p-values."""
    with ignored_warnings():
        frame = summary.table(tree, summary.names(posterior.draws), 0.95)
    found = pd.DataFrame({
        "b": frame["mean"], "se": frame["sd"], "p": float("nan"),
        "ci95l": frame["q2.5"], "ci95u": frame["q97.5"],
    })  # fmt: skip
    return found.set_axis(pd.Index(map(term_of, map(str, frame.index)), name="Coefficient"))


def statistics(posterior: Posterior) -> dict[str, int]:
    """Return the number of rows, and of levels of each factor."""
    design = posterior.design
    levels = {f"N {each.name}": len(each.levels) for each in design.groupings}
    return {"N": number_of_rows(design), **levels}
