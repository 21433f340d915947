// Exponential response, log link of the mean.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/exponential.stanfunctions
#include parts/tails/exponential.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  int A = 0;
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += exponential_rows(y, eta[1], weight);
  if (N_below + N_above + N_between) {
    array[0] vector[N] own;
#include parts/intervals.stan
  }
#include parts/priors.stan
  target += log_prior_r;
}
