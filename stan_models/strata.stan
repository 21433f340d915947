// Gaussian response whose residual sd differs between strata of rows, by an
// equation of log sigma or by known standard errors; one grouping factor or
// none, any number of varying coefficients, correlated or not, with smooths
// and small factors beside it. All effects are integrated out exactly: the
// precision of the residuals is the sum over strata of their rows' part of the
// identity over their variance, so that a gradient costs the same for a
// thousand rows and for a million.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/patterns_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/patterns_data.stan
#include parts/strata_data.stan
  int<lower=0, upper=1> A; // sigma, where it is one number for all rows
}
parameters {
#include parts/raw_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] sigma = exp(theta[(P + 1):(P + A)]);
}
model {
  vector[strata_count] variance = known_variance;
  if (A) {
    variance += square(sigma[1]);
  } else {
    variance += variance_at(known_sigma + X_sigma * tail(b, P - P_mu));
  }
  vector[patterns] mix = inv(variance);
  real log_det_R = dot_product(rows_of, log(variance));
#include parts/patterns_model.stan
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
#include parts/priors.stan
}
