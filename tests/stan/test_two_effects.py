"""Groups of two effects: determinants and squares against fractions, however far groups lie apart.

Every entry is taken for the exact number that it is; logarithms alone are rounded.
"""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hiermix.engines import compiled

stanli = pytest.importorskip("stanli")
PARTS = Path(__file__).parents[2] / "stan_models" / "parts"
PROGRAM = f"""
functions {{
{(PARTS / "integrated_functions.stanfunctions").read_text()}
}}
data {{
  int J;
  vector[J] groups;
  matrix[J, 3] R;
  matrix[J, 6] QtR;
  matrix[2, 2] Lambda;
  array[2] int order;
  vector[2] d;
  int which;
}}
parameters {{
  real zero;
}}
model {{
  matrix[2, 2] root = two_root(Lambda + zero, order);
  target += of_two_effects(groups, R, square(R[, 3]), QtR, root, d)[which];
}}
"""


def exact(R, QtR, Lambda, order, d, groups) -> tuple[float, Fraction]:  # type: ignore[no-untyped-def]
    """Log determinants of all groups together, and their squares."""
    root = [[Fraction(value) for value in Lambda[place - 1]] for place in order]
    one_d = [Fraction(1), *map(Fraction, d)]
    log_det, quad = 0.0, Fraction(0)
    for r, entries, times in zip(R.tolist(), QtR.tolist(), groups, strict=True):
        r11, r21, r22 = map(Fraction, r)
        one = [r11 * each for each in root[0]]
        two = [r21 * first + r22 * second for first, second in zip(*root, strict=True)]
        u = [sum(Fraction(v) * k for v, k in zip(part, one_d, strict=True))
             for part in (entries[:3], entries[3:])]  # fmt: skip
        a, b = 1 + sum(v * v for v in one), sum(v * w for v, w in zip(one, two, strict=True))
        c = 1 + sum(w * w for w in two)
        det = a * c - b * b
        quad += (c * u[0] ** 2 - 2 * b * u[0] * u[1] + a * u[1] ** 2) / det
        log_det += times * math.log(det)
    return log_det, quad


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("sds", [(0.5, 2.0), (1e3, 1e-2), (1e-2, 1e5), (1e5, 1e5)])
@pytest.mark.parametrize("correlation", [0.0, 0.9, -1 + 1e-7])
def test_determinants_and_squares_are_exact(
    order: tuple[int, int], sds: tuple[float, float], correlation: float
) -> None:
    rng, J = np.random.default_rng(5), 14
    R = rng.normal(size=(J, 3)) * [3, 4, 2]
    QtR = rng.normal(size=(J, 6)) * [max(sds), 1, 3, max(sds), 2, 5]
    L = np.array([[1, 0], [correlation, np.sqrt(1 - correlation**2)]])
    Lambda, d = np.array(sds)[:, None] * L, rng.normal(size=2)
    data = {"J": J, "R": R, "QtR": QtR, "Lambda": Lambda, "order": np.array(order), "d": d}
    for groups in (np.ones(J), np.arange(J) % 3 * 1.0):  # of which each counts once, and not
        found = [_value(data | {"groups": groups, "which": which}) for which in (1, 2)]
        log_det, quad = exact(R, QtR, Lambda, order, d, groups)
        assert found[0] == pytest.approx(log_det, rel=1e-13)
        assert found[1] == pytest.approx(float(quad), rel=1e-10)


def _value(data) -> float:  # type: ignore[no-untyped-def]
    model = stanli.Model(mir=stanli.stan_to_mir(PROGRAM), data=compiled.to_json(data))
    return float(model.log_prob_grad(np.zeros(1))[0])
