"""Names of a formula and of arguments: columns of the data, and free in results."""

from hiermix.design import checks, group_checks
from hiermix.design.roles import Roles
from hiermix.design.tables import Table
from hiermix.errors import DataError
from hiermix.formula.names import in_results
from hiermix.formula.terms.smooths import Smooth

_OF_SMOOTHS = ("smooth", "basis")
"""Dims of the draws of smooths; with ``sd_`` before it the first is a variable too."""


def check_names(roles: Roles, data: Table, *keywords: object) -> None:
    """Raise for names that are no column, or that results can't have."""
    group_checks.free_names(list(roles.factors))
    group_checks.names_apart(list(map(in_results, roles.columns)), roles.columns)
    for argument, column in zip(("weights", "offset", "trials", "censored"), keywords, strict=True):
        if isinstance(column, str) and not column.isdecimal():
            checks.known_columns([column], data, argument)
    checks.known_columns(roles.columns, data, parameters=roles.curves)

    smooths = [each for each in roles.formula.specials if isinstance(each, Smooth)]
    for name in _OF_SMOOTHS if smooths else ():
        if name in roles.factors:
            raise DataError(
                f"grouping column {name!r}: beside {smooths[0]} the name is reserved for its "
                f"draws. Rename the column, for example to {name + '_id'!r}"
            )
