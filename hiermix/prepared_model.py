"""A model whose rows were read: its priors, its program, and where its chains start."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hiermix.design.curve_factors import as_factors
from hiermix.design.design import Design
from hiermix.engines import gradients
from hiermix.errors import DataError
from hiermix.families import design_checks, exact_fit, imputed_laws
from hiermix.families.family import Family
from hiermix.families.priors import PriorTable
from hiermix.stan import programs
from hiermix.statistics import column_spreads
from hiermix.statistics.column_spreads import Spreads
from hiermix.statistics.nested import outer_first
from hiermix.statistics.of_source import AddedUp
from hiermix.statistics.row_sums import FROM_ROWS, Sums
from hiermix.tuning import bar_origins
from hiermix.tuning.bar_origins import Origins
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from hiermix.chain_starts import Started
    from hiermix.stan.assemble import Assembled
    from hiermix.tuning.points import Point

_NO_DIGITS = (
    "preparing the fit lost its digits ({error}): several grouping factors can be told apart where "
    "levels differ by up to some 1e8 residual sds. Take what sets levels further apart out of the "
    "response, or keep one factor"
)


class PreparedModel:
    """A family, a design or the sums of one, and priors: from these, a program and its starts."""

    family: Family
    design: Design
    statistics: AddedUp | None = None
    priors: PriorTable
    origins: Origins
    program_name: str
    _reason: str
    _options: Mapping[str, Any]
    _sums: Sums = FROM_ROWS

    def _of_rows(self, design: Design, priors: Mapping[str, str] | None) -> None:
        """Check the rows of a design, and choose priors and program by them."""
        design = outer_first(design)
        self.family = imputed_laws.with_laws(self.family, design)
        design_checks.check_design(self.family, design)
        for part in design.parts or (design,):
            exact_fit.check(part, self.family)
        self._ready(design, column_spreads.find(design), self.family.scale(design), priors)

    def _ready(
        self,
        design: Design,
        spread: Spreads,
        where: tuple[float, float],
        priors: Mapping[str, str] | None,
    ) -> None:
        """Choose priors, their places and the program."""
        from hiermix.stan import assemble, crossed_choice

        self.design, design = design, as_factors(design)
        self.priors: PriorTable = assemble.prior_table(self.family, design, spread, priors, where)
        self.origins: Origins = bar_origins.choose(design, spread, priors or {})
        self.program_name, self._reason = assemble.choose_program(
            self.family, design, self._options["effects"]
        )
        if self.program_name == programs.CROSSED:
            self.design = crossed_choice.ordered(self.design)

    @property
    def _posterior(self) -> "Assembled":
        return self._started.ready

    @cached_property
    def _started(self) -> "Started":
        return self._start(prior_only=False)

    def _start(self, *, prior_only: bool) -> "Started":
        from hiermix import chain_starts, family_checks

        search = partial(chain_starts.start, partial(self.assemble, prior_only=prior_only))
        family_checks.check_once(self._options["family"])
        try:
            return gradients.where_they_work(search)
        except np.linalg.LinAlgError as error:
            raise DataError(_NO_DIGITS.format(error=error)) from error

    def assemble(self, near: "Point | None" = None, *, prior_only: bool) -> "Assembled":
        """Return what an engine is handed, and what recovers integrated effects of its draws."""
        from hiermix.stan import programs_assembled

        design = bar_origins.centred(as_factors(self.design), self.origins)
        return programs_assembled.assemble(
            self.program_name, design, self.family, self.priors, prior_only=prior_only, near=near,
            sums=self._sums, parameterisation=self._options["parameterisation"],
        )  # fmt: skip

    def of_rows(self, rows: IntArray, response: FloatArray | None = None) -> Self:
        """Return this model for some of its rows, or all of them twice, with these responses.

        Same levels, same priors, same encoding. Levels that keep no row get effects from the fitted
        spread, each its own.
        """
        self.design.check_rows("a fit to some of the rows")
        design = self.design.take(rows)
        imputed = tuple(each.counted() for each in design.imputed)
        design = replace(design, unanswered=None, imputed=imputed)
        return self._with(design if response is None else replace(design, response=response))

    def with_default_priors(self) -> Self:
        """Return this model of the same rows as if no prior had been given."""
        model = self._with(self.design)
        model._of_rows(self.design, None)
        return model

    def _with(self, design: Design) -> Self:
        model = copy(self)
        model.__dict__.pop("_started", None)
        model.design = design
        return model
