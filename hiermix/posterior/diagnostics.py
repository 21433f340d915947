"""Judges a fit from its tree alone: plain sentences about what is doubtful.

`of_sampling` is said when a fit ends, `of_answers` by the first summary: each doubt once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hiermix.design import group_checks
from hiermix.errors import count
from hiermix.families import table
from hiermix.families.family import Family
from hiermix.families.prior import parse_prior
from hiermix.posterior import small_spreads
from hiermix.posterior.coefficients import SLOPES, TERM
from hiermix.posterior.on_demand import without
from hiermix.posterior.single_values import flat, label
from hiermix.posterior.small_spreads import at_zero
from hiermix.stan import programs
from hiermix.statistics.pareto_weights import RELIABLE
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

ENOUGH = 400
"""Effective draws at which R-hat can be trusted, and a mean has a twentieth of an sd of error."""
_R_HAT = 1.01
_MODES = 1.2
"""R-hat from which steady chains are taken for chains in different modes."""
_WORST = 20
"""Values of a variable that are looked at closely: there may be thousands of group effects."""
_CAREFUL = 0.95
_ENTRIES = 16_000


def of_fit(tree: "xr.DataTree") -> dict[str, str]:
    """Return every doubt about a fit, by what it is about."""
    answers = [] if tree.attrs["prior_only"] else of_answers(tree)
    return of_sampling(tree, ENOUGH) | {text: text for text in answers}


def of_sampling(tree: "xr.DataTree", enough: int | None = None) -> dict[str, str]:
    """Return doubts about the sampling: divergences, treedepth, modes, R-hat, effective draws.

    Of effective draws fewer than `enough` are too few; by default a tenth of the draws, so that a
    short run is not told that it is short.
    """
    chains = Chains(tree)
    least = min(ENOUGH, chains.total // 10) if enough is None else enough
    found = {
        "weights": _weights(tree),
        "divergences": _divergences(tree), "treedepth": _deep_trees(tree),
        "chains": _disagreement(chains), "effective draws": _few(chains, least),
    }  # fmt: skip
    return {about: text for about, text in found.items() if text}


def of_answers(tree: "xr.DataTree") -> list[str]:
    """Return what the data leave open: sds near zero, priors that decide, few levels."""
    levels = [group_checks.few_levels(name, size) for name, size in _factors(tree).items()]
    found = [
        *small_spreads.sentences(tree, _factors(tree)),
        *_on_their_priors(tree),
        _limit_of_family(tree),
        *levels,
    ]
    return [text for text in found if text]


# The sampling ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Chains:
    """R-hat and effective draws of what moves least well in each variable."""

    tree: "xr.DataTree"

    @property
    def total(self) -> int:
        """Draws of all chains."""
        return self.size[0] * self.size[1]

    @property
    def size(self) -> tuple[int, int]:
        """Number of chains, and of draws in each."""
        posterior = self.tree["posterior"]
        return int(posterior.sizes["chain"]), int(posterior.sizes["draw"])

    @cached_property
    def suspects(self) -> dict[str, FloatArray]:
        """Draws (chain, draw) by name, with group effects that are kept.

        Others are exact draws given the rest, and mix as the rest does.
        """
        return dict(self._suspects()) if self.size[1] >= 8 else {}

    def _suspects(self) -> Iterator[tuple[str, FloatArray]]:
        for name, array in without(self.tree["posterior"].to_dataset()).data_vars.items():
            values = array.to_numpy()
            for place in _least_mixed(values):
                at = np.unravel_index(place, values.shape[2:])
                yield label(str(name), array, int(place)), values[(..., *at)]

    @cached_property
    def r_hat(self) -> dict[str, float]:
        """R-hat by name (Vehtari et al., 2021), where there are chains to compare."""
        return self._each("rhat") if self.size[0] > 1 else {}

    @cached_property
    def effective(self) -> dict[str, float]:
        """Bulk effective draws by name."""
        return self._each("ess")

    def _each(self, what: str) -> dict[str, float]:
        from arviz_stats.base import array_stats

        if not self.suspects:
            return {}
        stacked = np.stack(list(self.suspects.values()), axis=-1)
        with np.errstate(all="ignore"):
            found = getattr(array_stats, what)(stacked, chain_axis=0, draw_axis=1)
        return dict(zip(self.suspects, np.asarray(found).tolist(), strict=True))


def _least_mixed(values: FloatArray) -> np.ndarray:
    """Places of the values (chain, draw, ...) whose means over stretches differ most.

    They are looked at a few at a time, the draws of each together, as draws of effects lie in
    memory.
    """
    values = values[..., None] if values.ndim == 2 else values
    each = np.moveaxis(values, (0, 1), (-2, -1))
    size = max(1, _ENTRIES // max(1, int(np.prod(each.shape[1:]))))
    pieces = [_restlessness(each[at : at + size].reshape(-1, *each.shape[-2:]))
              for at in range(0, len(each), size)]  # fmt: skip
    ratio = np.concatenate(pieces) if pieces else np.zeros(0)
    return np.sort(np.argsort(-ratio, kind="stable")[: min(_WORST, np.count_nonzero(ratio))])


def _restlessness(draws: FloatArray) -> FloatArray:
    """Variance of means over stretches (K, chain, draw), beside that of draws; or zero."""
    length = draws.shape[2] // 4
    stretches = draws[:, :, : 4 * length].reshape(len(draws), -1, length)
    means = stretches.mean(axis=2)
    away = stretches - means[:, :, None]
    squares = np.einsum("ksl,ksl->k", away, away) / away[0].size
    moves = draws.max(axis=(1, 2)) > draws.min(axis=(1, 2))
    # A value that moves between stretches alone is the worst of all.
    return np.where(moves, (means.var(axis=1) + 1e-300) / np.maximum(squares, 1e-300), 0.0)


def _weights(tree: "xr.DataTree") -> str:
    """Say that draws from around the modes are not those of the posterior."""
    k = float(tree.attrs.get("pareto_k", 0.0))
    if k <= RELIABLE:
        return ""
    what = {
        "importance": "importance weights can't be trusted",
        "laplace": "draws from the normal distribution at the mode are far from the posterior",
    }[tree.attrs["algorithm"]]
    return f"{what} (Pareto k {k:.2f}, above {RELIABLE}): use algorithm='nuts'."


def _divergences(tree: "xr.DataTree") -> str:
    diverging = tree["sample_stats"]["diverging"].to_numpy().astype(bool)
    number = int(diverging.sum())
    if not number:
        return ""
    where = _narrow_place(tree, diverging)
    more = "Raise adapt_delta to 0.99" if tree.attrs["adapt_delta"] < _CAREFUL else ""
    rein = "give the sds a tighter prior" if _factors(tree) else "give it tighter priors"
    advice = f"{more}, or {rein}" if more else rein[0].upper() + rein[1:]
    return (
        f"{count(number, 'draw')} of {diverging.size:,} diverged{where}: the sampler missed a part "
        f"of the posterior. {advice}."
    )


def _narrow_place(tree: "xr.DataTree", diverging: np.ndarray) -> str:
    """Say which sd is small, or large, where draws diverged."""
    if not 5 <= diverging.sum() < diverging.size:
        return ""
    found = []
    for name, array in tree["posterior"].data_vars.items():
        if not str(name).startswith("sd_"):
            continue
        for place, draws in enumerate(np.moveaxis(flat(array), -1, 0)):
            rank = np.mean(draws[~diverging] < np.median(draws[diverging]))
            found.append((abs(rank - 0.5), label(str(name), array, place), rank))
    if not found or max(found)[0] < 0.3:
        return ""
    _, sd, rank = max(found)
    return f" where {sd} is {'small' if rank < 0.5 else 'large'}"


def _deep_trees(tree: "xr.DataTree") -> str:
    if "tree_depth" not in tree["sample_stats"]:
        return ""
    most = tree.attrs["max_treedepth"]
    deep = int((tree["sample_stats"]["tree_depth"] >= most).sum())
    if not deep:
        return ""
    return (
        f"{count(deep, 'draw')} reached max_treedepth={most}: sampling is slow, not wrong. "
        "Raise max_treedepth."
    )


def _disagreement(chains: Chains) -> str:
    # Of independent draws R-hat exceeds 1 + 20 / draws once in a million.
    limit = max(_R_HAT, 1 + 20 / chains.total)
    bad = {name: value for name, value in chains.r_hat.items() if value > limit}
    if not bad:
        return ""
    worst = max(bad.values())
    about = f"{_some(bad)} (R-hat {'above 1.01' if worst < 1.05 else f'up to {worst:.2f}'})"
    modes = _modes(chains, max(bad, key=bad.__getitem__)) if worst > _MODES else ""
    if modes:
        return f"the chains sit in different modes of the posterior, of {about}: {modes}"
    return f"the chains disagree about {about}: {_remedy(chains.tree, worst)}"


def _some(values: Mapping[str, float]) -> str:
    """Name the three worst, and how many others there are."""
    names = sorted(values, key=values.__getitem__, reverse=True)
    more = f" and {count(len(names) - 3, 'other')}" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _remedy(tree: "xr.DataTree", worst: float) -> str:
    if worst < 1.05:
        return "fit with more warmup and draws."
    options = json.loads(tree.attrs.get("options", "{}"))
    sampled = not programs.integrates(tree.attrs["program"])
    if sampled and _factors(tree) and options.get("parameterisation", "auto") == "auto":
        other = "parameterisation='noncentered' where groups have few rows, 'centered' where many; "
    else:
        other = ""
    return (
        "these are no draws of the posterior yet, and more of them seldom help. Try "
        f"{other}tighter priors; fewer varying effects."
    )


def _modes(chains: Chains, name: str) -> str:
    """Say what is wrong with chains that are steady, each somewhere else; or nothing."""
    draws = chains.suspects[name]
    half = draws.shape[1] // 2
    halves = np.stack([draws[:, :half].mean(axis=1), draws[:, half:].mean(axis=1)])
    apart, drift = np.ptp(halves.mean(axis=0)), np.abs(halves[0] - halves[1]).max()
    if drift > apart / 3:
        return ""
    look = "Look at each (fit.data.posterior.sel(chain=...)); a prior may rule some out."
    if "lp" not in chains.tree["sample_stats"]:
        return f"how much each of them weighs is not known. {look}"
    lp = chains.tree["sample_stats"]["lp"].to_numpy()
    lower = lp.mean(axis=1).max() - lp.mean(axis=1)
    low = np.flatnonzero(lower > max(1.0, 0.5 * lp.std(axis=1).mean()))
    if not len(low):
        return f"how much each of them weighs is not known. {look}"
    which = ", ".join(map(str, chains.tree["posterior"]["chain"].to_numpy()[low].tolist()))
    return (
        f"their log densities differ, by {lower.max():.1f} on average (lower in {_chain(low)} "
        f"{which}). Averages over chains weigh the modes by where chains began. {look}"
    )


def _chain(which: np.ndarray) -> str:
    return "chain" if len(which) == 1 else "chains"


def _few(chains: Chains, enough: int) -> str:
    few = {name: -value for name, value in chains.effective.items() if value < enough}
    if not few:
        return ""
    return f"fewer than {enough} effective draws of {_some(few)}: fit with more draws."


# The answers -------------------------------------------------------------------------------------


def _family(tree: "xr.DataTree") -> Family | None:
    """Return the row of the table; a family that somebody wrote has none."""
    return table.FAMILIES.get(tree.attrs["family"])


def _factors(tree: "xr.DataTree") -> dict[str, int]:
    """Names of the grouping factors, and their numbers of levels."""
    names = [str(name) for name in tree["posterior"].data_vars]
    return {
        name[2:]: tree["posterior"][name].shape[-2]
        for name in names
        if name.startswith("r_") and f"sd_{name[2:]}" in names
    }


def _on_their_priors(tree: "xr.DataTree") -> Iterator[str]:
    """Slopes that the data bound on one side only, as where a predictor separates responses."""
    family = _family(tree)
    if family is None or not family.separable or SLOPES not in tree["posterior"]:
        return
    priors = json.loads(tree.attrs["priors"])
    defaults = set(json.loads(tree.attrs.get("default_priors", "[]")))
    b = tree["posterior"].data_vars[SLOPES]
    for place, draws in enumerate(np.moveaxis(flat(b), -1, 0)):
        name = label(SLOPES, b, place)
        if name not in defaults:
            continue
        prior = parse_prior(priors[name]).frozen()
        # A normal cut in half at its center is 0.61 times as wide.
        if np.ptp(np.quantile(draws, [0.25, 0.75])) > 0.5 * np.ptp(prior.ppf([0.25, 0.75])):
            term = b[TERM].to_numpy()[place % b.sizes[TERM]]
            yield (
                f"{name} sits on its default prior: the data hardly bound it, as where {term} "
                f"separates the responses perfectly. Give it a prior that you believe, "
                f"priors={{{name!r}: ...}}."
            )


def _limit_of_family(tree: "xr.DataTree") -> str:
    """Say that a simpler family will do: the parameter's posterior then has no mean."""
    family = _family(tree)
    limit = None if family is None else family.limit
    if limit is None or limit.parameter not in tree["posterior"]:
        return ""
    name, simpler = limit
    draws = tree["posterior"][name].to_numpy().ravel()
    if not at_zero(draws**-0.5):
        return ""
    title = simpler.replace("_", "-").replace("poisson", "Poisson")
    return (
        f"{name} may be infinite; at least {np.quantile(draws, 0.05):.2g} (95 %): the data show no "
        f"spread beyond that of family={simpler!r}. {title[0].upper() + title[1:]} will do. The "
        f"mean of {name} means nothing; see its median."
    )
