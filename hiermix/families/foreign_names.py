"""Families by their names in other tools, and what is written here instead."""

import re
from collections.abc import Iterable

_SAME = {
    "student": "student_t", "t": "student_t", "scat": "student_t", "tfamily": "student_t",
    "normal": "gaussian", "binary": "bernoulli",
    "negbinomial": "negative_binomial", "nbinom2": "negative_binomial",
    "nbinom": "negative_binomial", "nb": "negative_binomial", "negbin": "negative_binomial",
    "hurdlenegbinomial": "hurdle_negative_binomial",
    "truncatednbinom2": "hurdle_negative_binomial", "truncatedpoisson": "hurdle_poisson",
    "zeroinflatednegbinomial": "zero_inflated_negative_binomial",
    "zip": "zero_inflated_poisson", "zinb": "zero_inflated_negative_binomial",
    "zigamma": "hurdle_gamma", "betafamily": "beta", "betar": "beta",
    "wald": "inverse_gaussian", "cumulative": "ordinal", "polr": "ordinal", "clm": "ordinal",
    "multinom": "multinomial", "tw": "tweedie", "cpglm": "tweedie",
}  # fmt: skip
_OTHERWISE = {
    "quasipoisson": "a variance above the mean is that of family='negative_binomial', or of "
    "effects of rows, (1 | row) beside family='poisson'",
    "quasibinomial": "a variance above that of trials is that of family='beta_binomial'",
    "quasi": "a posterior needs a likelihood, such as family='gamma' or 'negative_binomial'",
    "nbinom1": "family='negative_binomial' has variance mean + mean^2 / shape, and shape may have "
    "an equation",
    "cox": "times are of family='weibull', or counts of events by intervals with family='poisson' "
    "and offset(log(time))",
    "mixture": "there are no mixtures of families; brms has them",
    "hurdlecumulative": "take two models, family='bernoulli' of whether there is a rating and "
    "family='ordinal' of the ratings",
    "zeroinflatedbetabinomial": "take family='beta_binomial' or 'zero_inflated_binomial'",
    "ordbeta": "family='zero_one_inflated_beta' has the ends of shares as values of their own",
    **dict.fromkeys(
        ("dirichlet", "dirichlet2", "logisticnormal", "dirichletmultinomial"),
        "counts of several categories are family='multinomial'; brms has shares of them",
    ),
}
_OWN = (
    "wiener", "compoisson", "compois", "genpois", "discreteweibull", "bell", "negbinomial2",
    "nbinom12", "frechet", "genextremevalue", "gev", "gumbel", "laplace", "asymlaplace",
    "asymmetriclaplace", "zeroinflatedasymlaplace", "logistic", "cauchy", "xbeta", "pareto",
)  # fmt: skip


def instead(name: str, known: Iterable[str]) -> str:
    """Return what to write for a family of another tool, ``""`` if the name is unknown."""
    key = _plain(name)
    same = _SAME | {_plain(each): each for each in known}
    if key in same:
        return f" It is family={same[key]!r} here."
    if key in _OTHERWISE:
        return f" It is not here: {_OTHERWISE[key]}."
    if key in _OWN:
        return " It is not here: hm.CustomFamily takes a likelihood of your own, in Stan."
    return ""


def _plain(name: str) -> str:
    """Return a name without case, dots, lines and brackets: inverse.gaussian(), StudentT."""
    return re.sub(r"\(.*|[^a-z0-9]", "", name.lower())
