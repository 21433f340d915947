"""Gaussian fits against published ones: brms posteriors and lme4 estimates.

Tolerances are in units of the references' own errors. Numbers and their sources are in
``tests/reference``.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hiermix as hm

REFERENCE = Path(__file__).parent / "reference"
DATA = {"radon_mn": "radon", "score_parentedu": "scores", "vc_nested_sim": "classrooms"}


def read(name: str) -> dict[str, Any]:
    return json.loads((REFERENCE / name).read_text())


def moments(draws: np.ndarray) -> tuple[float, float, float, float]:
    """Mean, its Monte-Carlo error, sd, its Monte-Carlo error."""
    from arviz_stats import mcse

    return (
        float(draws.mean()),
        float(mcse(draws, method="mean")),
        float(draws.std(ddof=1)),
        float(mcse(draws, method="sd")),
    )


def brms_name(fit: hm.Fit, name: str) -> np.ndarray:
    """Draws of the parameter that brms calls `name`."""
    posterior = fit.data.posterior
    if name == "sigma":
        found = posterior["sigma"]
    elif name == "b_Intercept":
        found = posterior["Intercept"]
    elif name.startswith("b_"):
        found = posterior["b"].sel(term=name[2:])
    elif name.startswith("sd_"):
        group, effect = name[3:].split("__")
        found = posterior[f"sd_{group}"].sel({f"{group}_effect": effect})
    elif name.startswith("cor_"):
        group, first, second = name[4:].split("__")
        found = posterior[f"cor_{group}"].sel({f"{group}_pair": f"{first}, {second}"})
    else:
        group, label = name[2:-1].split("[")
        level, effect = label.rsplit(",", 1)
        levels = posterior[group].to_numpy()
        text = next(each for each in levels if str(each).replace(" ", "") == level)
        found = posterior[f"r_{group}"].sel({group: text, f"{group}_effect": effect})
    return found.to_numpy()


@pytest.mark.parametrize("name", ["radon_mn", "sleepstudy"])
def test_posterior_agrees_with_brms(name: str) -> None:
    reference = read("brms.json")[name]
    data = hm.load_dataset(DATA.get(name, name))
    model = hm.Model(reference["formula"], data, priors=reference["priors"])
    fit = model.fit(seed=20, draws=2500, warmup=500)
    worst = {}
    for parameter, (mean, mean_error, sd, sd_error) in reference["parameters"].items():
        m, m_error, s, s_error = moments(brms_name(fit, parameter))
        worst[f"mean of {parameter}"] = abs(m - mean) / np.hypot(m_error, mean_error)
        worst[f"sd of {parameter}"] = abs(s - sd) / np.hypot(s_error, sd_error)
    assert len(worst) > 70
    assert {key: value for key, value in worst.items() if value > 4} == {}


LME4 = ["radon_mn", "sleepstudy", "Penicillin", "Pastes", "Orthodont", "score_parentedu"]


@pytest.mark.parametrize("name", [*LME4, pytest.param("vc_nested_sim", marks=pytest.mark.slow)])
def test_population_effects_agree_with_lme4(name: str) -> None:
    reference = read("lme4.json")[name]
    data = hm.load_dataset(DATA.get(name, name.lower()))
    priors = {"Intercept": "normal(0, 1e4)"}
    if len(reference["estimate"]) > 1:
        priors["b"] = "normal(0, 1e4)"
    fit = hm.Model(reference["formula"], data, priors=priors).fit(seed=21, warmup=500)
    posterior = fit.data.posterior
    for term, estimate in reference["estimate"].items():
        draws = posterior["Intercept"] if term == "(Intercept)" else posterior["b"].sel(term=term)
        assert abs(float(draws.mean()) - estimate) < 0.2 * reference["se"][term], term


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            ("radon", "log_radon ~ floor + log_uranium + (1 + floor | county)"),
            marks=pytest.mark.slow, id="correlated",
        ),
        pytest.param(("radon", "log_radon ~ floor + (1 | county)"), id="intercept"),
        pytest.param(("sleepstudy", "Reaction ~ Days + (Days || Subject)"), id="independent"),
    ],
)  # fmt: skip
def test_integrated_and_sampled_programs_have_one_posterior(case: tuple[str, str]) -> None:
    name, formula = case
    data = hm.load_dataset(name)
    fits = [
        hm.Model(formula, data, effects=effects).fit(seed=22, warmup=500, draws=1500)
        for effects in ("integrated", "sampled")
    ]
    programs = [fit.data.attrs["program"] for fit in fits]
    assert programs[0] != programs[1] == "gaussian"
    for variable in fits[0].data.posterior.data_vars:
        arrays = [fit.data.posterior[variable].to_numpy() for fit in fits]
        flat = [array.reshape(*array.shape[:2], -1) for array in arrays]
        for i in range(flat[0].shape[2]):
            (m, m_error, s, s_error), (n, n_error, t, t_error) = (moments(f[..., i]) for f in flat)
            assert abs(m - n) < 4.5 * np.hypot(m_error, n_error), (variable, i)
            assert abs(s - t) < 4.5 * np.hypot(s_error, t_error), (variable, i)
