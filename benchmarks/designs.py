"""Random designs of every family, fitted at default settings, and a table of what came out.

A seed is a design: one to three factors, nested, crossed or partly crossed, with 3 to 200 levels,
informative or not, balanced or not. ``python -m benchmarks designs --only 3 17`` fits some,
``python -m benchmarks designs`` those that the stored table lacks.
"""

import csv
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import hiermix as hm
from hiermix.families.table import FAMILIES, find
from hiermix.typing import FloatArray, IntArray

TABLE = Path(__file__).with_name("designs.csv")
DESIGNS = 200
PATIENCE = 600
"""Seconds of the processor after which a design counts as one that doesn't end."""

_LAYOUTS = ("one", "nested", "crossed", "partly", "cells", "three nested", "three crossed", "mixed")
_OWN = {
    "sigma": 0.5, "nu": 4.0, "shape": 2.0, "phi": 8.0, "zi": 0.2, "hu": 0.3, "alpha": 3.0,
    "beta": 0.8, "zoi": 0.2, "coi": 0.4,
    "ndt": 0.1, "kappa": 4.0, "power": 1.5,
}  # fmt: skip
_IN_TABLE = (
    "gaussian", "student_t", "lognormal", "gamma", "beta", "weibull", "exponential", "bernoulli",
    "binomial", "beta_binomial", "poisson", "negative_binomial", "zero_inflated_poisson",
    "zero_inflated_negative_binomial", "hurdle_poisson", "hurdle_negative_binomial", "ordinal",
    "categorical",
)  # fmt: skip
"""Families that take turns in the seeds of the stored table; in later ones all do."""


@dataclass(frozen=True)
class Drawn:
    """A design with simulated responses."""

    formula: str
    family: str
    layout: str
    spread: float
    """Sd of the effects."""
    data: pd.DataFrame


@dataclass(frozen=True)
class Outcome:
    """What fitting a design at default settings gave; empty numbers where it didn't end."""

    seed: int
    family: str
    layout: str
    formula: str
    rows: int
    levels: str
    spread: float
    rhat: float | None = None
    worst: str = ""
    ess_bulk: float | None = None
    least: str = ""
    ess_tail: float | None = None
    divergences: int | None = None
    steps: float | None = None
    aim: float | None = None
    """`adapt_delta` of the draws that were kept."""
    prepare: float | None = None
    seconds: float | None = None
    """Of processor time, everything together."""
    said: str = ""


# Designs -----------------------------------------------------------------------------------------


def draw(seed: int) -> Drawn:
    """Draw the design of a seed; families and layouts take turns."""
    rng = np.random.default_rng([seed, 17])
    turns = _IN_TABLE if seed < DESIGNS else tuple(FAMILIES)
    family = turns[seed % len(turns)]
    layout = _LAYOUTS[rng.integers(len(_LAYOUTS))]
    factors = _factors(layout, rng)
    rows = len(next(iter(factors.values())))
    data = pd.DataFrame(factors | {"x": rng.normal(size=rows), "w": rng.normal(size=rows)})
    bars = {name: rng.choice(["1", "1 + x", "1 + x ||"], p=[0.7, 0.2, 0.1]) for name in factors}
    population = rng.choice(["1", "x", "x + w"], p=[0.2, 0.4, 0.4])
    spread = float(rng.choice([0.05, 0.3, 1.0, 3.0, 15.0]))
    linear = _linear(family, spread)
    width = 3 if find(family).unordered else 1
    eta = np.column_stack([_eta(data, bars, population, linear, rng) for _ in range(width)])
    response = _response(family, eta[:, 0] if width == 1 else eta, data, rng)
    terms = [f"({bar if '||' in bar else bar + ' |'} {name})" for name, bar in bars.items()]
    trials = " | trials(n)" if _has_trials(family) else ""
    columns = {"y": response}
    if find(family).counted:
        columns = {f"y{place}": each for place, each in enumerate(response.T, start=1)}
    left = f"c({', '.join(columns)})" if find(family).counted else "y"
    formula = " + ".join([f"{left}{trials} ~ {population}", *terms])
    return Drawn(formula, family, layout, linear, data.assign(**columns))


def _has_trials(family: str) -> bool:
    row = find(family)
    return row.trials and not row.binary


def _linear(family: str, spread: float) -> float:
    """Sd of the effects on the scale of the linear predictor: of links no more than they bear."""
    return spread if find(family).links == ("identity",) else min(spread, 2.0)


def _factors(layout: str, rng: np.random.Generator) -> dict[str, IntArray]:
    match layout:
        case "one":
            return {"f": _rows_of(_levels(rng), rng)}
        case "nested":
            return _chain(2, rng)
        case "three nested":
            return _chain(3, rng)
        case "partly":
            return _partly(rng)
        case "mixed":
            inside = _chain(2, rng)
            other = rng.integers(_levels(rng, 30), size=len(inside["f"]))
            return inside | {"h": other}
    few = rng.integers(3, 21, size=3 if layout == "three crossed" else 2)
    cell = _rows_of(int(np.prod(few)), rng, most=max(2, 4000 // int(np.prod(few))))
    crossed = dict(zip("fgh", np.unravel_index(cell, few), strict=False))
    return crossed | {"c": cell} if layout == "cells" else crossed


def _levels(rng: np.random.Generator, most: int = 200) -> int:
    return int(np.exp(rng.uniform(np.log(3), np.log(most))))


def _rows_of(levels: int, rng: np.random.Generator, most: int = 30) -> IntArray:
    """Level of each row: as many rows a level everywhere, or from one to many."""
    each = int(rng.integers(1, max(2, min(most, 3000 // levels)) + 1))
    if levels * each < 30:
        each = -(-30 // levels)
    balanced = rng.random() < 0.5
    counts = np.full(levels, each) if balanced else rng.geometric(1 / each, levels)
    return np.repeat(np.arange(levels), np.minimum(counts, 10 * each))


def _chain(depth: int, rng: np.random.Generator) -> dict[str, IntArray]:
    """Factors nested in each other, the outermost first."""
    levels = _levels(rng, 30)
    above = [np.arange(levels)]
    for _ in range(depth - 1):
        inner = np.repeat(np.arange(len(above[-1])), rng.integers(2, 7, len(above[-1])))
        above = [*(outer[inner] for outer in above), np.arange(len(inner))]
    row = _rows_of(len(above[-1]), rng)
    return {name: level[row] for name, level in zip("fgh", above, strict=False)}


def _partly(rng: np.random.Generator) -> dict[str, IntArray]:
    """Give each level of one factor two or three levels of another, as students and teachers."""
    f = _rows_of(_levels(rng), rng)
    teachers = _levels(rng, 60)
    known = rng.integers(teachers, size=(f.max() + 1, 3))
    return {"f": f, "g": known[f, rng.integers(3, size=len(f))]}


def _eta(
    data: pd.DataFrame, bars: dict[str, str], population: str, spread: float,
    rng: np.random.Generator,
) -> FloatArray:  # fmt: skip
    eta = np.full(len(data), 0.3) + 0.5 * data.x * ("x" in population)
    for name, bar in bars.items():
        codes = data[name].to_numpy()
        sd = spread * rng.uniform(0.3, 1.5)
        eta += sd * rng.normal(size=codes.max() + 1)[codes]
        if "x" in bar:
            eta += 0.5 * sd * rng.normal(size=codes.max() + 1)[codes] * data.x
    return np.asarray(eta)


def _response(
    family: str, eta: FloatArray, data: pd.DataFrame, rng: np.random.Generator
) -> FloatArray:
    """Draw the response; categories come as numbers, of which text is made if they are labels."""
    row = find(family)
    own: dict[str, Any] = {
        each.name: np.array(_OWN.get(each.name, 0.0)) for each in row.own if each.learned
    }
    if row.thresholds:
        found = rng.normal(0, 1.5, rng.integers(2, 9))
        own["threshold"] = found if row.in_steps else np.sort(found)
    if _has_trials(family):
        own["trials"] = rng.integers(1, 20, len(eta))
        data["n"] = own["trials"]
    bound = eta if row.links == ("identity",) else np.clip(eta, -8, 8)
    y = row.draw(rng, bound, own)
    if family == "beta":
        return np.clip(y, 1e-6, 1 - 1e-6)
    labels = row.unordered and not row.counted
    return np.array([f"c{k:.0f}" for k in y]) if labels else y


# Fits --------------------------------------------------------------------------------------------


def fit(seed: int) -> Outcome:
    """Fit the design of a seed in this process."""
    import warnings

    from arviz_stats import ess, rhat

    drawn = draw(seed)
    start = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = hm.Model(drawn.formula, drawn.data, family=drawn.family).fit(
            seed=seed, engine="embedded", progress=False
        )
    seconds = time.process_time() - start
    tree, stats = found.data, found.data.sample_stats
    high, worst = _extreme(rhat(tree), max)
    low, least = _extreme(ess(tree, method="bulk"), min)
    tail, _ = _extreme(ess(tree, method="tail"), min)
    return Outcome(
        **_about(seed, drawn), rhat=round(high, 4), worst=worst, ess_bulk=round(low), least=least,
        ess_tail=round(tail), divergences=int(stats["diverging"].sum()),
        steps=round(float(stats["n_steps"].mean()), 1), aim=float(tree.attrs["adapt_delta"]),
        prepare=round(json.loads(tree.attrs["seconds"])["prepare"], 2), seconds=round(seconds, 1),
        said=" / ".join(sorted({str(each.message).split(".")[0][:80] for each in said})),
    )  # fmt: skip


def _about(seed: int, drawn: Drawn) -> dict[str, Any]:
    factors = [name for name in "fghc" if name in drawn.data]
    levels = " x ".join(str(drawn.data[name].nunique()) for name in factors)
    return {"seed": seed, "family": drawn.family, "layout": drawn.layout,
            "formula": drawn.formula, "rows": len(drawn.data), "levels": levels,
            "spread": drawn.spread}  # fmt: skip


def _extreme(tree: Any, most: Callable[..., float]) -> tuple[float, str]:
    """Return the extreme over all variables, group effects included, and whose it is.

    Numbers that never move, such as the correlation of an effect with itself, have none.
    """
    dataset = tree.dataset if hasattr(tree, "dataset") else tree
    found = [
        (float(values), name)
        for name, array in dataset.data_vars.items()
        for values in np.ravel(array.to_numpy())
        if np.isfinite(values)
    ]
    return most(found)  # type: ignore[return-value]


def apart(seed: int) -> Outcome:
    """Fit the design of a seed in a process of its own, which is ended when it takes too long."""
    command = [sys.executable, "-m", "benchmarks.designs", str(seed)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as failed:
        if failed.returncode == -signal.SIGXCPU:
            return Outcome(**_about(seed, draw(seed)), said="did not end")
        last = failed.stderr.strip().splitlines()[-1:]
        return Outcome(**_about(seed, draw(seed)), said="".join(last)[:200])
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def stored() -> dict[int, dict[str, str]]:
    """Return the stored table: seed to row."""
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="") as file:
        return {int(row["seed"]): row for row in csv.DictReader(file)}


def store(outcome: Outcome) -> None:
    """Add an outcome to the stored table, or put it in its row's place."""
    known: dict[int, dict[str, Any]] = {**stored(), outcome.seed: asdict(outcome)}
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Outcome)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(known[seed] for seed in sorted(known))


def main(only: Sequence[int] = ()) -> None:
    """Fit the designs named, or those that the stored table lacks, and store what came out."""
    print("| seed | family | formula | rows | levels | R-hat | ESS | divergences | s | said |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for seed in only or [each for each in range(DESIGNS) if each not in stored()]:
        found = apart(seed)
        store(found)
        cells = (
            seed, found.family, found.formula, found.rows, found.levels,
            f"{found.rhat} {found.worst}", f"{found.ess_bulk} {found.least}", found.divergences,
            found.seconds, found.said,
        )  # fmt: skip
        print("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 60))
    print(json.dumps(asdict(fit(int(sys.argv[1])))))
