// Gaussian response whose residuals are an autoregression of the first order
// in each series: rows d steps apart have the correlation rho^d. They have one
// sd, or each stratum of rows has one, by an equation of log sigma. One
// grouping factor or none, any number of varying coefficients, correlated or
// not; the group effects are integrated out exactly, from sums over rows and
// over pairs of rows that follow each other.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/patterns_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/patterns_data.stan
#include parts/strata_data.stan
#include parts/correlated_data.stan
  int<lower=1, upper=2> A; // sigma, where it is one number for all, and rho
  int<lower=0> gap_count; // distinct gaps between rows that follow each other
  vector<lower=0>[gap_count] step_gap; // in steps
  vector<lower=0>[gap_count] pairs_of; // pairs of rows with each
  real<lower=-1, upper=0> rho_least; // zero where gaps are no whole numbers
}
parameters {
#include parts/raw_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A - 1] sigma = exp(theta[(P + 1):(P + A - 1)]);
  real<lower=rho_least, upper=1> rho
    = rho_least + (1 - rho_least) * inv_logit(theta[P + A]);
}
model {
  // The identity, and for each gap the squares of both rows and their product.
  vector[inner_count] inner;
  vector[patterns] mix;
  vector[strata_count] variance;
  real log_det_R = 0;
  if (A == 2) {
    variance = rep_vector(square(sigma[1]), strata_count);
  } else {
    variance = variance_at(known_sigma + X_sigma * tail(b, P - P_mu));
  }
  inner[1] = 1;
  for (k in 1:gap_count) {
    real c = rho ^ step_gap[k];
    real left = 1 - square(c);
    inner[2 * k] = square(c) / left;
    inner[2 * k + 1] = -c / left;
    log_det_R += pairs_of[k] * log(left);
  }
  mix = correlated_mix(inner[inner_pattern], variance, one_stratum,
                       other_stratum);
  log_det_R += dot_product(rows_of, log(variance));
#include parts/patterns_model.stan
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
  target += coded_lpdf(rho | own_prior[A], own_par[A])
            + log_inv_logit(theta[P + A]) + log1m_inv_logit(theta[P + A])
            + log1m(rho_least);
#include parts/priors.stan
}
