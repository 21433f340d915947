// Zero-inflated Poisson response, log link: with probability zi a zero that is
// no count.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/poisson.stanfunctions
#include parts/likelihoods/zeros.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = 1; // zi
#include parts/zero_counts.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0, upper=1> zi = inv_logit(theta[P + 1]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += inflated_zeros(-exp(eta[zero]), zi, weight[zero]);
  target += base + weights * log1m(zi)
            + poisson_counts(y_count, eta[count], weight_count);
  target += prior_of_logit(zi, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
