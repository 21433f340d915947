// Zero-inflated negative binomial response, log link: with probability zi a
// zero that is no count.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/negative_binomial.stanfunctions
#include parts/likelihoods/zeros.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/reached_data.stan
}
transformed data {
  int A = 2; // shape, zi
#include parts/zero_counts.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> shape = exp(theta[P + 1]);
  real<lower=0, upper=1> zi = inv_logit(theta[P + 2]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += inflated_zeros(negative_binomial_zero(eta[zero], shape), zi,
                           weight[zero]);
  target += base + weights * log1m(zi)
            + negative_binomial_rows(reached, y_count, eta[count], shape,
                                     weight_count);
  target += prior_of_log(shape, own_prior[1], own_par[1]);
  target += prior_of_logit(zi, own_prior[2], own_par[2]);
#include parts/priors.stan
  target += log_prior_r;
}
