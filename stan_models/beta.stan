// Beta response in (0, 1), logit link: mean mu, precision phi.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/beta.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0, upper=1>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = 1; // phi
  real weights = sum(weight);
  real base = -dot_product(weight, log(y) + log1m(y));
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
  target += base + beta_rows(y, eta, phi, weight, weights);
  target += prior_of_log(phi, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
