// Unordered categories 1 to C: a softmax of C - 1 linear predictors, and of
// zero for the first category, the reference. Population coefficients, and the
// effects of each factor, are those of category 2, then of 3, and so on.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/categorical.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  int<lower=2> C; // one more than predictors
  matrix<lower=0>[N, C - 1] chosen; // weight of the responses in a category
  vector<lower=0>[N] weight; // of all responses of a row
  real base; // log of the orders in which counts may come about
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
  target += base + categorical_rows(chosen, eta, weight);
#include parts/priors.stan
  target += log_prior_r;
}
