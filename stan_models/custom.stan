// Response of a custom family. What stands in parts/custom/ is an example: for
// each family it is written anew, from its likelihood and its parameters.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/custom/places.stanfunctions
#include parts/custom/likelihood.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
#include parts/custom/response.stan
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  array[own_count + 1] int own_at = own_places(own_predictor);
  int A = own_at[own_count + 1];
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/custom/parameters.stan
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
#include parts/custom/rows.stan
#include parts/priors.stan
  target += log_prior_r;
}
