// Beta-binomial response, logit link: mean mu, precision phi.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/beta_binomial.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  int<lower=1, upper=10> phi_prior;
  row_vector[4] phi_par;
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
  target += coded_lpdf(phi | phi_prior, phi_par) + log(phi);
#include parts/priors.stan
  target += log_prior_r;
}
