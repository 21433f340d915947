// Von Mises response, an angle: mean direction 2 atan(eta), concentration
// kappa.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/tails/von_mises.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  int A = own_predictor[1] == 0; // kappa, where it has no equation
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] kappa = exp(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  if (predictors == 1) {
    target += von_mises_rows(y, eta[1], kappa[1], weight);
  } else {
    target += von_mises_rows(y, eta[1],
                             log_linked(kappa, eta, own_predictor[1]), weight);
  }
  if (N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = log_linked(kappa, eta, own_predictor[1]);
#include parts/intervals.stan
  }
  target += prior_of_log(kappa, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
