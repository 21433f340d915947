// Student-t response with nu degrees of freedom.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/student_t.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector[N] y;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = 2; // sigma, nu
  real weights = sum(weight);
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> sigma = exp(theta[P + 1]);
  // Below 1 the likelihood has a spike at each row that no sampler leaves.
  real<lower=1> nu = 1 + exp(theta[P + 2]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += student_t_rows(y, eta, sigma, nu, weight, weights);
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
  target += coded_lpdf(nu | own_prior[2], own_par[2]) + theta[P + 2];
#include parts/priors.stan
  target += log_prior_r;
}
