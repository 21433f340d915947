// Normal plus exponential response: mean eta, sd sigma of the normal, mean beta
// of the exponential part.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/tails/exgaussian.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  // sigma, beta: those that have no equation.
  int A_1 = own_predictor[1] == 0;
  int A = A_1 + (own_predictor[2] == 0);
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A_1] sigma = exp(theta[(P + 1):(P + A_1)]);
  vector<lower=0>[A - A_1] beta = exp(theta[(P + A_1 + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += exgaussian_rows(y, eta[1],
                            log_linked(sigma, eta, own_predictor[1]),
                            log_linked(beta, eta, own_predictor[2]), weight);
  if (N_below + N_above + N_between) {
    array[2] vector[N] own;
    own[1] = log_linked(sigma, eta, own_predictor[1]);
    own[2] = log_linked(beta, eta, own_predictor[2]);
#include parts/intervals.stan
  }
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
  target += prior_of_log(beta, own_prior[2], own_par[2]);
#include parts/priors.stan
  target += log_prior_r;
}
