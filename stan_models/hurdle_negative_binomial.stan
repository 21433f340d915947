// Hurdle negative binomial response, log link: a zero with probability hu,
// else a count from 1 up.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/negative_binomial.stanfunctions
#include parts/likelihoods/zeros.stanfunctions
#include parts/tails/hurdle_negative_binomial.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/reached_data.stan
#include parts/intervals_data.stan
}
transformed data {
  // shape, hu: those that have no equation.
  int A_1 = own_predictor[1] == 0;
  int A = A_1 + (own_predictor[2] == 0);
#include parts/zero_counts.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A_1] shape = exp(theta[(P + 1):(P + A_1)]);
  vector<lower=0, upper=1>[A - A_1] hu
    = inv_logit(theta[(P + A_1 + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[counts] eta_count = eta[1][count];
  target += base;
  if (predictors == 1 && !rated) {
    target += sum(weight[zero]) * log(hu[1]) + weights * log1m(hu[1])
              + negative_binomial_rows(reached, y_count, eta_count, shape[1],
                                       weight_count);
    target += -log_above_zero(negative_binomial_zero(eta_count, shape[1]),
                              weight_count);
  } else {
    vector[N] shape_row
      = over_time(log_linked(shape, eta, own_predictor[1]), counted_over);
    vector[counts] shape_count = shape_row[count];
    vector[N] logit_hu = logit_of_rows(hu, eta, own_predictor[2]);
    target += dot_product(weight[zero], log_inv_logit(logit_hu[zero]))
              + dot_product(weight_count, log1m_inv_logit(logit_hu[count]))
              + negative_binomial_rows(y_count, eta_count, shape_count,
                                       weight_count);
    target += -log_above_zero(negative_binomial_zero(eta_count, shape_count),
                              weight_count);
  }
  if (N_below + N_above + N_between) {
    array[2] vector[N] own;
    own[1] = over_time(log_linked(shape, eta, own_predictor[1]), counted_over);
    own[2] = logit_of_rows(hu, eta, own_predictor[2]);
#include parts/intervals.stan
  }
  target += prior_of_log(shape, own_prior[1], own_par[1]);
  target += prior_of_logit(hu, own_prior[2], own_par[2]);
#include parts/priors.stan
  target += log_prior_r;
}
