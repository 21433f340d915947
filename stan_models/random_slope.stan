// Gaussian response, one grouping factor, any number of varying coefficients,
// correlated or not. The group effects are integrated out exactly: with
// Z_j = Q_j R_j, Lambda = diag(sd) L and e = y - X b, a group has the
// covariance V_j = sigma^2 I + R_j Lambda Lambda' R_j' in the coordinates Q_j
// and sigma^2 I in all others, so that a gradient costs the same for a
// thousand rows and for a million, and only squares are added up, however far
// apart the groups are.
functions {
#include parts/functions.stanfunctions
#include parts/integrated_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/statistics_data.stan
}
transformed data {
  int A = 1; // sigma
  vector[E == 2 ? J : 0] R_33;
  if (E == 2) R_33 = square(R[, 3]);
}
parameters {
#include parts/raw_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> sigma = exp(theta[P + 1]);
}
model {
  vector[P] d = b - b_hat;
  matrix[E, E] Lambda = diag_pre_multiply(sd / sigma, L);
  real log_det = 0;
  real quad = rss + quad_form(XtX, d);
  if (E == 2) {
    matrix[2, 2] root = two_root(Lambda, order);
    vector[2] found = of_two_effects(groups, R, R_33, QtR, root, d);
    log_det += found[1];
    quad += found[2];
  } else {
    array[E, E] vector[J] F
      = covariance_factors(R, Lambda, order, entry_first, entry_last);
    array[E] vector[J] h = whitened(F, QtR, d);
    vector[J] det;
    for (a in 1:E) {
      // The logarithm of four at a time: none is below one.
      det = a % 4 == 1 ? F[a, a] : det .* F[a, a];
      if (a % 4 == 0 || a == E) log_det += sum_of_logs(groups, det);
      quad += dot_product(h[a], h[a] ./ F[a, a]);
    }
  }
  target += -0.5 * (N * (log(2 * pi()) + 2 * log(sigma)) + log_det
                    + quad / square(sigma));
  target += coded_lpdf(sigma | own_prior[1], own_par[1]) + log(sigma);
#include parts/priors.stan
}
