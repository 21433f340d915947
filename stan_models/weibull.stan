// Weibull response, log link of the mean, right-censored where event is 0.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/weibull.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0, upper=1>[N] event; // 0 where y is right-censored
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = own_predictor[1] == 0; // shape, where it has no equation
  vector[N] event_weight = event .* weight;
  real events = sum(event_weight);
  real base = -dot_product(event_weight, log(y));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] shape = exp(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  if (predictors == 1) {
    target += weibull_rows(y, eta[1], shape[1], weight, event_weight, events,
                           base);
  } else {
    target += weibull_rows(y, eta[1],
                           log_linked(shape, eta, own_predictor[1]), weight,
                           event_weight, base);
  }
  target += prior_of_log(shape, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
