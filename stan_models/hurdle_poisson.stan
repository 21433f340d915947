// Hurdle Poisson response, log link: a zero with probability hu, else a count
// from 1 up.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/rows_data.stan
  int<lower=1, upper=10> hu_prior;
  row_vector[4] hu_par;
  vector<lower=0>[N] y;
  vector<lower=0>[N] weight; // of each row's log density
}
transformed data {
  int A = 1; // hu
#include parts/zero_counts.stan
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0, upper=1> hu = inv_logit(theta[P + 1]);
#include parts/effects.stan
}
model {
#include parts/linear_predictor.stan
  target += sum(weight[zero]) * log(hu);
  target += base + weights * log1m(hu)
            + dot_product(weight_count,
                          y_count .* eta[count] - exp(eta[count]));
  vector[counts] log_zero = -exp(eta[count]);
  target += -dot_product(weight_count, log1m_exp(log_zero));
  target += coded_lpdf(hu | hu_prior, hu_par) + log(hu) + log1m(hu);
#include parts/priors.stan
  target += log_prior_r;
}
