// Tweedie response of power between one and two, log link: the sum of a Poisson
// number of gamma amounts, which may be none. Variance phi mean^power.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/tweedie.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  // phi, where it has no equation, and power.
  int A = 1 + (own_predictor[1] == 0);
#include parts/zero_rows.stan
  vector[counts] log_y = log(y_count);
  // power is pushed away from both ends.
  row_vector[3] ends = [1.01, 1.99, 0.196];
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A - 1] phi = exp(theta[(P + 1):(P + A - 1)]);
  vector<lower=1.01, upper=1.99>[1] power
    = [within_bounds(theta[P + A], 3, ends)]';
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[N] phi_n = log_linked(phi, eta, own_predictor[1]);
  target += dot_product(weight[zero],
                        log_nothing(eta[1][zero], phi_n[zero], power[1]));
  target += tweedie_rows(log_y, eta[1][count], phi_n[count], power[1],
                         weight_count);
  target += prior_of_log(phi, own_prior[1], own_par[1]);
  target += coded_lpdf(power[1] | own_prior[2], own_par[2])
            + log_slope_within(theta[P + A], 3, ends);
#include parts/priors.stan
  target += log_prior_r;
}
