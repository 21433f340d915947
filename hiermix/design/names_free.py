"""Names of a formula and of arguments: columns of the data, and free in results."""

from hiermix.design import checks, group_checks
from hiermix.design.roles import Roles
from hiermix.design.tables import Table
from hiermix.errors import DataError
from hiermix.formula.names import in_results
from hiermix.formula.terms.gaussian_processes import Process
from hiermix.formula.terms.smooths import CurveTerm

_OF_SMOOTHS = ("smooth", "basis", "s")
"""Dims of the draws of smooths, and a variable; with ``sd_`` before it the first is one too."""
_OF_PROCESSES = ("process", "lengthscale")
"""Dim and variable of the lengthscales of processes."""
_OF_ROWS = ("chain", "draw", "row")
"""Dims of what is known of each row, of which the response is a variable."""


def check_names(roles: Roles, data: Table, *keywords: object) -> None:
    """Raise for names that are no column, or that results can't have."""
    if roles.response_name in _OF_ROWS:
        raise DataError(
            f"response {roles.response_name!r}: results have a dim of that name. Rename the "
            f"column, for example to {roles.response_name + '_observed'!r}"
        )
    group_checks.free_names(list(roles.factors))
    group_checks.names_apart(list(map(in_results, roles.columns)), roles.columns)
    for argument, column in zip(("weights", "offset", "trials", "censored"), keywords, strict=True):
        if isinstance(column, str) and not column.isdecimal():
            checks.known_columns([column], data, argument)
    checks.known_columns(roles.columns, data, parameters=roles.curves)

    smooths = [each for each in roles.formula.specials if isinstance(each, CurveTerm)]
    taken = dict.fromkeys(_OF_SMOOTHS, smooths[0]) if smooths else {}
    for each in smooths:
        taken |= dict.fromkeys(_OF_PROCESSES, each) if isinstance(each, Process) else {}
    for name, smooth in taken.items():
        if name in roles.factors:
            raise DataError(
                f"grouping column {name!r}: beside {smooth} the name is reserved for its "
                f"draws. Rename the column, for example to {name + '_id'!r}"
            )
