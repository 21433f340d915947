// Ordered categories 1 to C: P(y <= c) = F(disc (threshold[c] - eta)),
// cumulative; the discrimination has an equation, or is one.
// The intercept stands for minus one of the thresholds, the anchor, so that
// group effects and population coefficients are centred around it as in every
// program.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/ordinal.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  int<lower=1, upper=2> link; // 1 logit, 2 probit
  int<lower=2> C;
  int<lower=1, upper=C - 1> anchor;
  array[N] int<lower=1, upper=C> y;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = C - 2; // logs of the gaps between thresholds
  array[N] int next; // the upper bound of a category is the lower of the next
  for (n in 1:N) next[n] = y[n] + 1;
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/effects.stan
  vector[C - 1] from_first = append_row(0, cumulative_sum(
    exp(theta[(P + 1):(P + A)])));
  vector[C - 1] threshold = from_first - from_first[anchor] - b[1];
}
model {
#include parts/linear_predictor.stan
  // Thresholds as seen from eta, in which the intercept is.
  vector[C - 1] cut = threshold + b[1];
  if (!own_predictor[2]) {
    if (link == 1) {
      target += ordinal_logit_rows(y, next, eta[1], cut, weight);
    } else {
      target += ordinal_probit_rows(y, eta[1], cut, weight);
    }
  } else {
    vector[N] disc = discrimination(eta[own_predictor[2]]);
    if (link == 1) {
      target += ordinal_logit_rows(y, next, eta[1], cut, disc, weight);
    } else {
      target += ordinal_probit_rows(y, eta[1], cut, disc, weight);
    }
  }
  // The priors of the thresholds take the place of the intercept's.
  target += coded_prior(threshold, rep_array(own_prior[1], C - 1),
                        rep_matrix(own_par[1], C - 1));
  target += sum(theta[(P + 1):(P + A)]);
  target += coded_prior(tail(b, P - 1), tail(b_prior, P - 1),
                        b_par[2:P]);
#include parts/effects_priors.stan
  target += log_prior_r;
}
