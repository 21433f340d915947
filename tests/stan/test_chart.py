"""The chart of a program's coordinates is the program's own, forwards and back."""

import numpy as np
import pytest

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.stan.chart import Chart

MODELS = [
    ("radon", "log_radon ~ floor + (floor | county)", "gaussian"),
    ("scores", "score ~ edu + (edu | classroom)", "gaussian"),
    ("radon", "log_radon ~ floor + (floor | county)", "student_t"),
    ("radon", "log_radon ~ floor + (floor || county)", "student_t"),
    (
        "sleepstudy",
        "Reaction ~ Days + (1 | Subject) + (0 + Days + I(Days**2) | Subject)",
        "student_t",
    ),
    (
        "sleepstudy",
        "Reaction ~ Days + (Days | Subject) + (0 + I(Days**2) + I(Days**3) | Subject)",
        "student_t",
    ),
    ("pastes", "strength ~ 1 + (1 | batch/cask)", "gaussian"),
    ("penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "gaussian"),
    ("pastes", "strength ~ 1 + (1 | batch/cask)", "lognormal"),
    ("penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "lognormal"),
    ("inhaler", "rating ~ treat + (1 | subject)", "categorical"),
]


@pytest.mark.parametrize(("data", "formula", "family"), MODELS)
def test_a_point_is_what_the_program_makes_of_its_coordinates(
    data: str, formula: str, family: str
) -> None:
    model = hm.Model(formula, hm.load_dataset(data), family=family)
    ready = model._posterior
    chart = Chart(ready.data)
    names = ["raw", "z", "b", "sd", "L", "r"] if chart.K else ["raw", "b", "sd", "L"]
    settings = Settings(seed=1, chains=1, warmup=50, draws=5)
    draws = Embedded().sample(ready.program, ready.data, settings, keep=names).draws
    for i in range(settings.draws):
        drawn = {name: each[0, i] for name, each in draws.items()}
        q = np.concatenate([drawn["raw"], drawn.get("z", np.zeros(0))])
        point = chart.point(q)
        np.testing.assert_allclose(point.b, drawn["b"], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(np.exp(point.log_sd), drawn["sd"], rtol=1e-10)
        np.testing.assert_allclose(point.r, drawn.get("r", point.r), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(chart.coordinates(point), q, rtol=1e-8, atol=1e-8)
