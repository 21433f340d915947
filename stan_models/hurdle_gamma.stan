// Gamma response, log link, or a zero with probability hu.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/gamma.stanfunctions
#include parts/tails/hurdle_gamma.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  // shape, hu: those that have no equation.
  int A_1 = own_predictor[1] == 0;
  int A = A_1 + (own_predictor[2] == 0);
#include parts/zero_rows.stan
  real base = -dot_product(weight_count, log(y_count));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A_1] shape = exp(theta[(P + 1):(P + A_1)]);
  vector<lower=0, upper=1>[A - A_1] hu
    = inv_logit(theta[(P + A_1 + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[counts] eta_count = eta[1][count];
  target += base;
  if (predictors == 1) {
    target += sum(weight[zero]) * log(hu[1]) + weights * log1m(hu[1]);
  } else {
    vector[N] logit_hu = logit_of_rows(hu, eta, own_predictor[2]);
    target += dot_product(weight[zero], log_inv_logit(logit_hu[zero]))
              + dot_product(weight_count, log1m_inv_logit(logit_hu[count]));
  }
  if (predictors == 1) {
    target += gamma_rows(y_count, eta_count, shape[1], weight_count, weights);
  } else {
    target += gamma_rows(y_count, eta_count,
                         log_linked(shape, eta, own_predictor[1])[count],
                         weight_count);
  }
  if (N_below + N_above + N_between) {
    array[2] vector[N] own;
    own[1] = log_linked(shape, eta, own_predictor[1]);
    own[2] = logit_of_rows(hu, eta, own_predictor[2]);
#include parts/intervals.stan
  }
  target += prior_of_log(shape, own_prior[1], own_par[1]);
  target += prior_of_logit(hu, own_prior[2], own_par[2]);
#include parts/priors.stan
  target += log_prior_r;
}
