// Exponential response, log link of the mean, right-censored where event is 0.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/exponential.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0, upper=1>[N] event; // 0 where y is right-censored
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = 0;
  vector[N] event_weight = event .* weight;
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += exponential_rows(y, eta[1], weight, event_weight);
#include parts/priors.stan
  target += log_prior_r;
}
