"""From formula to result, beside bambi (PyMC and nutpie) and statsmodels, where installed.

They share no environment with hiermix's own: install them beside it to run this.
"""

import importlib.util
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import hiermix as hm
from benchmarks.measure import smallest_ess, timed, two_level

if TYPE_CHECKING:
    import pandas as pd

type Peer = Callable[[str, "pd.DataFrame", str], float]


def hiermix(formula: str, data: "pd.DataFrame", group: str) -> float:
    """Fit and return the smallest effective size of population effects, sds and sigma."""
    posterior = hm.Model(formula, data).fit(seed=1, engine="embedded").data.posterior
    return smallest_ess([np.asarray(posterior[name]) for name in posterior if name[:2] != "r_"])


def bambi(sampler: str) -> Peer:
    """Fit with bambi, whose slopes are independent of the intercepts."""

    def fit(formula: str, data: "pd.DataFrame", group: str) -> float:
        import bambi as bmb

        options: dict[str, Any] = {"inference_method": "nutpie"} if sampler == "nutpie" else {}
        model = bmb.Model(formula, data)
        result = model.fit(draws=1000, tune=1000, chains=4, cores=2, random_seed=1,
                           progressbar=False, **options)  # fmt: skip
        posterior = result.posterior
        names = [name for name in posterior if f"|{group}" not in name or name.endswith("_sigma")]
        return smallest_ess([np.asarray(posterior[name]) for name in names])

    return fit


def statsmodels(formula: str, data: "pd.DataFrame", group: str) -> float:
    """Fit by REML: an estimate, no posterior."""
    import statsmodels.formula.api as smf

    fixed, random = formula.split(" + (")
    smf.mixedlm(fixed, data, groups=group, re_formula=f"~{random.split('|')[0]}").fit()
    return float("nan")


PEERS: dict[str, tuple[str, Peer]] = {
    "hiermix": ("hiermix", hiermix),
    "bambi, PyMC": ("bambi", bambi("pymc")),
    "bambi, nutpie": ("nutpie", bambi("nutpie")),
    "statsmodels MixedLM (REML)": ("statsmodels", statsmodels),
}


def main() -> None:
    """Radon, and 20,000 rows in 500 groups."""
    warnings.simplefilter("ignore")
    cases = [
        ("radon", "log_radon ~ floor + log_uranium + (1 + floor|county)", hm.load_dataset("radon"),
         "county"),
        ("20,000 rows x 500 groups", "y ~ x + (1 + x|g)", two_level(20_000, 500), "g"),
    ]  # fmt: skip
    print("| data | package | seconds, formula to result | smallest bulk ESS | ESS / s |")
    print("| --- | --- | --- | --- | --- |")
    for title, formula, data, group in cases:
        for name, (package, fit) in PEERS.items():
            if importlib.util.find_spec(package) is None:
                print(f"| {title} | {name} | not installed | | |")
                continue
            seconds, ess = timed(partial(fit, formula, data, group))
            print(f"| {title} | {name} | {seconds:.1f} | {ess:.0f} | {ess / seconds:.1f} |",
                  flush=True)  # fmt: skip
