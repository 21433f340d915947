// Binomial response: successes out of trials. A Bernoulli response is the same
// with one trial a row; rows of equal linear predictor may be added up.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/binomial.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  int<lower=1, upper=3> link; // 1 logit, 2 probit, 3 cloglog
  vector<lower=0>[N] successes; // times the weight of the row
  vector<lower=0>[N] trials;
  real base; // log binomial coefficients
}
transformed data {
  int A = 0; // a discrimination has an equation, or is one
  vector[N] failures = trials - successes;
  int single = 1; // has every row one trial?
  for (n in 1:N) if (trials[n] != 1) single = 0;
  array[N] int row;
  int succeeded = 0;
  for (n in 1:N) {
    if (successes[n] > 0) {
      succeeded += 1;
      row[succeeded] = n;
    }
  }
  array[succeeded] int some = head(row, succeeded); // rows with a success
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
  vector[N] eta_1 = discriminated(eta, own_predictor[1]);
  target += base;
  if (link == 1) {
    target += binomial_logit_rows(successes, trials, eta_1, single);
  } else if (link == 2) {
    target += binomial_probit_rows(successes, failures, eta_1);
  } else {
    target += binomial_cloglog_rows(successes, failures, eta_1, some);
  }
#include parts/priors.stan
  target += log_prior_r;
}
