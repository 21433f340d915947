// Ordered categories 1 to C, one step after the other: P(y > c | y >= c)
// = F(disc (eta - threshold[c])), the continuation ratio.
// Thresholds are numbers in any order. The intercept stands for minus one of
// them, the anchor, as in the program of cumulative probabilities.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/steps.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
#include parts/steps_data.stan
  int<lower=1, upper=3> link; // 1 logit, 2 probit, 3 cloglog
}
transformed data {
  int A = C - 2; // thresholds but the anchor
#include parts/steps_rows.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/effects.stan
#include parts/steps_thresholds.stan
}
model {
#include parts/linear_predictor.stan
#include parts/steps_below.stan
  target += ratio_rows(going, stopping, -gap_to, link);
#include parts/steps_priors.stan
#include parts/effects_priors.stan
  target += log_prior_r;
}
