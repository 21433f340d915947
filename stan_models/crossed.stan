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
  int<lower=0, upper=1> A; // sigma; none where variances are weights alone
}
parameters {
#include parts/raw_parameters.stan
  vector[K] z;
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] sigma = exp(theta[(P + 1):(P + A)]);
#include parts/group_effects.stan
}
model {
  real s = A ? sigma[1] : 1;
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
    = diag_pre_multiply(sd[first:E] / s, L[first:E, first:E]);
  quad += integrated(group_factors(ZtZ, Lambda, last[first:E], 1), ZtZ, ZtR,
                     ZtW, W_column, W_entry, W_of_rank, effects_hat, Lambda,
                     last[first:E], d, delta, square(s));
  target += -0.5 * (N * (log(2 * pi()) + 2 * log(s)) + quad / square(s));
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
#include parts/priors.stan
  target += log_prior_r;
}
