// Gaussian response, any number of grouping factors, nested or crossed; the
// group effects are sampled.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/gaussian.stanfunctions
#include parts/tails/normal.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector[N] y;
  vector<lower=0>[N] weight; // of each row's log density
  // Standard errors of rows, squared, if they have some; and whether there is
  // no sigma beside them.
  int<lower=0, upper=1> errors;
  vector<lower=0>[errors * N] known_variance;
  int<lower=0, upper=errors> no_sigma;
#include parts/intervals_data.stan
}
transformed data {
  int A = own_predictor[1] == 0 && !no_sigma; // sigma, without an equation
  real weights = sum(weight);
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] sigma = exp(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  if (errors) {
    vector[N] variance = known_variance;
    if (!no_sigma) {
      variance += square(log_linked(sigma, eta, own_predictor[1]));
    }
    target += gaussian_rows(y, eta[1], sqrt(variance), weight);
  } else if (predictors == 1) {
    target += gaussian_rows(y, eta[1], sigma[1], weight, weights);
  } else {
    target += gaussian_rows(y, eta[1],
                            log_linked(sigma, eta, own_predictor[1]), weight);
  }
  if (!no_sigma && N_below + N_above + N_between) {
    array[1] vector[N] own;
    own[1] = log_linked(sigma, eta, own_predictor[1]);
#include parts/intervals.stan
  }
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
