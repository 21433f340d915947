// Beta response in (0, 1), logit link: mean mu, precision phi.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/beta.stanfunctions
#include parts/tails/beta.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0, upper=1>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  int A = own_predictor[1] == 0; // phi, where it has no equation
  real weights = sum(weight);
  real base = -dot_product(weight, log(y) + log1m(y));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] phi = exp(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += base;
  if (predictors == 1) {
    target += beta_rows(y, eta[1], phi[1], weight, weights);
  } else {
    target += beta_rows(y, eta[1], log_linked(phi, eta, own_predictor[1]),
                        weight);
  }
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = log_linked(phi, eta, own_predictor[1]);
#include parts/intervals.stan
  }
  target += prior_of_log(phi, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
