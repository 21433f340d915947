// Gaussian response, factors crossed with each other, any number of varying
// coefficients in each, correlated or not. The group effects of the last
// factor, that of most levels, are integrated out exactly, those of the others
// are sampled. Rows enter as sums over levels and pairs of levels alone.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/crossed_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/factors_data.stan
#include parts/pairs_data.stan
}
transformed data {
  int A = 1; // sigma
}
parameters {
#include parts/raw_parameters.stan
  vector[K] z;
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> sigma = exp(theta[P + 1]);
#include parts/group_effects.stan
}
model {
  int first = E - Q_in + 1;
  vector[P] d = b - b_hat;
  vector[K] delta = r - sampled_hat;
  // Sums of squares of e = e_hat - X d - W delta.
  real quad = rss - 2 * (dot_product(Xte, d) + dot_product(Wte, delta))
              + quad_form(XtX, d)
              + dot_product(delta, 2 * (WtX * d)
                                   + delta .* WtW_diagonal)
              + 2 * dot_product(delta[WtW_row], WtW .* delta[WtW_column]);
  matrix[Q_in, Q_in] Lambda
    = diag_pre_multiply(sd[first:E] / sigma, L[first:E, first:E]);
  quad += integrated(group_factors(ZtZ, Lambda, last[first:E], 1), ZtZ, ZtR,
                     ZtW, W_column, W_entry, W_of_rank, effects_hat, Lambda,
                     last[first:E], d, delta, square(sigma));
  target += -0.5 * (N * (log(2 * pi()) + 2 * log(sigma))
                    + quad / square(sigma));
  target += coded_lpdf(sigma | own_prior[1], own_par[1]) + log(sigma);
#include parts/priors.stan
  target += log_prior_r;
}
