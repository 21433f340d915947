// Beta response, logit link, or a zero with probability zi.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/beta.stanfunctions
#include parts/tails/beta_measured.stanfunctions
#include parts/zero_or_measured.stan
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0, upper=1>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  // phi, zi: those that have no equation.
  int A_1 = own_predictor[1] == 0;
  int A = A_1 + (own_predictor[2] == 0);
#include parts/zero_rows.stan
  real base = -dot_product(weight_count, log(y_count) + log1m(y_count));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A_1] phi = exp(theta[(P + 1):(P + A_1)]);
  vector<lower=0, upper=1>[A - A_1] zi
    = inv_logit(theta[(P + A_1 + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[counts] eta_count = eta[1][count];
  target += base;
  if (predictors == 1) {
    target += sum(weight[zero]) * log(zi[1]) + weights * log1m(zi[1]);
  } else {
    vector[N] logit_zi = logit_of_rows(zi, eta, own_predictor[2]);
    target += dot_product(weight[zero], log_inv_logit(logit_zi[zero]))
              + dot_product(weight_count, log1m_inv_logit(logit_zi[count]));
  }
  if (predictors == 1) {
    target += beta_rows(y_count, eta_count, phi[1], weight_count, weights);
  } else {
    target += beta_rows(y_count, eta_count,
                        log_linked(phi, eta, own_predictor[1])[count],
                        weight_count);
  }
  if (N_below + N_above + N_between) {
    array[2] vector[N] own;
    own[1] = log_linked(phi, eta, own_predictor[1]);
    own[2] = logit_of_rows(zi, eta, own_predictor[2]);
#include parts/intervals.stan
  }
  target += prior_of_log(phi, own_prior[1], own_par[1]);
  target += prior_of_logit(zi, own_prior[2], own_par[2]);
#include parts/priors.stan
  target += log_prior_r;
}
