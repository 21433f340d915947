// Poisson response, log link. Rows of equal linear predictor may be added up:
// their counts in y, their number in exposure.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/poisson.stanfunctions
#include parts/tails/poisson.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y; // times the weight of the row
  vector<lower=0>[N] exposure; // weights
  real base; // -log y!
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
  // What an upper bound leaves of more than e^30 counts would be rounding.
  if (N_below + N_between) eta[1] = fmin(eta[1], 30);
  target += base + poisson_rows(y, eta[1], exposure);
  if (N_below + N_above + N_between) {
    array[0] vector[N] own;
#include parts/intervals.stan
  }
#include parts/priors.stan
  target += log_prior_r;
}
