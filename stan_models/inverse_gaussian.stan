// Inverse Gaussian response, log link: variance mu^3 / shape.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/inverse_gaussian.stanfunctions
#include parts/tails/inverse_gaussian.stanfunctions
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
  real base = -1.5 * dot_product(weight, log(y))
              - 0.5 * log(2 * pi()) * sum(weight);
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
  target += base
            + inverse_gaussian_rows(y, eta[1],
                                    log_linked(shape, eta, own_predictor[1]),
                                    weight);
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = log_linked(shape, eta, own_predictor[1]);
#include parts/intervals.stan
  }
  target += prior_of_log(shape, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
