// Shifted lognormal response: ndt, which passes in any case, and a time after
// it whose logarithm is normal.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/shifted_lognormal.stanfunctions
#include parts/tails/shifted_lognormal.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
  real<lower=0> earliest; // response of all: ndt is below it
#include parts/intervals_data.stan
}
transformed data {
  // sigma, ndt: those that have no equation.
  int A_1 = own_predictor[1] == 0;
  int A = A_1 + (own_predictor[2] == 0);
  // ndt is pushed away from both ends.
  row_vector[3] ends = [0, earliest, 0.2 * earliest];
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A_1] sigma = exp(theta[(P + 1):(P + A_1)]);
  vector<lower=0, upper=earliest>[A - A_1] ndt;
  if (A > A_1) ndt[1] = within_bounds(theta[P + A], 3, ends);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += shifted_lognormal_rows(y, eta[1],
                                   log_linked(sigma, eta, own_predictor[1]),
                                   log_linked(ndt, eta, own_predictor[2]),
                                   weight);
  if (N_below + N_above + N_between) {
    array[2] vector[N] own;
    own[1] = log_linked(sigma, eta, own_predictor[1]);
    own[2] = log_linked(ndt, eta, own_predictor[2]);
#include parts/intervals.stan
  }
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
  if (size(ndt)) {
    target += coded_lpdf(ndt[1] | own_prior[2], own_par[2])
              + log_slope_within(theta[P + A], 3, ends);
  }
#include parts/priors.stan
  target += log_prior_r;
}
