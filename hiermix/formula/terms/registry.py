"""Every special call by its word, with what reads it: a line a kind."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from hiermix.formula.calls import is_call
from hiermix.formula.terms import (
    category_specific,
    effect_laws,
    gaussian_processes,
    memberships,
    monotonic,
    residual_terms,
    smooths,
    tensor_smooths,
)
from hiermix.formula.terms.protocols import Grouped, Special
from hiermix.formula.tokens import Reader

RIGHT_SIDE: Mapping[str, Callable[[Reader], Special]] = {
    "ar": residual_terms.read_autoregression,
    "cs": category_specific.read,
    "hsgp": gaussian_processes.read,
    "mmc": memberships.read_covariates,
    "mo": monotonic.read,
    "s": smooths.read,
    "t2": tensor_smooths.read,
    "unstr": residual_terms.read_unstructured,
}
"""Terms of their own, right of a tilde."""

VARYING = ("mo", "mmc")
"""Those of them that may vary, left of a bar; the last one there alone."""

GROUPS: Mapping[str, Callable[[Reader], Grouped]] = {
    "gr": effect_laws.read,
    "mm": memberships.read,
}
"""In the place of a grouping factor, right of a bar."""


def entering(term: Special, equation: str) -> Special:
    """Return a term as one of another equation."""
    return replace(term, equation=equation)  # type: ignore[type-var]


def at_special(reader: Reader) -> bool:
    """Tell whether a special term of a right side stands at the current place.

    ``cs(t, df=3)``, with more than one argument, is a natural spline.
    """
    if reader.token.text not in RIGHT_SIDE or not is_call(reader):
        return False
    return not (reader.at("cs") and reader.has_arguments())


def special(reader: Reader) -> Special:
    """Read a special term, which stands on its own."""
    name = reader.token
    found = RIGHT_SIDE[name.text](reader)
    if reader.at(":", "*", "/", "^", "**", "in"):
        reader.fail(f"{name.text}() is a term of its own, and in no product of terms")
    return found
