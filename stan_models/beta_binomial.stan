// Beta-binomial response, logit link: mean mu, precision phi.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/beta_binomial.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y; // successes
  vector<lower=0>[N] trials;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = own_predictor[1] == 0; // phi, where it has no equation
  real base = dot_product(weight, lgamma(trials + 1) - lgamma(y + 1)
                                      - lgamma(trials - y + 1));
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
    target += beta_binomial_rows(y, trials, eta[1], phi[1], weight);
  } else {
    target += beta_binomial_rows(y, trials, eta[1],
                                 log_linked(phi, eta, own_predictor[1]),
                                 weight);
  }
  target += prior_of_log(phi, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
