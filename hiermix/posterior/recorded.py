"""What a fit records of the model and of the sampler, as attributes of its tree."""

import json
from collections.abc import Mapping
from typing import Any

from hiermix.design.design import Design
from hiermix.engines import Samples, Settings
from hiermix.families.custom_family import CustomFamily
from hiermix.families.family import Family
from hiermix.families.priors import PriorTable
from hiermix.tuning.bar_origins import Origins

CUSTOM = "custom_family"
"""Attribute with what a file can hold of a custom family."""


def attributes(
    design: Design,
    family: Family,
    program: str,
    priors: PriorTable,
    origins: Origins,
    options: Mapping[str, Any],
    samples: Samples,
    settings: Settings,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Return formula, family, priors, versions, seed, timings, in what files can hold."""
    from hiermix.version import __version__

    return {
        "formula": str(design.formula),  # with what was said by keyword
        "family": family.name,
        "link": family.link,
        "program": program,
        "priors": json.dumps({name: prior.exact for name, prior in priors.items()}),
        "default_priors": json.dumps(
            [name for name, prior in priors.items() if not prior.given]
        ),
        "origins": json.dumps({name: each.tolist() for name, each in origins.items()}),
        "options": json.dumps({**options, "family": family.name}),
        **_written(options),
        "engine": samples.engine,
        "engine_version": samples.version,
        "hiermix_version": __version__,
        "seconds": json.dumps(dict(seconds)),
        "messages": json.dumps(list(samples.messages)),
        "responses": json.dumps([each.response_name for each in design.parts]),
        "categories": json.dumps(list(map(str, design.categories))),
        **{name: getattr(settings, name) for name in
           ("seed", "chains", "warmup", "draws", "adapt_delta", "max_treedepth")},
    }  # fmt: skip


def _written(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what can be written of a family that somebody wrote."""
    custom = options.get("family")
    return {CUSTOM: json.dumps(custom.written)} if isinstance(custom, CustomFamily) else {}
