"""Every number of forty small models at two commits, to see whether anything moved.

``python -m benchmarks numbers store FILE`` at one commit and ``python -m benchmarks numbers compare
FILE`` at another, on one machine: other processors and other libraries round otherwise, so the file
is not for keeping. `compare` says what moved, by how much, and ends with 1 if anything did.

Where the text of a model's program is as it was, every number has to be the same to the last bit.
Where it isn't, log densities, gradients and what is in both dicts of data may differ by
``--relative`` (of the largest number beside); draws then go other ways from the first rounding on,
so they are not compared. What is worked out from draws always is, to the last bit: from those in
FILE, which every later commit has to load.
"""

import argparse
import json
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import hiermix as hm

type Numbers = dict[str, np.ndarray]
"""What it is of -> values."""

ROWS, POINTS = 60, 4
SAMPLER = {"seed": 12, "chains": 2, "warmup": 50, "draws": 50, "cores": 1, "engine": "embedded"}


class Case(NamedTuple):
    """A model to be."""

    formula: str
    family: str = "gaussian"
    options: Mapping[str, Any] = {}


CASES = {
    # Every family, over designs of all kinds.
    "gaussian": Case("real ~ x + (1 | g)"),
    "student_t": Case("real ~ x + (1 + x | g)", "student_t"),
    "lognormal": Case("positive ~ x + (1 | g) + (1 | h)", "lognormal"),
    "gamma": Case("positive ~ x * t + (1 | g)", "gamma"),
    "beta": Case("share ~ x + (1 | g)", "beta"),
    "weibull": Case("positive | cens(ended) ~ x + (1 | g)", "weibull"),
    "exponential": Case("positive | cens(ended) ~ t + (1 | g)", "exponential"),
    "bernoulli": Case("yes ~ x + (x || g)", "bernoulli"),
    "binomial": Case("hits | trials(size) ~ x + (1 | g/c)", "binomial"),
    "beta_binomial": Case("hits | trials(size) ~ x + (1 | g)", "beta_binomial"),
    "poisson": Case("count ~ x + offset(log(size)) + (1 | g) + (1 | h)", "poisson"),
    "negative_binomial": Case("count ~ x + (1 + x | g)", "negative_binomial"),
    "zero_inflated_poisson": Case("zeros ~ x + (1 | g)", "zero_inflated_poisson"),
    "zero_inflated_negative_binomial": Case(
        "zeros ~ x + (1 | g)", "zero_inflated_negative_binomial"
    ),
    "hurdle_poisson": Case("zeros ~ x + (1 | g)", "hurdle_poisson"),
    "hurdle_negative_binomial": Case("zeros ~ x + (1 | g)", "hurdle_negative_binomial"),
    "ordinal": Case("rating ~ x + (1 | g)", "ordinal"),
    "categorical": Case("colour ~ x + (1 | g)", "categorical"),
    # Other links.
    "ordinal probit": Case("rating ~ x + (x | g)", "ordinal", {"link": "probit"}),
    "bernoulli probit": Case("yes ~ t", "bernoulli", {"link": "probit"}),
    "bernoulli cloglog": Case("word ~ x + (1 | g)", "bernoulli", {
        "success": "no", "link": "cloglog"}),
    # Designs whose effects are integrated out.
    "no bar": Case("real ~ x * t"),
    "slopes": Case("real ~ x + (1 + x | g)"),
    "slopes apart": Case("real ~ x + (x || g)"),
    "slope alone": Case("real ~ x + (0 + x | g)"),
    "effects of categories": Case("real ~ t + (t | g)"),
    "interaction of factors": Case("real ~ x + (1 | g:h)"),
    "no intercept": Case("real ~ 0 + t + x + (1 | g)"),
    "no population part": Case("real ~ 0 + (1 | g)"),
    "weights": Case("real ~ x + (x | g)", options={"weights": "weight"}),
    "offset by keyword": Case("real ~ x + (1 | g)", options={"offset": "known"}),
    "few levels": Case("real ~ x + (1 | three)"),
    "far-off x": Case("real ~ far + (1 + far | g)"),
    "splines and seasons": Case("real ~ cr(x, df=4) + fourier(day, 7, 1) + (1 | g)"),
    "priors": Case("real ~ x + (1 | g)", options={
        "priors": {"Intercept": "normal(0, 5)", "b[x]": "student_t(4, 0, 1)",
                   "sd[g, Intercept]": "exponential(2)", "sigma": "lognormal(0, 1)"}}),
    # Designs whose effects are sampled.
    "sampled": Case("real ~ x + (1 + x | g)", options={"effects": "sampled"}),
    "centered": Case("real ~ x + (1 | g)", options={
        "effects": "sampled", "parameterisation": "centered"}),
    "noncentered": Case("count ~ x + (1 | g)", "poisson", {"parameterisation": "noncentered"}),
    "nested": Case("real ~ x + (1 | g/c) + (0 + x | h)"),
    "three factors": Case("real ~ far + (1 | g) + (1 | h) + (1 | three)"),
}  # fmt: skip


def data() -> pd.DataFrame:
    """Simulate a column for every kind of response, and columns for all designs."""
    rng = np.random.default_rng(20)
    g, h, c = rng.integers(0, 7, ROWS), rng.integers(0, 4, ROWS), rng.integers(0, 2, ROWS)
    x, size = rng.normal(size=ROWS), rng.integers(1, 9, ROWS)
    eta = 0.4 + 0.5 * x + rng.normal(size=7)[g] + 0.4 * rng.normal(size=4)[h]
    chance = 1 / (1 + np.exp(-eta))
    count = rng.negative_binomial(2, 2 / (2 + np.exp(eta)))
    real = eta + 0.8 * rng.normal(size=ROWS)
    return pd.DataFrame({
        "x": x, "far": 2000 + 10 * x, "t": rng.choice(["lo", "mid", "hi"], ROWS),
        "g": [f"g{level}" for level in g], "h": h, "c": c, "three": rng.integers(0, 3, ROWS),
        "day": pd.date_range("2024-01-01", periods=ROWS), "size": size,
        "weight": rng.choice([0.5, 1.0, 2.0], ROWS), "known": rng.normal(size=ROWS),
        "real": real, "positive": np.exp(real), "share": rng.beta(5 * chance, 5 * (1 - chance)),
        "ended": rng.choice([0, 1], ROWS, p=[0.8, 0.2]),
        "yes": (yes := rng.binomial(1, chance)), "word": np.where(yes, "yes", "no"),
        "hits": rng.binomial(size, chance), "count": count,
        "zeros": np.where(rng.random(ROWS) < 0.3, 0, count),
        "rating": np.digitize(real, [-0.5, 0.5, 1.5]),
        "colour": np.array(["blue", "green", "red"])[np.digitize(real, [0.0, 1.0])],
    })  # fmt: skip


def new_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of which some are of levels that no fit saw."""
    rows = frame.iloc[:8].reset_index(drop=True)
    unseen = {"g": "another", "h": 99, "c": 99, "three": 99}
    return pd.concat([rows, rows.iloc[:4].assign(**unseen)], ignore_index=True)


# Numbers of a model ------------------------------------------------------------------------------


def of_model(model: hm.Model) -> Numbers:
    """Return what Stan is handed; log densities and gradients at points that stay the same."""
    handed = model.stan_data()
    engine = _engine(model.stan_code(), handed)
    points = _points(int(handed["D"]), engine.n_unconstrained)
    values, gradients = zip(*map(engine.log_prob_grad, points), strict=True)
    numbers = {f"data {name}": np.asarray(value) for name, value in handed.items()}
    return numbers | {"log density": np.array(values), "gradient": np.array(gradients)}


def _engine(code: str, handed: Mapping[str, Any]) -> Any:
    import stanli

    return stanli.Model(mir=_compiled(code), data={k: np.asarray(v) for k, v in handed.items()})


@cache
def _compiled(code: str) -> Any:
    import stanli

    return stanli.stan_to_mir(code)


def _points(raw: int, size: int) -> np.ndarray:
    """Draw points; those of raw don't depend on how many of z there are, nor the other way."""
    parts = [np.random.default_rng([part, 5]).normal(size=(length, POINTS))
             for part, length in enumerate([raw, size - raw])]  # fmt: skip
    return np.concatenate(parts).T


def of_draws(fit: hm.Fit) -> Numbers:
    """Return all draws, and how the sampler went."""
    parts = {"draws": fit.data["posterior"], "sampler": fit.data["sample_stats"]}
    return {f"{part} {name}": array.to_numpy()
            for part, node in parts.items() for name, array in node.data_vars.items()}  # fmt: skip


def of_answers(fit: hm.Fit) -> Numbers:
    """Return everything that is worked out from draws."""
    summary, loo = fit.summary(), fit.loo()
    numbers = {f"summary {column}": summary[column].to_numpy() for column in summary.columns}
    numbers |= {"loo": np.array([loo.elpd, loo.se, loo.p]), "pareto k": loo.pareto_k.to_numpy()}
    numbers |= {"log likelihood": fit.log_likelihood().to_numpy(),
                "posterior predictive": fit.posterior_predictive().to_numpy()}  # fmt: skip
    numbers |= {f"log prior {k}": v.to_numpy() for k, v in fit.log_prior().data_vars.items()}
    numbers |= _or_refusal("variance", lambda: {
        f"variance {k}": v.to_numpy() for k, v in fit.variance().data_vars.items()})  # fmt: skip
    factors = [name.removeprefix("sd_") for name in map(str, fit.data["posterior"].data_vars)
               if name.startswith("sd_")]  # fmt: skip
    for factor in factors:
        coefficients = fit.coefficients(factor).select_dtypes("number")
        numbers[f"coefficients {factor}"] = coefficients.to_numpy()
    for policy in ("population", "sample", "update") if factors else ("error",):
        for kind in ("linear", "mean", "response"):
            what = f"predict {kind} {policy}"
            numbers |= _or_refusal(what, partial(_predictions, fit, what, kind, policy))
    table = fit.predict(kind="response", quantiles=[0.1, 0.5], group_effects="none")
    return numbers | {"predict quantiles": table.to_numpy()}


def _predictions(fit: hm.Fit, what: str, kind: str, policy: str) -> Numbers:
    return {what: fit.predict(new_rows(data()), kind=kind, new_groups=policy).to_numpy()}


def _or_refusal(what: str, numbers: Callable[[], Numbers]) -> Numbers:
    """Return the numbers, or the words with which the model refuses them."""
    try:
        return numbers()
    except hm.HiermixError as refused:
        return {f"{what} refused": np.array(str(refused))}


def model_of(case: Case, frame: pd.DataFrame) -> hm.Model:
    """Build the model of a case."""
    return hm.Model(case.formula, frame, family=case.family, **case.options)


# Stored and compared -----------------------------------------------------------------------------


def store(path: Path) -> None:
    """Work out all numbers, and keep them together with programs and fits."""
    kept: dict[str, np.ndarray] = {"made with": np.array(json.dumps(surroundings()))}
    frame = data()
    for name, case in CASES.items():
        model = model_of(case, frame)
        fit = model.fit(**SAMPLER)
        saved = _bytes(fit)
        numbers = of_model(model) | of_draws(fit) | of_answers(_loaded(saved))
        numbers |= {"program": np.array(model.stan_code()), "fit": saved}
        kept |= {f"{name}/{what}": values for what, values in numbers.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, **kept)
    print(f"{len(kept):,} numbers and arrays of {len(CASES)} models are in {path}")


def compare(path: Path, relative: float) -> int:
    """Print what moved, and return 1 if anything did that must not."""
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    made = json.loads(str(kept.pop("made with")))
    for what, was in made.items():
        if was != (now := surroundings().get(what)):
            print(f"note: {what} was {was} and is {now}; other rounding is to be expected")
    frame, moved = data(), 0
    for name, case in CASES.items():
        was = {what.removeprefix(f"{name}/"): values for what, values in kept.items()
               if what.startswith(f"{name}/")}  # fmt: skip
        lines = list(differences(was, case, frame, relative))
        moved += bool(lines)
        print("\n".join(f"{name}: {line}" for line in lines), end="\n" * bool(lines))
    print(f"{moved} of {len(CASES)} models moved" if moved else f"all {len(CASES)} as they were")
    return int(moved > 0)


def differences(was: Numbers, case: Case, frame: pd.DataFrame, relative: float) -> Iterator[str]:
    """Yield a line for everything of one model that moved."""
    try:
        model = model_of(case, frame)
        same = str(was.pop("program")) == model.stan_code()
        now = of_model(model)
        if same:
            now |= of_draws(model.fit(**SAMPLER))
        answers = of_answers(_loaded(was.pop("fit")))
    except Exception as error:  # the other models are worth a look too
        yield f"{type(error).__name__}: {error}"
        return
    if not same:
        was = {what: each for what, each in was.items()
               if not what.startswith(("draws ", "sampler "))}  # fmt: skip
    for what in dict.fromkeys([*was, *now, *answers]):
        if what in was and what in now | answers:
            loose = relative if not same and what in now else 0.0
            yield from gap(what, was[what], (now | answers)[what], loose)
        elif same or not what.startswith("data "):
            yield f"{what} is {'gone' if what in was else 'new'}"


def gap(what: str, was: np.ndarray, now: np.ndarray, relative: float) -> Iterator[str]:
    """Yield a line if an array moved by more than a part of its largest number."""
    if was.shape != now.shape or was.dtype.kind != now.dtype.kind:
        yield f"{what} was {was.dtype} {was.shape} and is {now.dtype} {now.shape}"
    elif was.dtype.kind not in "biuf":
        if (was != now).any():
            yield f"{what} moved: {was} is now {now}"
    else:
        before, after = was.astype(float), now.astype(float)
        moved = (before != after) & ~(np.isnan(before) & np.isnan(after))
        with np.errstate(invalid="ignore"):  # NaN: where a number came or went
            far = np.abs(after - before)[moved].max(initial=0.0)
        part = far / (np.abs(before[np.isfinite(before)]).max(initial=0.0) or 1.0)
        if moved.any() and not part <= relative:
            yield (f"{what} moved in {moved.sum()} of {was.size} numbers, "
                   f"by {part:.1e} of the largest")  # fmt: skip


def surroundings() -> dict[str, str]:
    """Return what rounds: the processor and the libraries."""
    libraries = ("numpy", "scipy", "pandas", "stanli", "arviz-stats")
    machine = {"machine": platform.node(), "python": platform.python_version()}
    return machine | {name: version(name) for name in libraries}


def _bytes(fit: hm.Fit) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        fit.save(Path(folder) / "fit.nc")
        return np.frombuffer((Path(folder) / "fit.nc").read_bytes(), np.uint8)


def _loaded(saved: np.ndarray) -> hm.Fit:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fit.nc").write_bytes(saved.tobytes())
        return hm.load(Path(folder) / "fit.nc")


def main(arguments: Sequence[str]) -> None:
    """Read ``store FILE`` or ``compare FILE``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks numbers")
    parser.add_argument("what", choices=["store", "compare"])
    parser.add_argument("file", type=Path)
    help_ = "let what a changed program works out differ by this, as by 1e-13"
    parser.add_argument("--relative", type=float, default=0.0, metavar="GAP", help=help_)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", hm.HiermixWarning)  # about a hundred draws
    if given.what == "store":
        store(given.file)
    else:
        sys.exit(compare(given.file, given.relative))
