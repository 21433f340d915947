"""What is asked of a posterior as methods of its fit, some of them made when somebody looks."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Concatenate, Protocol, cast

from hiermix.posterior.posterior import Posterior


class Holder(Protocol):
    """What has a posterior: a fit."""

    @property
    def posterior(self) -> Posterior:
        """The draws."""


def asked_of_posterior[**P, R](
    function: Callable[Concatenate[Posterior, P], R],
) -> Callable[Concatenate[Any, P], R]:
    """Return what is asked of a posterior as a method of its fit, with signature and docstring."""

    @wraps(function)
    def method(self: Holder, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self.posterior, *args, **kwargs)

    first, *others = signature(function).parameters.values()
    method.__signature__ = signature(function).replace(  # type: ignore[attr-defined]
        parameters=[first.replace(name="self", annotation=Parameter.empty), *others]
    )
    method.__qualname__ = f"Fit.{function.__name__}"
    return method


class _Later:
    """A method that is made when somebody first looks at it."""

    def __init__(self, make: Callable[[], Callable[..., Any]]) -> None:
        self.make = make

    def __get__(self, fit: Any, owner: type) -> Any:
        method = self.make()
        setattr(owner, method.__name__, method)  # in place of this
        return getattr(owner if fit is None else fit, method.__name__)


def drawn_of_posterior[**P, R](
    find: Callable[[], Callable[Concatenate[Posterior, P], R]],
) -> Callable[Concatenate[Any, P], R]:
    """Return the same of a plot, whose file is imported when somebody looks at it."""
    method: Any = _Later(lambda: asked_of_posterior(find()))
    return cast(Callable[Concatenate[Any, P], R], method)
