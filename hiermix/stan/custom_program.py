"""The program of a custom family: the parts of `custom.stan` that its likelihood and names fill."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from hiermix.errors import ArgumentError, quoted
from hiermix.families.family import Family
from hiermix.families.own_parameter import OwnParameter
from hiermix.formula.equations import MU
from hiermix.stan import programs
from hiermix.stan.programs import Program
from hiermix.typing import FloatArray, StanData

_PARTS = "parts/custom/"
_LOCATIONS = {
    "identity": "eta[1]",
    "log": "exp(fmin(fmax(eta[1], -700), 700))",
    "logit": "inv_logit(fmin(fmax(eta[1], -700), 36))",
    "probit": "Phi(fmin(fmax(eta[1], -37), 8))",
    "cloglog": "inv_cloglog(fmin(fmax(eta[1], -700), 3.5))",
}
"""Location by row, never rounded to an end of its range."""


def of_family(family: Family) -> Program:
    """Return the program of a family: a file, or one with parts of its own."""
    found = programs.find(family.program)
    return found if not family.likelihood else _with_parts(found, family)


def density(family: Family) -> Program:
    """Return the program whose gradient is the log density of each row."""
    return _with_parts(programs.find("custom_density"), family)


def density_data(family: Family, y: FloatArray, values: FloatArray) -> StanData:
    """Return the data of that program: responses, and the parameters (n, ...) of each."""
    seen = y if family.continuous else y.astype(np.int64)
    return {"N": len(y), "y": seen, "own_count": values.shape[1], "own_values": values}


def _with_parts(program: Program, family: Family) -> Program:
    _check_names(program, family)
    values = [f"own_values[, {place}]" for place in range(1, len(family.own) + 2)]
    texts = {
        "likelihood.stanfunctions": _likelihood(family),
        "response.stan": "  vector[N] y;" if family.continuous else "  array[N] int<lower=0> y;",
        "parameters.stan": "\n".join(map(_declared, family.own, range(1, len(family.own) + 1))),
        "rows.stan": _rows(family),
        "densities.stan": _call("raw", values),
    }
    parts = tuple((_PARTS + name, text or "  // none") for name, text in texts.items())
    return Program(program.name, program.path, parts)


def _check_names(program: Program, family: Family) -> None:
    """Raise for names that the program, or results, have for other things."""
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", program.code, flags=re.DOTALL)
    words = set(re.findall(r"\w+", code)) - {"sigma"} | {"Intercept"}
    for own in family.own:
        if own.name in words or not re.fullmatch(r"[A-Za-z]\w*", own.name):
            raise ArgumentError(
                f"{quoted(own.name)} can't be the name of a parameter of family {family.name!r}: "
                "the Stan program or results have it, or can't have it. Choose another"
            )


def _call(weights: str, values: Sequence[str]) -> str:
    return f"  target += dot_product({weights}, custom_rows(y, {', '.join(values)}));"


def _likelihood(family: Family) -> str:
    """Return the user's functions, and one that calls theirs row by row."""
    names = [MU, *(own.name for own in family.own)]
    kind, suffix = ("vector", "lpdf") if family.continuous else ("array[] int", "lpmf")
    arguments = ", ".join([f"{kind} y", *(f"vector {name}" for name in names)])
    row = ", ".join(f"{name}[n]" for name in names)
    return (
        f"{family.likelihood.rstrip()}\n\n  vector custom_rows({arguments}) {{\n"
        "    vector[size(y)] lp;\n    for (n in 1:size(y)) {\n"
        f"      lp[n] = {family.name}_{suffix}(y[n] | {row});\n    }}\n    return lp;\n  }}\n"
    )


# Of each transform: the constraint, the value at coordinates, and of rows.
_DECLARED: dict[str, tuple[str, Callable[[str], str]]] = {
    "log": ("<lower=0>", "exp({})".format),
    "log_above_one": ("<lower=1>", "1 + exp({})".format),
    "logit": ("<lower=0, upper=1>", "inv_logit({})".format),
}


def _declared(own: OwnParameter, i: int) -> str:
    bounds, value = _DECLARED[own.transform]
    inside = value(f"theta[(P + own_at[{i}] + 1):(P + own_at[{i + 1}])]")
    return f"  vector{bounds}[own_at[{i + 1}] - own_at[{i}]] {own.name}\n    = {inside};"


def _rows(family: Family) -> str:
    lines = [f"    vector[N] {MU} = {_LOCATIONS[family.link]};"]
    names, priors = [MU], []
    for i, own in enumerate(family.own, start=1):
        names.append(f"{own.name}_n")
        lines.append(f"    vector[N] {names[-1]} = {_of_rows(own, i)};")
        priors.append(f"  {_prior(own, i)}")
    call = "  " + _call("weight", names)
    return "\n".join(["  {", *lines, call, "  }", *priors])


def _of_rows(own: OwnParameter, i: int) -> str:
    name, place = own.name, f"own_predictor[{i}]"
    return {
        "log": f"log_linked({name}, eta, {place})",
        "log_above_one": f"1 + log_linked({name} - 1, eta, {place})",
        "logit": f"inv_logit(logit_of_rows({name}, eta, {place}))",
    }[own.transform]


def _prior(own: OwnParameter, i: int) -> str:
    name, coded = own.name, f"own_prior[{i}], own_par[{i}]"
    return {
        "log": f"target += prior_of_log({name}, {coded});",
        "log_above_one": (
            f"if (size({name})) target += coded_lpdf({name}[1] | {coded}) + log({name}[1] - 1);"
        ),
        "logit": f"target += prior_of_logit({name}, {coded});",
    }[own.transform]
