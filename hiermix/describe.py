"""What a model and a fit print of themselves."""

import json
import warnings
from typing import TYPE_CHECKING

from hiermix import summary
from hiermix.design import Design
from hiermix.errors import count
from hiermix.priors import PriorTable

if TYPE_CHECKING:
    import xarray as xr

_PROGRAMS = {
    "random_intercept": "group effects integrated out",
    "random_slope": "group effects integrated out",
}


def model(design: Design, family: str, link: str, program: str, priors: PriorTable) -> str:
    """Describe formula, family, program, rows, groups, levels and every prior, with its numbers."""
    how = _PROGRAMS.get(program, "group effects sampled")
    lines = [
        f"formula  {design.formula.text}",
        f"family   {family}, link {link}",
        f"program  {program}.stan ({how if design.groupings else 'no group effects'})",
        f"rows     {design.rows:,}",
        *_groups(design),
        "priors",
        *_priors(priors),
    ]
    return "\n".join(lines)


def _groups(design: Design) -> list[str]:
    lines = []
    for each in design.groupings:
        effects = ", ".join(each.effects)
        cor = ", correlated" if max(each.blocks) > 1 else ""
        lines.append(f"group    {each.name}: {count(len(each.levels), 'level')}; {effects}{cor}")
    for column, unused in design.unused_levels.items():
        lines.append(f"         {column}: {count(unused, 'unused level')} dropped")
    return lines


def _priors(priors: PriorTable) -> list[str]:
    width = max(map(len, priors))
    note = "   at the mean of the predictors"
    return [
        f"  {name:<{width}} ~ {prior}{note if name.startswith('Intercept') else ''}"
        for name, prior in priors.items()
    ]


def fit(design: Design, tree: "xr.DataTree") -> str:
    """Sampler, time and the summary to three digits; warnings are left to `Fit.summary`."""
    attrs = tree.attrs
    seconds = sum(json.loads(attrs["seconds"]).values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = summary.table(tree, summary.names(tree), 0.95)
    kind = "prior of " if attrs["prior_only"] else ""
    return "\n".join(
        [
            f"{kind}{design.formula.text}",
            f"{attrs['family']}, {count(design.rows, 'row')}; {attrs['chains']} chains of "
            f"{attrs['draws']} draws after {attrs['warmup']} of warmup, "
            f"{attrs['engine_version']}, {seconds:.1f} s",
            "",
            frame.to_string(float_format=lambda value: f"{value:.3g}"),
        ]
    )
