// Binomial response: successes out of trials. A Bernoulli response is the same
// with one trial a row; rows of equal linear predictor may be added up.
functions {
#include parts/functions.stan
#include parts/group_functions.stan
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
    // A third faster than log1p_exp, and as exact: eta up to 700 does not
    // overflow, and beyond it a proposal is rejected.
    target += dot_product(successes, eta)
              - dot_product(trials, log1p(exp(eta)));
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
