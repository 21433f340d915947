// Hurdle negative binomial response, log link: a zero with probability hu,
// else a count from 1 up.
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
  int A = 2; // shape, hu
#include parts/zero_counts.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> shape = exp(theta[P + 1]);
  real<lower=0, upper=1> hu = inv_logit(theta[P + 2]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[counts] eta_count = eta[count];
  target += sum(weight[zero]) * log(hu);
  target += base + weights * log1m(hu)
            + negative_binomial_rows(reached, y_count, eta_count, shape,
                                     weight_count);
  target += -log_above_zero(negative_binomial_zero(eta_count, shape),
                            weight_count);
  target += prior_of_log(shape, own_prior[1], own_par[1]);
  target += prior_of_logit(hu, own_prior[2], own_par[2]);
#include parts/priors.stan
  target += log_prior_r;
}
