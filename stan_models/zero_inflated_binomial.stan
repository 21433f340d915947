// Zero-inflated binomial response, logit link: with probability zi a zero that
// is no count of successes.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/zeros.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y; // successes
  vector<lower=0>[N] trials;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = own_predictor[1] == 0; // zi, where it has no equation
#include parts/zero_rows.stan
  vector[counts] trials_count = trials[count];
  real base = dot_product(weight_count, lgamma(trials_count + 1)
                                        - lgamma(y_count + 1)
                                        - lgamma(trials_count - y_count + 1));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0, upper=1>[A] zi = inv_logit(theta[(P + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[N] logit_zi = logit_of_rows(zi, eta, own_predictor[1]);
  vector[counts] eta_count = eta[1][count];
  target += base
            + inflated_zeros(-trials[zero] .* log1p_exp(eta[1][zero]),
                             logit_zi[zero], weight[zero])
            + dot_product(weight_count, log1m_inv_logit(logit_zi[count])
                                        + y_count .* eta_count
                                        - trials_count
                                          .* log1p_exp(eta_count));
  target += prior_of_logit(zi, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
