// Beta response, logit link, or, with probability zoi, a one (of probability
// coi) or a zero.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/likelihoods/beta.stanfunctions
#include parts/tails/zero_one_inflated_beta.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  vector<lower=0, upper=1>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
#include parts/intervals_data.stan
}
transformed data {
  // phi, zoi, coi: those that have no equation.
  int A_1 = own_predictor[1] == 0;
  int A_2 = A_1 + (own_predictor[2] == 0);
  int A = A_2 + (own_predictor[3] == 0);
  vector[N] is_one;
  vector[N] is_zero;
  array[N] int row;
  int insides = 0;
  for (n in 1:N) {
    is_one[n] = y[n] == 1;
    is_zero[n] = y[n] == 0;
    if (y[n] > 0 && y[n] < 1) {
      insides += 1;
      row[insides] = n;
    }
  }
  array[insides] int inside = head(row, insides);
  vector[insides] y_inside = y[inside];
  vector[insides] weight_inside = weight[inside];
  vector[N] weight_one = weight .* is_one;
  vector[N] weight_zero = weight .* is_zero;
  real base = -dot_product(weight_inside, log(y_inside) + log1m(y_inside));
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A_1] phi = exp(theta[(P + 1):(P + A_1)]);
  vector<lower=0, upper=1>[A_2 - A_1] zoi
    = inv_logit(theta[(P + A_1 + 1):(P + A_2)]);
  vector<lower=0, upper=1>[A - A_2] coi
    = inv_logit(theta[(P + A_2 + 1):(P + A)]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  vector[N] logit_zoi = logit_of_rows(zoi, eta, own_predictor[2]);
  vector[N] logit_coi = logit_of_rows(coi, eta, own_predictor[3]);
  target += base
            + dot_product(weight_one + weight_zero, log_inv_logit(logit_zoi))
            + dot_product(weight_inside, log1m_inv_logit(logit_zoi[inside]))
            + dot_product(weight_one, log_inv_logit(logit_coi))
            + dot_product(weight_zero, log1m_inv_logit(logit_coi))
            + beta_rows(y_inside, eta[1][inside],
                        log_linked(phi, eta, own_predictor[1])[inside],
                        weight_inside);
  if (N_below + N_above + N_between) {
    array[3] vector[N] own;
    own[1] = log_linked(phi, eta, own_predictor[1]);
    own[2] = logit_zoi;
    own[3] = logit_coi;
#include parts/intervals.stan
  }
  target += prior_of_log(phi, own_prior[1], own_par[1]);
  target += prior_of_logit(zoi, own_prior[2], own_par[2]);
  target += prior_of_logit(coi, own_prior[3], own_par[3]);
#include parts/priors.stan
  target += log_prior_r;
}
