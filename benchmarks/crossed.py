"""Three crossed factors, InstEval's 73,421 ratings: hiermix against row-wise programs."""

from typing import TYPE_CHECKING

import numpy as np

import hiermix as hm
from benchmarks.measure import beside, population, table, whole
from hiermix.engines.protocol import Settings

if TYPE_CHECKING:
    from hiermix.typing import StanData

PROGRAMS = ("crossed_noncentred", "crossed_centred", "crossed_brms")
KEEP = ("Intercept", "b", "sd", "sigma")
FORMULA = "y ~ service + (1 | s) + (1 | d) + (1 | dept)"


def row_wise(model: hm.Model) -> "StanData":
    """Build the data of the row-wise programs, with the priors that the model has."""
    design, priors = model.design, model.priors
    scales = [priors[f"sd[{each.name}, Intercept]"].scale for each in design.groupings]
    data = population(model)
    data |= {"sigma_scale": 1 / priors["sigma"].scale, "sd_scale": np.array(scales)}
    for place, each in enumerate(design.groupings, start=1):
        data[f"N_{place}"] = len(each.levels)
        data[f"J_{place}"] = each.codes.astype(np.int64) + 1
    return data


def main() -> None:
    """Students, lecturers and departments."""
    data = hm.load_dataset("insteval")
    model = hm.Model(FORMULA, data)
    settings = Settings(seed=1, chains=2, warmup=300, draws=300)
    print("InstEval, 73,421 rows; 2 chains, 300 + 300; seconds of the processor\n")
    sampled = whole(hm.Model(FORMULA, data, effects="sampled"), settings, "all effects sampled")
    mine, *others = beside(model, row_wise(model), PROGRAMS, KEEP, settings)
    print(table([mine, sampled, *others]), flush=True)
