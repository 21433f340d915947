// Gaussian response whose residual sd differs between strata of rows, by an
// equation of log sigma in which levels of factors have effects; one grouping
// factor of the location or none, any number of varying coefficients. The
// group effects of the location are integrated out exactly, as in strata.stan,
// from sums over the rows of each stratum; those of log sigma are sampled.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/patterns_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/factors_data.stan
#include parts/patterns_data.stan
#include parts/strata_data.stan
  // Effects that enter log sigma: columns, and which of r each stratum has.
  int<lower=0> E_sigma;
  matrix[strata_count, E_sigma] Z_sigma;
  array[E_sigma, strata_count] int<lower=1, upper=K> r_sigma;
}
transformed data {
  int A = 0; // sigma has an equation
}
parameters {
#include parts/raw_parameters.stan
  vector[K] z;
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/group_effects.stan
}
model {
  vector[strata_count] log_sigma = known_sigma + X_sigma * tail(b, P - P_mu);
  for (e in 1:E_sigma) log_sigma += Z_sigma[, e] .* r[r_sigma[e]];
  vector[strata_count] variance = known_variance + variance_at(log_sigma);
  vector[patterns] mix = inv(variance);
  real log_det_R = dot_product(rows_of, log(variance));
#include parts/patterns_model.stan
#include parts/priors.stan
  target += log_prior_r;
}
