"""Gaussian models with intercept and slope: hiermix against the row-wise programs."""

from typing import TYPE_CHECKING

import numpy as np

import hiermix as hm
from benchmarks.measure import Run, beside, population, table, two_level
from hiermix.engines.protocol import Settings

if TYPE_CHECKING:
    import pandas as pd

    from hiermix.typing import StanData

PROGRAMS = ("gaussian_brms", "gaussian_noncentred", "gaussian_centred")
KEEP = ("Intercept", "b", "sd_1", "L_1", "sigma")


def row_wise(model: hm.Model) -> "StanData":
    """Build the data of the row-wise programs, with the priors that the model has."""
    design, priors = model.design, model.priors
    grouping = design.groupings[0]
    Z = design.Z(grouping.name)
    scales = [priors[f"sd[{grouping.name}, {effect}]"].scale for effect in grouping.effects]
    return population(model) | {
        "N_1": len(grouping.levels),
        "M_1": 2,
        "J_1": grouping.codes.astype(np.int64) + 1,
        "Z_1_1": Z[:, 0],
        "Z_1_2": Z[:, 1],
        "sigma_scale": 1 / priors["sigma"].scale,
        "sd_scale": np.array(scales),
    }


def compare(formula: str, data: "pd.DataFrame", settings: Settings) -> list[Run]:
    """Sample with hiermix and with each row-wise program."""
    model = hm.Model(formula, data)
    return beside(model, row_wise(model), PROGRAMS, KEEP, settings)


def main() -> None:
    """Radon, and 20,000 rows in 500 groups."""
    radon = hm.load_dataset("radon")
    settings = Settings(seed=1, chains=4, warmup=1000, draws=1000)
    print("radon, 919 rows x 85 groups; 4 chains, 1000 + 1000\n")
    print(table(compare("log_radon ~ floor + log_uranium + (1 + floor | county)", radon, settings)))
    settings = Settings(seed=1, chains=2, warmup=500, draws=500)
    print("\nsimulated, 20,000 rows x 500 groups; 2 chains, 500 + 500\n", flush=True)
    print(table(compare("y ~ x + (1 + x | g)", two_level(20_000, 500), settings)))
