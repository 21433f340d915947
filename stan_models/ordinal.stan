// Ordered categories 1 to C: P(y <= c) = F(threshold[c] - eta), cumulative.
// The intercept stands for minus the first threshold, so that group effects
// and population coefficients are centred around it as in every program.
functions {
#include parts/functions.stan
#include parts/group_functions.stan
#include parts/normal_functions.stan
  /** Log of Phi(u) - Phi(l), l < u; either may be infinite. */
  real log_Phi_difference(real u, real l) {
    if (is_inf(u)) return log_Phi(-l);
    if (is_inf(l)) return log_Phi(u);
    // Both in the lower tail, where the difference is exact.
    real high = log_Phi(l > 0 ? -l : u);
    real low = log_Phi(l > 0 ? -u : l);
    return high + log1m_exp(low - high);
  }
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  int<lower=1, upper=2> link; // 1 logit, 2 probit
  int<lower=2> C;
  array[N] int<lower=1, upper=C> y;
  vector<lower=0>[N] weight; // of each row's log density
  int<lower=1, upper=10> threshold_prior; // of every threshold
  row_vector[4] threshold_par;
}
transformed data {
  int A = C - 2; // logs of the gaps between thresholds
  array[N] int below = y;
  array[N] int above;
  for (n in 1:N) above[n] = y[n] + 1;
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector[C - 1] threshold = -b[1] + append_row(0, cumulative_sum(
    exp(segment(theta, P + 1, C - 2))));
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  // Bounds of the categories, from minus to plus infinity.
  vector[C + 1] bound = append_row(append_row(negative_infinity(),
                                              threshold + b[1]),
                                   positive_infinity());
  if (link == 1) {
    // F(u) - F(l) = F(u) F(-l) (1 - exp(l - u))
    vector[C] log_gap = rep_vector(0, C);
    for (c in 2:(C - 1)) log_gap[c] = log1m_exp(bound[c] - bound[c + 1]);
    target += dot_product(weight, log_gap[y] - log1p_exp(eta - bound[above])
                                  - log1p_exp(bound[below] - eta));
  } else {
    for (n in 1:N) {
      target += weight[n] * log_Phi_difference(bound[above[n]] - eta[n],
                                               bound[below[n]] - eta[n]);
    }
  }
  // The priors of the thresholds take the place of the intercept's.
  for (c in 1:(C - 1)) {
    target += coded_lpdf(threshold[c] | threshold_prior, threshold_par);
  }
  target += sum(segment(theta, P + 1, C - 2));
  target += coded_prior(tail(b, P - 1), tail(b_prior, P - 1),
                        b_par[2:P]);
  target += coded_prior(sd, sd_prior, sd_par) + sum(log(sd));
  target += block_lkj(L, block, lkj);
  target += log_prior_r;
}
