"""What is asked of a posterior as methods of its fit, some of them made when somebody looks."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Concatenate, NoReturn, Protocol, cast

from hiermix.errors import ArgumentError
from hiermix.posterior import one_response
from hiermix.posterior.posterior import Posterior


class Holder(Protocol):
    """What has a posterior: a fit."""

    @property
    def posterior(self) -> Posterior:
        """The draws."""


type Join = Callable[[Mapping[str, Any]], Any]
"""Makes one answer of those of several responses, by their names."""


def together(each: Mapping[str, Any]) -> NoReturn:
    """Stand for what knows several responses: it is asked of all of them at once."""
    raise AssertionError("nothing is asked of each response")


def asked_of_posterior[**P, R](
    function: Callable[Concatenate[Posterior, P], R], several: Join | None = None
) -> Callable[Concatenate[Any, P], R]:
    """Return what is asked of a posterior as a method of its fit, with signature and docstring.

    `several` makes one answer of those of several responses; without it, there is none.
    """

    @wraps(function)
    def method(self: Holder, /, *args: P.args, **kwargs: P.kwargs) -> R:
        posterior = self.posterior
        if not posterior.responses or several is together:
            return function(posterior, *args, **kwargs)
        join = one_only(posterior, function.__name__) if several is None else several
        each = enumerate(posterior.responses)
        found: R = join({name: function(one_response.of(posterior, k), *args, **kwargs)
                         for k, name in each})  # fmt: skip
        return found

    first, *others = signature(function).parameters.values()
    method.__signature__ = signature(function).replace(  # type: ignore[attr-defined]
        parameters=[first.replace(name="self", annotation=Parameter.empty), *others]
    )
    method.__qualname__ = f"Fit.{function.__name__}"
    return method


def check_one(posterior: Posterior, what: str) -> None:
    """Raise where there are several responses, for what is asked of one."""
    if posterior.responses:
        one_only(posterior, what)


def one_only(posterior: Posterior, what: str) -> NoReturn:
    """Refuse several responses.

    Raises
    ------
    ArgumentError
        Always.
    """
    name = posterior.responses[-1]
    raise ArgumentError(
        f"{what}() is asked of one response: fit.response({name!r}).{what}(...). The fit has "
        f"{', '.join(map(repr, posterior.responses))}"
    )


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
