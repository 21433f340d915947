"""Nested factors integrated out: effects drawn from their conditional, against dense algebra."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

from hiermix.design.design import Design, build
from hiermix.formula.formula import parse
from hiermix.statistics import tree
from hiermix.statistics.tree_effects import draw_effects

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
    effects = draw_effects(
        found, np.tile(b, (S, 1)), np.full(S, sigma), np.tile(Lambda, (S, 1, 1)), seed=5
    )
    drawn = np.concatenate([effects[each.name].reshape(S, -1) for each in d.groupings], axis=1)
    spread = np.sqrt(np.diag(covariance))
    assert np.abs((drawn.mean(axis=0) - mean) / spread).max() < 5 / np.sqrt(S)
    error = np.sqrt((np.outer(spread, spread) ** 2 + covariance**2) / S)
    assert np.abs((np.cov(drawn.T) - covariance) / error).max() < 6


def test_random_numbers_belong_to_factors_not_to_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from hiermix.statistics import tree_effects

    d = design(CASES["slopes"])
    found, S = tree.statistics(d, d.response, None), 50
    arguments = np.zeros((S, 2)), np.ones(S), np.tile(np.eye(4), (S, 1, 1))
    whole = draw_effects(found, *arguments, seed=1)
    monkeypatch.setattr(tree_effects, "_ENTRIES", 1000)
    pieces = draw_effects(found, *arguments, seed=1)
    for name, values in whole.items():
        np.testing.assert_allclose(values, pieces[name], rtol=1e-12, atol=1e-12)


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
    assert [each.name for each in tree.beside(d)] == beside
