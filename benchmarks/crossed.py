"""Three crossed factors, InstEval's 73,421 ratings: hiermix against row-wise programs."""

from typing import TYPE_CHECKING

import numpy as np

import hiermix as hm
from benchmarks.measure import Run, by_hand, by_hiermix, table
from hiermix.engines.protocol import Settings

if TYPE_CHECKING:
    from hiermix.typing import StanData

KEEP = ("Intercept", "b", "sd", "sigma")


def row_wise(model: hm.Model) -> "StanData":
    """Build the data of the row-wise programs, with the priors that the model has."""
    design, priors = model.design, model.priors
    slopes = [term for term in design.terms if term != "Intercept"]
    location, scale = priors["Intercept"].arguments
    assert design.response is not None
    data: StanData = {
        "N": design.rows,
        "Y": design.response,
        "K": len(design.terms),
        "Kc": len(slopes),
        "X": design.X(),
        "b_scale": np.array([priors[f"b[{term}]"].scale for term in slopes]),
        "intercept_location": location,
        "intercept_scale": scale,
        "sigma_scale": 1 / priors["sigma"].scale,
        "sd_scale": np.array(
            [priors[f"sd[{each.name}, Intercept]"].scale for each in design.groupings]
        ),
    }
    for place, each in enumerate(design.groupings, start=1):
        data[f"N_{place}"] = len(each.levels)
        data[f"J_{place}"] = each.codes.astype(np.int64) + 1
    return data


def compare(model: hm.Model, settings: Settings) -> list[Run]:
    """Sample with hiermix and with each row-wise program, at the same settings."""
    fit = model.fit(seed=settings.seed, chains=settings.chains, warmup=settings.warmup,
                    draws=settings.draws, engine="embedded")  # fmt: skip
    handed = row_wise(model)
    names = ("crossed_noncentred", "crossed_centred", "crossed_brms")
    return [by_hiermix(fit), *(by_hand(name, handed, settings, KEEP) for name in names)]


def main() -> None:
    """Students, lecturers and departments."""
    data = hm.load_dataset("insteval")
    model = hm.Model("y ~ service + (1 | s) + (1 | d) + (1 | dept)", data)
    settings = Settings(seed=1, chains=2, warmup=300, draws=300)
    print("InstEval, 73,421 rows; 2 chains, 300 + 300\n")
    print(table(compare(model, settings)), flush=True)
