"""Posterior: the draws of a fit, what they are draws of, and both laid out once for arithmetic."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.families.category_equations import further
from hiermix.families.family import Family
from hiermix.formula.equations import MU
from hiermix.formula.names import in_results
from hiermix.posterior import coefficients, draw_arrays, missing_values
from hiermix.posterior.draw_arrays import Layout, LevelEffects, Which, blocks_of
from hiermix.posterior.on_demand import without
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of the parameters of a model for the rows of a design.

    Everything that is asked of a fit takes one. What is laid out for arithmetic is laid out when it
    is first asked for, and kept.
    """

    draws: "xr.Dataset"
    """By label, (chain, draw, ...)."""
    design: Design
    """The fitted rows, or others on the same plan: see `on`."""
    family: Family
    attrs: Mapping[Any, Any] = field(default_factory=dict)
    """Those of the fit's tree: its seed, among others."""
    _laid_out: dict[tuple[str, str | None], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, tree: "xr.DataTree", design: Design, family: Family) -> "Posterior":
        """Return the posterior in a tree."""
        return cls(tree["posterior"].to_dataset(), design, family, tree.attrs)

    def on(self, design: Design) -> "Posterior":
        """Return the same draws for other rows: some of the fit's, or new ones that it encoded."""
        return replace(self, design=design)

    def is_in(self, tree: "xr.DataTree") -> bool:
        """Whether a tree still has these very draws and attributes."""
        theirs = tree["posterior"].to_dataset().variables
        mine = self.draws.variables
        same = set(mine) == set(theirs) and all(mine[name] is theirs[name] for name in mine)
        return same and self.attrs is tree.attrs

    def __getstate__(self) -> dict[str, Any]:
        """Leave here what can be laid out again."""
        return self.__dict__ | {"_laid_out": {}}

    @property
    def shape(self) -> tuple[int, int]:
        """Number of chains, and of draws in each."""
        return int(self.draws.sizes["chain"]), int(self.draws.sizes["draw"])

    @property
    def size(self) -> int:
        """Number of draws S of all chains."""
        chains, length = self.shape
        return chains * length

    @property
    def seed(self) -> int:
        """Seed of the fit."""
        return int(self.attrs["seed"])

    # By label --------------------------------------------------------------------------------

    @property
    def equations(self) -> tuple[str | None, ...]:
        """Names of the linear predictors: of each category but the first, or one without name."""
        return tuple(further(self.design)) or (None,)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters of the family that have an equation."""
        return tuple(each.name for each in self.design.equations[1:])

    @property
    def responses(self) -> tuple[str, ...]:
        """Names of the responses, where there are several."""
        return tuple(each.response_name for each in self.design.parts)

    def of_equation(self, equation: str | None) -> "xr.Dataset":
        """Return the draws of one linear predictor; all draws for None."""
        if equation is None or equation in (*self.parameters, *self.responses):
            return self.draws
        return self.draws.sel(category=equation, drop=True)

    def _named(self, equation: str | None) -> str:
        """Name of the equation whose variables a linear predictor has: categories share mu's."""
        known = (*self.parameters, *self.responses)
        return equation if equation is not None and equation in known else MU

    def coefficient(self, term: str, equation: str | None = None) -> "xr.DataArray":
        """Draws (chain, draw) of a population coefficient; zero where the population has none.

        Parameters
        ----------
        term : str
            Label of a column of X, ``"Intercept"`` among them.
        equation : str, optional
            The linear predictor that it belongs to: a category, or a parameter of the family. None
            means that of the response's location; of categories all, along ``category``.
        """
        return coefficients.draws(self.of_equation(equation), term, self._named(equation))

    def means(self, terms: Sequence[str], equation: str | None = None) -> FloatArray:
        """Posterior means (P,) of population coefficients."""
        return np.array([float(self.coefficient(term, equation).mean()) for term in terms])

    def beside(self, grouping: Grouping, place: int) -> "xr.DataArray":
        """Draws of the population coefficient that an effect, by its place, deviates from."""
        equation = grouping.equations[place]
        return self.coefficient(grouping.terms[place], None if equation == MU else equation)

    def grouping(self, name: str) -> Grouping:
        """Return a grouping factor.

        Raises
        ------
        ArgumentError
            There is none of this name.
        """
        known = [each.name for each in self.design.groupings]
        if in_results(str(name)) not in known:
            near = did_you_mean(str(name), known)
            listed = ", ".join(map(repr, known)) or "none"
            raise ArgumentError(
                f"{quoted(name)} is no grouping factor of this fit.{near} Known: {listed}"
            )
        return self.design.grouping(str(name))

    def effects(self, group: str) -> "xr.DataArray":
        """Draws of the effects (chain, draw, level, effect); categories come before the level."""
        return self.draws[f"r_{self.grouping(group).name}"]

    def group_coefficients(self, group: str, level: object = None) -> "xr.DataArray":
        """Draws of population coefficient plus effect, of all levels or of one, as `effects`.

        Effects of no population term stand alone.
        """
        found = self.effects(group)
        return self._whole(group, found if level is None else found.sel({found.dims[-2]: [level]}))

    def _whole(self, group: str, effects: "xr.DataArray") -> "xr.DataArray":
        """Add the population coefficients to effects."""
        found = effects.copy(data=np.array(effects.to_numpy())).drop_attrs()
        grouping = self.grouping(group)
        for place, effect in enumerate(grouping.of_level):
            where = {found.dims[-1]: effect}
            found.loc[where] = found.loc[where] + self.beside(grouping, place)
        return found

    def by_level(
        self, group: str, kind: str, reduce: Callable[["xr.DataArray"], FloatArray]
    ) -> FloatArray:
        """Return what is made of the draws of some levels, for all levels.

        Parameters
        ----------
        group : str
            Grouping factor.
        kind : {"effects", "coefficients"}
            Draws of what.
        reduce : callable
            From draws (chain, draw, ..., level, effect) to an array (..., level, effect).
        """
        parts = [reduce(part) for part in self.level_blocks(group, kind)]
        return np.concatenate(parts, axis=-2)

    def level_blocks(self, group: str, kind: str) -> Iterator["xr.DataArray"]:
        """Yield draws of effects, or of coefficients, of some levels after the other."""
        effects = self.effects(group)
        for levels in blocks_of(effects):
            part = effects.isel({effects.dims[-2]: levels})
            yield part.load() if kind == "effects" else self._whole(group, part)

    # Laid out, the draw last ------------------------------------------------------------------

    def b(self, equation: str | None = None, draws: Which = None) -> FloatArray:
        """Return population coefficients (P, S), in the order of the equation's terms."""
        name = self._named(equation)
        if self.design.parts and equation is None:
            return np.vstack([self.b(each, draws) for each in self.responses])
        terms = next(each.terms for each in self.design.reported if each.name == name)
        make = partial(coefficients.matrix, terms=terms, which=draws, equation=name)
        return self._once("population", make, equation, draws)

    def own(self, draws: Which = None) -> dict[str, FloatArray]:
        """Return the family's own parameters (S, ...) that have no equation.

        None of residuals at positions that the rows don't name: means don't need them.
        """
        names = [each.name for each in self.family.scalars(self.design)]
        return {name: draw_arrays.flat(self.draws[name], draws)
                for name in names if name in self.draws}  # fmt: skip

    def r(
        self, grouping: Grouping, equation: str | None = None, draws: Which = None
    ) -> LevelEffects:
        """Return the effects (Q, J, S) of a factor, in the order of its levels."""
        make = partial(draw_arrays.effects, grouping=grouping, draws=draws)
        return self._once(f"r_{grouping.name}", make, equation, draws)

    def Lambda(  # noqa: N802
        self, grouping: Grouping, equation: str | None = None, draws: Which = None
    ) -> FloatArray:
        """Return Cholesky factors (S, Q, Q) of the covariance of the effects of one level."""
        make = partial(draw_arrays.spread, grouping=grouping, draws=draws)
        return self._once(f"Lambda_{grouping.name}", make, equation, draws)

    def df(self, grouping: Grouping, draws: Which = None) -> FloatArray:
        """Return the degrees of freedom (S,) of effects that are t-distributed."""
        return draw_arrays.flat(self.draws[f"df_{grouping.name}"], draws)

    def root(self, grouping: Grouping, equation: str = MU) -> FloatArray:
        """Return the rows (S, q, Q) of Lambda of the effects that enter an equation."""
        return self.Lambda(grouping)[:, grouping.of_equation(equation)]

    def layout(
        self, factors: Collection[str], equation: str | None = None, draws: Which = None
    ) -> Layout:
        """Return all that a linear predictor with the effects of some factors needs.

        Parameters
        ----------
        factors : collection of str
            Names of grouping factors.
        equation : str, optional
            Which linear predictor, where there are several.
        draws : sequence of int, optional
            Which draws, counted through the chains; all by default, and only these are kept.
        """
        chosen = [each for each in self.design.groupings if each.name in factors]
        return Layout(
            b=self.b(equation, draws),
            own=self.own(draws),
            of={name: self.b(name, draws) for name in self.parameters},
            r={each.name: self.r(each, equation, draws) for each in chosen},
            Lambda={each.name: self.Lambda(each, equation, draws) for each in chosen},
            df={each.name: self.df(each, draws) for each in chosen if each.heavy},
            gaps=missing_values.matrices(self.draws, self.design, draws),
        )

    def _once[T](
        self,
        name: str,
        make: Callable[["xr.Dataset"], T],
        equation: str | None,
        draws: Which,
    ) -> T:
        """Keep what is laid out of all draws; some of the draws are for once."""
        key = name, equation
        if draws is not None:
            return make(self.of_equation(equation))
        if key not in self._laid_out:
            made = make(self.of_equation(equation))
            kept = without(self.draws).values()
            for values in (getattr(made, "values", made), *(each.to_numpy() for each in kept)):
                if isinstance(values, np.ndarray):
                    values.setflags(write=False)  # neither may move without the other
            self._laid_out[key] = made
        return cast(T, self._laid_out[key])
