// Geometric response: failures before a success, log link of their mean.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/negative_binomial.stanfunctions
#include parts/tails/negative_binomial.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/reached_data.stan
#include parts/intervals_data.stan
}
transformed data {
  int A = 0;
  real base = -dot_product(weight, lgamma(y + 1));
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
  // Negative binomial of shape one.
  target += base;
  if (rated) {
    target += negative_binomial_rows(y, eta[1], counted_over, weight);
  } else {
    target += negative_binomial_rows(reached, y, eta[1], 1.0, weight);
  }
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = over_time(rep_vector(1, N), counted_over);
#include parts/intervals.stan
  }
#include parts/priors.stan
  target += log_prior_r;
}
