// Ordered categories 1 to C: P(y <= c) = F(disc (threshold[c] - eta)),
// cumulative; the discrimination has an equation, or is one.
// Items may have thresholds of their own. The intercept stands for minus one of
// them, the first item's anchor, so that
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
  int<lower=1> item_count;
  array[item_count] int<lower=2> C; // categories of each
  array[item_count] int<lower=1> anchor;
  // Places of the lower bounds of categories, among those of all items: minus
  // infinity, thresholds, infinity; and whether they are lowest 1, highest 2.
  array[N] int<lower=1> y;
  array[N] int<lower=0, upper=2> outermost;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int gaps = sum(C) - 2 * item_count; // between thresholds: their logarithms
  int A = gaps + item_count - 1; // and how far anchors are from the first
  int bounds = sum(C) + item_count;
  array[N] int next; // the upper bound of a category is the lower of the next
  for (n in 1:N) next[n] = y[n] + 1;
  array[bounds] int followed = rep_array(0, bounds); // by a threshold
  {
    int at = 0;
    for (i in 1:item_count) {
      for (c in 2:(C[i] - 1)) followed[at + c] = 1;
      at += C[i] + 1;
    }
  }
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/effects.stan
  vector[sum(C) - item_count] threshold;
  {
    int at = 0;
    int gap = P;
    for (i in 1:item_count) {
      int n = C[i] - 1;
      vector[n] from_first = append_row(0, cumulative_sum(
        exp(theta[(gap + 1):(gap + n - 1)])));
      threshold[(at + 1):(at + n)] = from_first - from_first[anchor[i]] - b[1];
      if (i > 1) threshold[(at + 1):(at + n)] += theta[P + gaps + i - 1];
      at += n;
      gap += n - 1;
    }
  }
}
model {
#include parts/linear_predictor.stan
  // Thresholds as seen from eta, in which the intercept is.
  vector[bounds] bound;
  {
    // Where every row has a discrimination, bounds so far out that nothing is
    // beyond: at infinity there would be no derivative in it.
    real end = own_predictor[2] ? 1e300 : positive_infinity();
    int at = 0;
    int t = 0;
    for (i in 1:item_count) {
      int n = C[i] - 1;
      bound[at + 1] = -end;
      bound[(at + 2):(at + n + 1)] = threshold[(t + 1):(t + n)] + b[1];
      bound[at + n + 2] = end;
      at += n + 2;
      t += n;
    }
  }
  if (!own_predictor[2]) {
    if (link == 1) {
      target += ordinal_logit_rows(y, next, followed, eta[1], bound, weight);
    } else {
      target += ordinal_probit_rows(y, outermost, eta[1], bound, weight);
    }
  } else {
    vector[N] disc = discrimination(eta[own_predictor[2]]);
    if (link == 1) {
      target += ordinal_logit_rows(y, next, eta[1], bound, disc, weight);
    } else {
      target += ordinal_probit_rows(y, outermost, eta[1], bound, disc, weight);
    }
  }
  // The priors of the thresholds take the place of the intercept's.
  target += coded_prior(threshold, rep_array(own_prior[1], size(threshold)),
                        rep_matrix(own_par[1], size(threshold)));
  target += sum(theta[(P + 1):(P + gaps)]);
  target += coded_prior(tail(b, P - 1), tail(b_prior, P - 1),
                        b_par[2:P]);
  target += coded_prior(mean_step, step_prior, step_par) + log_shares;
#include parts/effects_priors.stan
  target += log_prior_r;
}
