// Hurdle Poisson response, log link: a zero with probability hu, else a count
// from 1 up.
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
  int A = 1; // hu
#include parts/zero_counts.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0, upper=1> hu = inv_logit(theta[P + 1]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[counts] eta_count = eta[count];
  target += sum(weight[zero]) * log(hu);
  target += base + weights * log1m(hu)
            + poisson_counts(y_count, eta_count, weight_count);
  target += -log_above_zero(-exp(eta_count), weight_count);
  target += prior_of_logit(hu, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
