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
  int A = 1; // phi
  real base = dot_product(weight, lgamma(trials + 1) - lgamma(y + 1)
                                      - lgamma(trials - y + 1));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> phi = exp(theta[P + 1]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += base + beta_binomial_rows(y, trials, eta, phi, weight);
  target += prior_of_log(phi, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
