"""Check: the report of `Fit.check`, with its sentences, its table and its figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np
import pandas as pd

from hiermix import options, plots
from hiermix.checking import calibration, convergence, pits, prior_conflicts
from hiermix.checking.calibration import Ranked
from hiermix.checking.findings import Finding, NotLookedAtError
from hiermix.checking.pits import Pit
from hiermix.checking.prior_conflicts import Sensitivity
from hiermix.checking.refits import Refittable
from hiermix.checking.uniformity import ERROR_RATE
from hiermix.engines import Engine
from hiermix.errors import ArgumentError
from hiermix.posterior import one_response
from hiermix.posterior.posterior import Posterior
from hiermix.typing import Algorithm, CheckPart

if TYPE_CHECKING:
    import xarray as xr

    from hiermix.plots.style import Plot

PARTS: tuple[CheckPart, ...] = get_args(CheckPart.__value__)
_TESTED = (pits.PART, calibration.PART)


@dataclass(frozen=True, eq=False)
class Check:
    """What was found, part by part.

    Attributes
    ----------
    findings : list of Finding
        Every number with its limit.
    skipped : dict
        Parts that could not be looked at, with the reason.
    """

    findings: list[Finding]
    skipped: dict[str, str]
    parts: tuple[str, ...]
    pits: list[Pit] = field(repr=False)
    ranks: list[Ranked] = field(repr=False)
    sensitivities: list[Sensitivity] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing that was looked at is doubtful."""
        return not any(each.doubtful for each in self.findings)

    @property
    def verdict(self) -> str:
        """The overall sentence."""
        seen = [part for part in self.parts if part not in self.skipped]
        about = ", ".join(seen) or "nothing"
        bad = [part for part in seen
               if any(each.doubtful and each.part == part for each in self.findings)]  # fmt: skip
        if not bad:
            return f"Nothing doubtful was found; looked at: {about}."
        return f"Doubtful: {', '.join(bad)}; looked at: {about}."

    @property
    def sentences(self) -> list[str]:
        """What is doubtful, and why; then what else is to know."""
        said = sorted(
            (each for each in self.findings if each.text), key=lambda each: not each.doubtful
        )
        found = [
            f"{'Doubtful, ' if each.doubtful else ''}{each.part}: {each.text}" for each in said
        ]
        found += [f"{part}: not looked at: {why}." for part, why in self.skipped.items()]
        return [*found, *self._rates()]

    def _rates(self) -> list[str]:
        tested = [part for part, some in zip(_TESTED, (self.pits, self.ranks), strict=True) if some]
        if not tested:
            return []
        return [
            f"Chance alone puts a doubt about {' or '.join(tested)} into about one report of "
            f"{1 / ERROR_RATE:.0f} of right models."
        ]

    def table(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        DataFrame
            ``part``, ``about``, ``measure``, ``value``, ``limit``, ``doubtful``.
        """
        return pd.DataFrame(self.findings, columns=list(Finding._fields)).drop(columns="text")

    def plot(self, *, figsize: tuple[float, float] | None = None) -> "Plot":
        """Draw what the probabilities and ranks look like, and how much priors matter.

        Parameters
        ----------
        figsize : tuple of float, optional
            Width and height in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.
        """
        groups = [each for each in self.pits if each.about != "rows" and len(each.u)]
        uniform: dict[str, Sequence[Pit | Ranked]] = {
            "Responses, each left out": [each for each in self.pits if each.about == "rows"],
            "Groups, each left out": groups,
            "Parameters in refits to simulated data": self.ranks,
        }
        lines = {title: {each.about: each.u for each in some}
                 for title, some in uniform.items() if some}  # fmt: skip
        if not lines and not self.sensitivities:
            raise ArgumentError("of what was looked at there is nothing to draw: see table()")
        return plots.check_panels.plot_panels(
            lines, prior_conflicts.table(self.sensitivities), prior_conflicts.SENSITIVE, figsize
        )

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *(f"- {each}" for each in self.sentences)])

    def _repr_html_(self) -> str:
        frame = self.table().set_index(["part", "about"])
        return plots.notebook.sentences(self.verdict, self.sentences, frame)


class Checked(Protocol):
    """What is checked: a fit."""

    @property
    def posterior(self) -> Posterior:
        """The draws."""

    @property
    def data(self) -> "xr.DataTree":
        """The tree of the fit."""

    @property
    def model(self) -> Refittable:
        """The model that was fitted."""


def check(
    self: Checked,
    what: CheckPart | Sequence[CheckPart] = PARTS,
    *,
    refits: int = 100,
    algorithm: Algorithm = "importance",
    engine: str | Engine = "auto",
    seed: int | None = None,
) -> Check:
    """Check chains, priors, likelihood and draws, and say in sentences what is doubtful.

    Parameters
    ----------
    what : str or sequence of {"convergence", "priors", "pit", "calibration"}
        What to look at, all by default: what the chains say of themselves; whether a prior is
        at odds with the data (power-scaling); responses beside what the rest of the data
        predict of them, by row and by group (LOO-PIT); and the draws themselves, beside
        another sampler's and on data simulated from them (posterior simulation-based
        calibration).
    refits : int
        Data sets that are simulated and fitted to for ``"calibration"``.
    algorithm : {"importance", "nuts"}
        How these fits are drawn from; as in `Model.fit`.
    engine : str or Engine
        What samples them, by ``"nuts"``.
    seed : int, optional
        Of the simulations; the fit's own by default.

    Returns
    -------
    Check
        It prints as sentences; with ``ok``, ``verdict``, ``sentences``, ``table()``,
        ``plot()``.
    """
    one_response.check_alone(self.posterior, "check()")
    if self.posterior.responses:
        raise ArgumentError(
            "check() is for fits of one response: fit.loo(), and fit.response(...) with its "
            "plot_check() and plot_residuals(), look at several"
        )
    wanted = tuple(options.one_of("what", each, PARTS) for each in options.names("what", what))
    options.whole("refits", refits, 20, 10_000)
    options.one_of("algorithm", algorithm, ("importance", "nuts"))
    seed = self.posterior.seed if seed is None else options.whole("seed", seed, 0)
    again = {"algorithm": algorithm, "engine": engine}
    work = _Work(self.posterior, self.data, self.model, seed, refits, again)
    limit = ERROR_RATE / max(1, len(set(wanted) & set(_TESTED)))
    jobs: dict[str, Callable[[], list[Finding]]] = {
        convergence.PART: lambda: convergence.findings(self.data),
        prior_conflicts.PART: lambda: work.priors(),
        pits.PART: lambda: work.responses(limit),
        calibration.PART: lambda: work.draws(limit),
    }
    found: list[Finding] = []
    for part in dict.fromkeys(wanted):
        try:
            found += jobs[part]()
        except NotLookedAtError as error:
            work.skipped[part] = str(error)
    return Check(found, work.skipped, tuple(dict.fromkeys(wanted)), work.pits, work.ranks,
                 work.sensitivities)  # fmt: skip


@dataclass
class _Work:
    """What was found on the way, for the figure."""

    posterior: Posterior
    tree: "xr.DataTree"
    model: Refittable
    seed: int
    refits: int
    again: dict[str, Any]
    skipped: dict[str, str] = field(default_factory=dict)
    pits: list[Pit] = field(default_factory=list)
    ranks: list[Ranked] = field(default_factory=list)
    sensitivities: list[Sensitivity] = field(default_factory=list)

    def priors(self) -> list[Finding]:
        self._check_data()
        self.sensitivities = prior_conflicts.sensitivities(self.posterior, self.model, self.seed)
        return prior_conflicts.findings(self.sensitivities)

    def responses(self, limit: float) -> list[Finding]:
        self._check_data()
        self.pits = pits.pits(self.posterior)
        return pits.findings(self.pits, self.posterior.family, limit)

    def draws(self, limit: float) -> list[Finding]:
        self._check_data()
        others = calibration.beside_another(
            self.posterior, self.model, self.seed, self.again["engine"]
        )
        try:
            self.ranks = calibration.ranks(
                self.posterior, self.model, self.refits, self.seed, self.again
            )
        except NotLookedAtError as error:
            if not others:
                raise
            self.skipped["simulated data"] = str(error)
        same = self.tree.attrs.get("algorithm", "nuts") == self.again["algorithm"]
        return calibration.findings(self.ranks, others, limit, same_sampler=same)

    def _check_data(self) -> None:
        if self.tree.attrs["prior_only"]:
            raise NotLookedAtError("the fit is of the prior alone")
        if np.prod(self.posterior.shape) < 100:
            raise NotLookedAtError("there are fewer than 100 draws")
