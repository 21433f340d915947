// Negative binomial response, log link: variance mu + mu^2 / shape.
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
  int A = own_predictor[1] == 0; // shape, where it has no equation
  real base = -dot_product(weight, lgamma(y + 1));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] shape = exp(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += base;
  if (predictors == 1 && !rated) {
    target += negative_binomial_rows(reached, y, eta[1], shape[1], weight);
  } else {
    vector[N] shape_row
      = over_time(log_linked(shape, eta, own_predictor[1]), counted_over);
    target += negative_binomial_rows(y, eta[1], shape_row, weight);
  }
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = over_time(log_linked(shape, eta, own_predictor[1]), counted_over);
#include parts/intervals.stan
  }
  target += prior_of_log(shape, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
