"""Models of the reference fits do not diverge at default settings, and trajectories stay short."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

import hiermix as hm
from hiermix.engines import Samples, Settings
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Program
from hiermix.typing import FloatArray, StanData

MODELS = [
    ("radon", "log_radon ~ floor + (1 | county)", "gaussian"),
    ("radon", "log_radon ~ floor + (floor | county)", "gaussian"),
    pytest.param(
        "radon", "log_radon ~ floor + (floor | county)", "student_t", marks=pytest.mark.slow
    ),
    ("sleepstudy", "Reaction ~ Days + (Days | Subject)", "gaussian"),
    ("sleepstudy", "Reaction ~ Days + (Days || Subject)", "gaussian"),
    ("scores", "score ~ edu + (1 | classroom)", "gaussian"),
    ("scores", "score ~ edu + (edu | classroom)", "gaussian"),
    ("rainfall", "rainfall ~ year_numeric + (year_numeric | state)", "gaussian"),
    ("orthodont", "distance ~ age + (age | Subject)", "gaussian"),
    ("penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "gaussian"),
    ("pastes", "strength ~ 1 + (1 | batch/cask)", "gaussian"),
    ("cbpp", "incidence | trials(size) ~ period + (1 | herd)", "binomial"),
    ("cbpp", "incidence | trials(size) ~ period + (1 | herd)", "beta_binomial"),
    ("epilepsy", "count ~ zAge + zBase * Trt + (1 | patient)", "poisson"),
    pytest.param(
        "epilepsy",
        "count ~ zAge + zBase * Trt + (1 | patient) + (1 | obs)",
        "poisson",
        marks=pytest.mark.slow,
    ),
    ("epilepsy", "count ~ zAge + zBase * Trt + (1 | patient)", "negative_binomial"),
    pytest.param(
        "inhaler", "rating ~ treat + period + carry + (1 | subject)", "ordinal",
        marks=pytest.mark.slow,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "formula", "family"), MODELS)
def test_nothing_diverges(data: str, formula: str, family: str) -> None:
    stats = hm.Model(formula, hm.load_dataset(data), family=family).fit(seed=11).data.sample_stats
    # In 68 fits with other seeds none diverged, and steps were 15 at most.
    assert int(stats["diverging"].sum()) <= 2
    assert float(stats["n_steps"].mean()) < 31


class Careless(Embedded):
    """Takes the last two draws of a chain for diverging unless steps are small."""

    def __init__(self) -> None:
        """Remember what is aimed at."""
        self.aims: list[float] = []

    def sample(
        self, program: Program, data: StanData, settings: Settings, *, keep: Sequence[str],
        inits: FloatArray | None = None,
    ) -> Samples:  # fmt: skip
        """Sample as the embedded engine does."""
        self.aims.append(settings.adapt_delta)
        found = super().sample(program, data, settings, keep=keep, inits=inits)
        diverging = np.zeros_like(found.stats["diverging"])
        diverging[:, -2:] = settings.adapt_delta < 0.99
        return replace(found, stats=found.stats | {"diverging": diverging})


def test_chains_that_diverge_are_drawn_once_more_in_smaller_steps(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "hiermix")
    model = hm.Model("Reaction ~ Days + (Days | Subject)", hm.load_dataset("sleepstudy"))
    quick = {"seed": 1, "chains": 2, "warmup": 100, "draws": 20}
    engine = Careless()
    fit = model.fit(engine=engine, **quick)
    assert engine.aims == [0.8, 0.99]
    assert "4 draws of 40 diverged: chains are drawn again" in caplog.text
    assert fit.data.attrs["adapt_delta"] == 0.99
    assert not fit.data.sample_stats["diverging"].any()
    same = model.fit(adapt_delta=0.99, **quick).data.posterior
    np.testing.assert_array_equal(fit.data.posterior["sigma"], same["sigma"])


def test_steps_that_are_asked_for_are_taken() -> None:
    model = hm.Model("Reaction ~ Days + (Days | Subject)", hm.load_dataset("sleepstudy"))
    engine = Careless()
    with pytest.warns(hm.HiermixWarning, match="4 draws of 40 diverged"):
        model.fit(engine=engine, adapt_delta=0.9, seed=1, chains=2, warmup=100, draws=20)
    assert engine.aims == [0.9]
