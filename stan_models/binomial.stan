// Binomial response: successes out of trials. A Bernoulli response is the same
// with one trial a row; rows of equal linear predictor may be added up.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions

  /** Sum of log(1 + exp(eta)), with one logarithm for four rows. */
  real sum_log1p_exp(vector eta) {
    int n = size(eta) %/% 4;
    vector[size(eta)] odds = 1 + exp(eta);
    vector[n] two = odds[1:n] .* odds[(n + 1):(2 * n)];
    vector[n] four
      = two .* odds[(2 * n + 1):(3 * n)] .* odds[(3 * n + 1):(4 * n)];
    return sum(log(four)) + sum(log(odds[(4 * n + 1):size(eta)]));
  }
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
  int A = 0;
  vector[N] failures = trials - successes;
  int single = 1; // has every row one trial?
  for (n in 1:N) if (trials[n] != 1) single = 0;
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
  target += base;
  if (link == 1) {
    // Half the time of log1p_exp, and as exact; a proposal at which exp
    // overflows, eta above 170 in four rows or 700 in one, is rejected.
    target += dot_product(successes, eta);
    if (single) target += -sum_log1p_exp(eta);
    else target += -dot_product(trials, log1p(exp(eta)));
  } else if (link == 2) {
    for (n in 1:N) {
      target += successes[n] * std_normal_lcdf(eta[n] | )
                + failures[n] * std_normal_lcdf(-eta[n] | );
    }
  } else {
    for (n in 1:N) {
      if (successes[n] > 0) target += successes[n] * log1m_exp(-exp(eta[n]));
    }
    target += -dot_product(failures, exp(eta));
  }
#include parts/priors.stan
  target += log_prior_r;
}
