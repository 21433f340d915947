"""Gaussian models with intercept and slope: hiermix against the row-wise programs."""

from typing import TYPE_CHECKING

import numpy as np

import hiermix as hm
from benchmarks.measure import Run, by_hand, by_hiermix, table, two_level
from hiermix.engines.protocol import Settings

if TYPE_CHECKING:
    import pandas as pd

    from hiermix.typing import StanData

KEEP = ("Intercept", "b", "sd_1", "L_1", "sigma")


def row_wise(model: hm.Model) -> "StanData":
    """Build the data of the row-wise programs, with the priors that the model has."""
    design, priors = model.design, model.priors
    grouping = design.groupings[0]
    Z = design.Z(grouping.name)
    slopes = [term for term in design.terms if term != "Intercept"]
    location, scale = priors["Intercept"].arguments
    return {
        "N": design.rows,
        "Y": design.response,
        "K": len(design.terms),
        "Kc": len(slopes),
        "X": design.X(),
        "N_1": len(grouping.levels),
        "M_1": 2,
        "J_1": grouping.codes.astype(np.int64) + 1,
        "Z_1_1": Z[:, 0],
        "Z_1_2": Z[:, 1],
        "b_scale": np.array([priors[f"b[{term}]"].scale for term in slopes]),
        "intercept_location": location,
        "intercept_scale": scale,
        "sigma_scale": 1 / priors["sigma"].scale,
        "sd_scale": np.array(
            [priors[f"sd[{grouping.name}, {effect}]"].scale for effect in grouping.effects]
        ),
    }


def compare(formula: str, data: "pd.DataFrame", settings: Settings) -> list[Run]:
    """Sample with hiermix and with each row-wise program, at the same settings."""
    model = hm.Model(formula, data)
    fit = model.fit(seed=settings.seed, chains=settings.chains, warmup=settings.warmup,
                    draws=settings.draws, engine="embedded")  # fmt: skip
    handed = row_wise(model)
    names = ("gaussian_brms", "gaussian_noncentred", "gaussian_centred")
    return [by_hiermix(fit), *(by_hand(name, handed, settings, KEEP) for name in names)]


def main() -> None:
    """Radon, and 20,000 rows in 500 groups."""
    radon = hm.load_dataset("radon")
    settings = Settings(seed=1, chains=4, warmup=1000, draws=1000)
    print("radon, 919 rows x 85 groups; 4 chains, 1000 + 1000\n")
    print(table(compare("log_radon ~ floor + log_uranium + (1 + floor | county)", radon, settings)))
    settings = Settings(seed=1, chains=2, warmup=500, draws=500)
    print("\nsimulated, 20,000 rows x 500 groups; 2 chains, 500 + 500\n", flush=True)
    print(table(compare("y ~ x + (1 + x | g)", two_level(20_000, 500), settings)))
