"""Models whose group effects are sampled: hiermix against row-wise programs, on one engine.

Seconds are of processor time, all chains together, so that other work on the machine matters less.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import hiermix as hm
from benchmarks.measure import PROGRAMS, Run, by_hiermix, population, smallest_ess, table
from hiermix import chain_starts
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.stan.programs import Program

if TYPE_CHECKING:
    from hiermix.typing import FloatArray, StanData

FORMS = ("brms", "noncentred", "centred")


def row_wise(model: hm.Model) -> "StanData":
    """Build the data of the row-wise programs, with the priors that the model has."""
    design, priors = model.design, model.priors
    grouping = design.groupings[0]
    Z = design.Z(grouping.name)
    scales = [priors[f"sd[{grouping.name}, {effect}]"].scale for effect in grouping.effects]
    assert design.response is not None
    data = population(model) | {
        "Y": design.response.astype(np.int64),
        "N_1": len(grouping.levels),
        "M_1": Z.shape[1],
        "J_1": grouping.codes.astype(np.int64) + 1,
        "sd_scale": np.array(scales),
    }
    data |= {f"Z_1_{i + 1}": Z[:, i] for i in range(Z.shape[1])}
    if design.trials is not None:
        data["trials"] = design.trials.astype(np.int64)
    return data


def compare(model: hm.Model, programs: str, settings: Settings) -> list[Run]:
    """Sample hiermix's program and each row-wise one, at the same settings."""
    handed = row_wise(model)
    several = handed["M_1"] > 1
    keep = ("Intercept", "b", "sd_1", *(("L_1",) if several else ()))
    kept = ("b", "sd", *(("L",) if several else ()))
    ready = model._started.ready
    inits = chain_starts.inits(model._started, settings.chains, settings.seed)
    runs = [on_cpu("hiermix", ready.program, ready.data, settings, kept, inits)]
    for form in FORMS:
        program = Program(f"{programs}_{form}", PROGRAMS / f"{programs}_{form}.stan")
        runs.append(on_cpu(program.name, program, handed, settings, keep, None))
    return runs


def on_cpu(
    name: str,
    program: Program,
    data: "StanData",
    settings: Settings,
    keep: Sequence[str],
    inits: "FloatArray | None",
) -> Run:
    """Sample, and count the seconds of processor time that all chains took together."""
    engine = Embedded()
    short = replace(settings, warmup=1, draws=1)
    engine.sample(program, data, short, keep=keep, inits=inits)  # compiled and warm
    start = time.process_time()
    samples = engine.sample(program, data, settings, keep=keep, inits=inits)
    seconds = time.process_time() - start
    arrays = [free(samples.draws[variable]) for variable in keep]
    return Run(name, seconds, smallest_ess(arrays), float(samples.stats["n_steps"].mean()))


def free(draws: "FloatArray") -> "FloatArray":
    """Below the diagonal of Cholesky factors, everything of other variables."""
    if draws.ndim < 4:
        return draws
    rows, columns = np.tril_indices(draws.shape[-1], -1)
    return draws[..., rows, columns]


def simulated(rows: int, groups: int) -> pd.DataFrame:
    """Binary responses and counts whose intercept and slope vary over groups."""
    rng = np.random.default_rng(3)
    g, x, w = rng.integers(0, groups, rows), rng.normal(size=rows), rng.normal(size=rows)
    effects = rng.normal(size=(groups, 2)) @ np.array([[1.0, 0.3], [0.0, 0.5]])
    eta = -1 + 0.5 * w + 0.2 * x + effects[g, 0] + effects[g, 1] * x
    binary = rng.random(rows) < 1 / (1 + np.exp(-eta))
    count = rng.poisson(np.exp(eta))
    return pd.DataFrame({"y": binary.astype(int), "count": count, "x": x, "w": w, "g": g})


def warmups() -> None:
    """Print what each length of warmup costs: smallest bulk ESS of 1,000 draws, and seconds."""
    print("\nwarmup, epilepsy with an effect of each row; 4 chains, 1,000 draws\n")
    data = hm.load_dataset("epilepsy")
    model = hm.Model("count ~ zAge + zBase + (1 | patient) + (1 | obs)", data, family="poisson")
    print("| warmup | smallest bulk ESS | steps a draw | seconds |\n| --- | --- | --- | --- |")
    for warmup in (100, 150, 200, 300, 500, 1000):
        run = by_hiermix(model.fit(seed=1, warmup=warmup, engine="embedded"))
        print(f"| {warmup} | {run.ess:.0f} | {run.steps:.1f} | {run.seconds:.2f} |", flush=True)


def main() -> None:
    """Compare on published data sets, and on 20,000 rows in 500 groups."""
    settings = Settings(seed=1, chains=4, warmup=1000, draws=1000)
    cbpp = hm.load_dataset("cbpp").astype({"period": "category"})
    model = hm.Model("incidence | trials(size) ~ period + (1 | herd)", cbpp, family="binomial")
    print("cbpp, binomial; 4 chains, 1000 + 1000\n")
    print(table(compare(model, "binomial_intercept", settings)), flush=True)
    epilepsy = hm.load_dataset("epilepsy").astype({"Trt": "category"})
    model = hm.Model("count ~ zAge + zBase * Trt + (1 | patient)", epilepsy, family="poisson")
    print("\nepilepsy, Poisson; 4 chains, 1000 + 1000\n")
    print(table(compare(model, "poisson_intercept", settings)), flush=True)
    warmups()
    settings = Settings(seed=1, chains=2, warmup=300, draws=300)
    for family, response in (("bernoulli", "y"), ("poisson", "count")):
        for rows, groups in ((2_000, 100), (20_000, 500)):
            formula = f"{response} ~ x + w + (1 + x | g)"
            model = hm.Model(formula, simulated(rows, groups), family=family)
            print(f"\n{family}, {rows:,} rows x {groups} groups; 2 chains, 300 + 300\n")
            print(table(compare(model, f"{family}_slope", settings)), flush=True)


if __name__ == "__main__":
    main()
