"""Nested factors integrated out: effects drawn from their conditional, against dense algebra."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.formula.formula import parse
from hiermix.statistics import tree, tree_effects
from hiermix.statistics.conditional_effects import Hyperdraws
from hiermix.statistics.tree_effects import NestedFactors

CASES = {
    "intercepts": "y ~ x + (1 | a/b/c)",
    "slopes": "y ~ x + (x | a) + (1 + x | a:b)",
    "other slopes": "y ~ x + w + (x + w | a) + (0 + w | a:b) + (1 | a:b:c)",
    "crossed": "y ~ x + (x | a:b) + (1 + x | c)",
    "crossed beside a tree": "y ~ x + w + (x | c) + (x + w | a) + (1 | a:b)",
}


def design(formula: str, rows: int = 70) -> Design:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["y", "x", "w"])
    for name, levels in (("a", 4), ("b", 3), ("c", 2)):
        frame[name] = rng.integers(0, levels, rows).astype(str)
    return build(parse(formula), frame)


def dense(d: Design, Lambda: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of all effects, factor by factor and level by level, and their Z."""
    Z, prior, at = [], [], 0
    for each in d.groupings:
        J, Q = len(each.levels), len(each.effects)
        one = np.einsum("nq,nj->njq", d.Z(each.name), np.eye(J)[each.codes])
        Z.append(one.reshape(d.rows, J * Q))
        part = Lambda[at : at + Q, at : at + Q]
        prior.append(np.kron(np.eye(J), part @ part.T))
        at += Q
    return block_diag(*prior), np.concatenate(Z, axis=1)


def nested(d: Design, found: tree.Tree, *draws: Any, seed: int) -> NestedFactors:
    labels = {each.name: each.levels.tolist() for each in d.groupings}
    return NestedFactors(found, Hyperdraws(*draws), labels, seed)


@pytest.mark.parametrize("case", CASES)
def test_effects_have_their_conditional_distribution(case: str) -> None:
    d, rng = design(CASES[case]), np.random.default_rng(3)
    weights = rng.uniform(0.5, 2, d.rows)
    found = tree.statistics(d, d.response, weights)
    P, S, sigma = len(d.terms), 20_000, 0.7
    Lambda = block_diag(*(np.tril(rng.normal(0.3, 0.6, (len(each.effects),) * 2))
                          for each in d.groupings))  # fmt: skip
    b = rng.normal(size=P)
    prior, Z = dense(d, Lambda)
    V = np.diag(sigma**2 / weights) + Z @ prior @ Z.T
    gain = prior @ Z.T @ np.linalg.inv(V)
    mean = gain @ (d.response - (d.X() - found.x_mean) @ b)
    covariance = prior - gain @ Z @ prior
    effects = nested(
        d,
        found,
        np.tile(b, (S, 1)),
        {"sigma": np.full(S, sigma)},
        np.tile(Lambda, (S, 1, 1)),
        seed=5,
    ).all_levels()
    by_draw = (effects[each.name].transpose(2, 1, 0).reshape(S, -1) for each in d.groupings)
    drawn = np.concatenate(list(by_draw), axis=1)
    spread = np.sqrt(np.diag(covariance))
    assert np.abs((drawn.mean(axis=0) - mean) / spread).max() < 5 / np.sqrt(S)
    error = np.sqrt((np.outer(spread, spread) ** 2 + covariance**2) / S)
    assert np.abs((np.cov(drawn.T) - covariance) / error).max() < 6


@pytest.mark.parametrize("case", CASES)
def test_a_level_has_the_same_effects_whatever_is_asked_for_beside_it(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_effects, "_LEVELS", 8)  # so that the tree has parts
    monkeypatch.setattr(tree_effects, "_ENTRIES", 1000)
    d, rng = design(CASES[case]), np.random.default_rng(4)
    found, S = tree.statistics(d, d.response, None), 30
    E = sum(len(each.effects) for each in d.groupings)
    draws = rng.normal(size=(S, len(d.terms))), {"sigma": np.ones(S)}, np.tile(np.eye(E), (S, 1, 1))
    whole = nested(d, found, *draws, seed=1).all_levels()
    for each in d.groupings:
        J = len(each.levels)
        some = rng.integers(0, J, 5)
        alone = nested(d, found, *draws, seed=1).of_levels(each.name, some)
        np.testing.assert_array_equal(alone, whole[each.name][:, some])


def test_random_numbers_belong_to_labels() -> None:
    # Rows of two groups alone: the labels of the others are gone, theirs stand elsewhere.
    d = design(CASES["intercepts"])
    S, E = 40, len(d.groupings)
    draws = (
        np.zeros((S, 2)),
        {"sigma": np.full(S, 1e9)},
        np.tile(np.eye(E), (S, 1, 1)),
    )  # rows say nothing
    found = nested(d, tree.statistics(d, d.response, None), *draws, seed=1)
    some = d.take(np.flatnonzero(d.frame["a"].isin(["2", "3"])))
    few = build(parse(CASES["intercepts"]), some.frame)
    other = nested(few, tree.statistics(few, few.response, None), *draws, seed=1)
    name = "a:b:c"
    labels = d.grouping(name).levels.tolist()
    for place, label in enumerate(few.grouping(name).levels.tolist()):
        one = other.of_levels(name, np.array([place]))
        two = found.of_levels(name, np.array([labels.index(label)]))
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_columns_that_factors_share_are_one_column() -> None:
    d = design("y ~ x + w + (x | a) + (w | a:b) + (x | a:b:c)")
    found = tree.statistics(d, d.response, None)
    assert [each.own.tolist() for each in found.levels] == [[0, 1], [0, 2], [0, 1]]
    assert [each.carried for each in found.levels] == [0, 2, 3]
    assert found.loose.tolist() == [2]


@pytest.mark.parametrize(
    ("formula", "inside", "beside"),
    [
        ("y ~ (1 | c) + (1 | a:b)", ["a:b"], ["c"]),
        ("y ~ (1 | a/b) + (1 | c)", ["a", "a:b"], ["c"]),
        ("y ~ (1 | a/b) + (1 | a:c)", ["a", "a:b"], ["a:c"]),
        ("y ~ (1 | c) + (1 | a:b:c) + (1 | a)", ["a", "a:b:c"], ["c"]),
    ],
)
def test_the_tree_holds_the_factor_with_most_effects(
    formula: str, inside: list[str], beside: list[str]
) -> None:
    d = design(formula)
    assert [each.name for each in tree.chain(d)] == inside
    assert [each.name for each in tree.outside_chain(d)] == beside
