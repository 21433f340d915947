// Weibull response, log link of the mean.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/weibull.stanfunctions
#include parts/tails/weibull.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  int A = own_predictor[1] == 0; // shape, where it has no equation
  real weights = sum(weight);
  real base = -dot_product(weight, log(y));
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
  if (predictors == 1) {
    target += weibull_rows(y, eta[1], shape[1], weight, weights);
  } else {
    target += weibull_rows(y, eta[1],
                           log_linked(shape, eta, own_predictor[1]), weight);
  }
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = log_linked(shape, eta, own_predictor[1]);
#include parts/intervals.stan
  }
  target += prior_of_log(shape, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
