// Gaussian response, any number of grouping factors, nested or crossed; the
// group effects are sampled.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/gaussian.stanfunctions
#include parts/tails/normal.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  int A = own_predictor[1] == 0; // sigma, where it has no equation
  real weights = sum(weight);
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] sigma = exp(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  if (predictors == 1) {
    target += gaussian_rows(y, eta[1], sigma[1], weight, weights);
  } else {
    target += gaussian_rows(y, eta[1],
                            log_linked(sigma, eta, own_predictor[1]), weight);
  }
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = log_linked(sigma, eta, own_predictor[1]);
#include parts/intervals.stan
  }
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
