// Skew normal response: mean eta, sd sigma, skewness alpha.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/tails/skew_normal.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  // sigma, alpha: those that have no equation.
  int A_1 = own_predictor[1] == 0;
  int A = A_1 + (own_predictor[2] == 0);
  real weights = sum(weight);
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A_1] sigma = exp(theta[(P + 1):(P + A_1)]);
  vector[A - A_1] alpha = theta[(P + A_1 + 1):(P + A)];
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  if (predictors == 1) {
    target += skew_normal_rows(y, eta[1], sigma[1], alpha[1], weight, weights);
  } else {
    target += skew_normal_rows(y, eta[1],
                               log_linked(sigma, eta, own_predictor[1]),
                               plain_of_rows(alpha, eta, own_predictor[2]),
                               weight);
  }
  if (N_below + N_above + N_between) {
    array[2] vector[N] own;
    own[1] = log_linked(sigma, eta, own_predictor[1]);
    own[2] = plain_of_rows(alpha, eta, own_predictor[2]);
#include parts/intervals.stan
  }
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
  if (A > A_1) target += coded_lpdf(alpha[1] | own_prior[2], own_par[2]);
#include parts/priors.stan
  target += log_prior_r;
}
