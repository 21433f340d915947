// Gaussian response, any number of grouping factors, nested or crossed; the
// group effects are sampled.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/gaussian.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector[N] y;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = 1; // sigma
  real weights = sum(weight);
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> sigma = exp(theta[P + 1]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += gaussian_rows(y, eta, sigma, weight, weights);
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
