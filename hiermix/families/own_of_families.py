"""Own parameters of the families in the table, with their default priors."""

from hiermix.families import of_rows
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior


def _sigma(scale: float) -> Prior:
    return Prior("exponential", (1 / scale,))


def _precision(scale: float) -> Prior:
    """Heavy on both sides: from strong overdispersion to next to none."""
    return Prior("inv_gamma", (0.4, 0.3))


def _probability(scale: float) -> Prior:
    return Prior("beta", (1.0, 1.0))


def _freedom(scale: float) -> Prior:
    return Prior("gamma", (2.0, 0.1))


def _weibull_shape(scale: float) -> Prior:
    return Prior("lognormal", (0.0, 1.0))


def _skewness(scale: float) -> Prior:
    return Prior("normal", (0.0, 4.0))


def _discrimination(scale: float) -> Prior:
    return Prior("lognormal", (0.0, 1.0))


def _between_categories(scale: float) -> Prior:
    return Prior("student_t", (3.0, 0.0, 2.5))


def _between_counts_and_amounts(scale: float) -> Prior:
    return Prior("normal", (1.5, 0.25))


def _concentration(scale: float) -> Prior:
    return Prior("gamma", (2.0, 0.01))


SIGMA = OwnParameter("sigma", _sigma)


NU = OwnParameter("nu", _freedom, "log_above_one")


SHAPE = OwnParameter("shape", _precision)


SHAPE_IN_UNITS = OwnParameter("shape", _precision, of_rows=of_rows.in_units_of_the_mean)


NDT = OwnParameter("ndt", _sigma, spread=0.4, of_rows=of_rows.before_all_responses)


KAPPA = OwnParameter("kappa", _concentration)


WEIBULL_SHAPE = OwnParameter("shape", _weibull_shape)


PHI = OwnParameter("phi", _precision)


DISPERSION = OwnParameter("phi", _sigma, of_rows=of_rows.in_units_of_a_dispersion)


POWER = OwnParameter("power", _between_counts_and_amounts, "pushed", least=1.01, most=1.99)


ZI = OwnParameter("zi", _probability, "logit")


HU = OwnParameter("hu", _probability, "logit")


ZOI = OwnParameter("zoi", _probability, "logit")


COI = OwnParameter("coi", _probability, "logit")


ALPHA = OwnParameter("alpha", _skewness, "identity")


BETA = OwnParameter("beta", _sigma)


DISC = OwnParameter("disc", _discrimination, learned=False, spread=0.4)


THRESHOLD = OwnParameter("threshold", _between_categories, "gaps")


STEP = OwnParameter("threshold", _between_categories, "differences")
