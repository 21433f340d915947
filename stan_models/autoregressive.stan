// Gaussian response whose residuals are an autoregression of the first order
// in each series: rows d steps apart have the correlation rho^d. One grouping
// factor or none, any number of varying coefficients, correlated or not; the
// group effects are integrated out exactly, from sums over rows and over pairs
// of rows that follow each other.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/patterns_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/patterns_data.stan
  real<lower=0> row_count;
  int<lower=0> gap_count; // distinct gaps between rows that follow each other
  vector<lower=0>[gap_count] step_gap; // in steps
  vector<lower=0>[gap_count] pairs_of; // pairs of rows with each
  real<lower=-1, upper=0> rho_least; // zero where gaps are no whole numbers
}
transformed data {
  int A = 2; // sigma and rho
}
parameters {
#include parts/raw_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> sigma = exp(theta[P + 1]);
  real<lower=rho_least, upper=1> rho
    = rho_least + (1 - rho_least) * inv_logit(theta[P + 2]);
}
model {
  // The identity, and for each gap the squares of both rows and their product.
  vector[patterns] mix;
  real log_det_R = 2 * row_count * log(sigma);
  mix[1] = 1;
  for (k in 1:gap_count) {
    real c = rho ^ step_gap[k];
    real left = 1 - square(c);
    mix[2 * k] = square(c) / left;
    mix[2 * k + 1] = -c / left;
    log_det_R += pairs_of[k] * log(left);
  }
  mix /= square(sigma);
#include parts/patterns_model.stan
  target += coded_lpdf(sigma | own_prior[1], own_par[1]) + log(sigma);
  target += coded_lpdf(rho | own_prior[2], own_par[2])
            + log_inv_logit(theta[P + 2]) + log1m_inv_logit(theta[P + 2])
            + log1m(rho_least);
#include parts/priors.stan
}
