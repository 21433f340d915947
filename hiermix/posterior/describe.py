"""What a model and a fit print of themselves."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.design.joint_design import Joint
from hiermix.design.level_steps import joined
from hiermix.errors import count, ignored_warnings
from hiermix.families.priors import PriorTable
from hiermix.formula.equations import MU
from hiermix.posterior import diagnostics, summary
from hiermix.stan import programs
from hiermix.tuning.bar_origins import Origins

if TYPE_CHECKING:
    import xarray as xr

_OF_SIGMA = "         sds are those of the equation of sigma, and of nothing beside it"
_AT_MEAN = "the mean of the predictors"
_FROM_PAIRS = "integrated out: exact, with many levels, from sums over pairs of levels"


def model(
    design: Design,
    family: str,
    link: str,
    program: str,
    reason: str,
    priors: PriorTable,
    origins: Origins,
) -> str:
    """Describe formula, family, program, rows, groups, levels and every prior, with its numbers.

    `reason` says why the group effects are integrated out, or why they are sampled.
    """
    how = "integrated out" if programs.integrates(program) else "sampled"
    what = ["group effects"] * bool(design.groupings) + ["smooths"] * bool(design.curves)
    effects = f"{' and '.join(what)} {how}" if what else "no group effects"
    if program == programs.CROSSED:
        effects = f"effects of {design.groupings[-1].name!r} integrated out, others sampled"
    elif program == programs.STRATA_BESIDE:
        effects = "effects of sigma sampled, others integrated out"
    lines = [
        f"formula  {design.formula.text}",
        f"family   {family}, link {link}",
        f"program  {program}.stan ({effects})",
        f"rows     {number_of_rows(design):,}{_unanswered(design)}",
        *_groups(design, program, how, reason),
        *_residuals(design, reason),
        *_imputed(design),
        "priors",
        *_priors(priors, _places(design, origins)),
    ]
    return "\n".join(lines)


def number_of_rows(design: Design) -> int:
    """Return how many rows of data a fit is of."""
    if isinstance(design, Joint):
        return len(design.frame)
    return design.merged or (design.rows if design.summed is None else design.summed.rows)


def _unanswered(design: Design) -> str:
    aside = design.unanswered
    return "" if aside is None else f", and {len(aside):,} without a response, to be predicted"


def _beside(grouping: Grouping, reason: str) -> str:
    """Say what becomes of the effects of a factor that may have some in the equation of sigma."""
    sampled = [each for each in grouping.equations if each != MU]
    said = [f"integrated out: {reason}"] if len(sampled) < len(grouping.equations) else []
    return "; ".join(said + ["those of sigma sampled, from sums over rows"] * bool(sampled))


def _groups(design: Design, program: str, how: str, reason: str) -> list[str]:
    lines, how = [], f"{how}: {reason}"
    for each in design.groupings:
        said = _beside(each, reason) if program == programs.STRATA_BESIDE else how
        if program == programs.CROSSED and each is design.groupings[-1]:
            said = _FROM_PAIRS
        effects = ", ".join(each.sds)
        cor = ", correlated" if max(joined(each).blocks) > 1 else ""
        levels = count(len(each.levels), "level")
        if each.covariance is not None:
            levels += f", related as in {each.covariance.name}"
        cor += ", t-distributed" if each.heavy else ""
        lines.append(f"group    {each.name}: {levels}; {effects}{cor}")
        lines.append(f"         {said}")
    if program == programs.STRATA_BESIDE:  # those of the location
        how = f"integrated out: {reason}"
    for curve in design.curves:
        lines.append(f"smooth   {curve.name}: {curve.described}")
        lines.append(f"         {how}")
    for column, unused in design.unused_levels.items():
        lines.append(f"         {column}: {count(unused, 'unused level')} dropped")
    return lines


def _residuals(design: Design, reason: str) -> list[str]:
    """Say how residuals go together, if they do."""
    series = design.series
    if series is None:
        return []
    if isinstance(design, Joint):
        each = [f"{one.response_name} in {one.rows:,}" for one in design.parts]
        return [f"residual an sd of each response, correlated; rows with each: {', '.join(each)}"]
    by_equation = len(design.equations) > 1
    said = [_OF_SIGMA, f"         {reason}"] if by_equation else []
    if not series.in_time:
        number = count(len(series.positions), "position")
        what = "correlations" if by_equation else "sd and correlations"
        return [f"residual {series.term}: {what} of {number}", *said]
    unit = " months" if series.monthly else " days" if series.dated else ""
    steps = "whole steps" if series.even else "uneven steps"
    return [
        f"residual {series.term}: rho is the correlation {series.step:.4g}{unit} apart; {steps}",
        *said,
    ]


def _imputed(design: Design) -> list[str]:
    """Say how many values predictors lack, if some may."""
    return [
        f"missing  {each.name}: {count(len(each.lacking), 'value')}, normal around an equation of "
        "its own; sampled"
        for each in design.imputed
    ]


def _priors(priors: PriorTable, places: Mapping[str, str]) -> list[str]:
    """Every prior, and where it holds if that is not everywhere."""
    width = max(map(len, priors))
    lines = []
    for name, prior in priors.items():
        place = _AT_MEAN if name.startswith("Intercept") else places.get(name)
        lines.append(f"  {name:<{width}} ~ {prior}{f'   at {place}' if place else ''}")
    return lines


def _places(design: Design, origins: Origins) -> dict[str, str]:
    """Where the priors of intercepts' sds and of correlations hold, factor by factor."""
    found: dict[str, str] = {}
    for each in map(joined, design.groupings):
        origin = origins[each.name]
        for bar in each.bars:
            places = [f"{each.terms[k]} = {origin[k]:.4g}" for k in bar if origin[k]]
            if places:
                place = ", ".join(places) if len(places) < 4 else "the mean of the bar's columns"
                intercept = f"sd[{each.name}, {each.effects[bar[0]]}]"
                found = {f"cor[{each.name}]": place} | found | {intercept: place}
    return found


def fit(design: Design, tree: "xr.DataTree") -> str:
    """Sampler, time, the summary to three digits, and what is doubtful."""
    attrs = tree.attrs
    seconds = sum(json.loads(attrs["seconds"]).values())
    with ignored_warnings():
        frame = summary.table(tree, summary.names(tree["posterior"].to_dataset()), 0.95)
    kind = "prior of " if attrs["prior_only"] else ""
    return "\n".join(
        [
            f"{kind}{design.formula.text}",
            f"{attrs['family']}, {count(number_of_rows(design), 'row')}; {attrs['chains']} chains "
            f"of {attrs['draws']} draws after {attrs['warmup']} of warmup, "
            f"{attrs['engine_version']}, {seconds:.1f} s",
            "",
            frame.to_string(float_format=lambda value: f"{value:.3g}"),
            *(f"! {text}" for text in diagnostics.of_fit(tree).values()),
        ]
    )
