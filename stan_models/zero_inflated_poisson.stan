// Zero-inflated Poisson response, log link: with probability zi a zero that is
// no count.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/poisson.stanfunctions
#include parts/likelihoods/zeros.stanfunctions
#include parts/tails/zero_inflated_poisson.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  int A = own_predictor[1] == 0; // zi, where it has no equation
#include parts/zero_counts.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0, upper=1>[A] zi = inv_logit(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  // What an upper bound leaves of more than e^30 counts would be rounding.
  if (N_below + N_between) eta[1] = fmin(eta[1], 30);
  target += base + poisson_counts(y_count, eta[1][count], weight_count);
  if (predictors == 1) {
    target += inflated_zeros(-exp(eta[1][zero]), zi[1], weight[zero]);
    target += weights * log1m(zi[1]);
  } else {
    vector[N] logit_zi = logit_of_rows(zi, eta, own_predictor[1]);
    target += inflated_zeros(-exp(eta[1][zero]), logit_zi[zero], weight[zero]);
    target += dot_product(weight_count, log1m_inv_logit(logit_zi[count]));
  }
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = logit_of_rows(zi, eta, own_predictor[1]);
#include parts/intervals.stan
  }
  target += prior_of_logit(zi, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
