// Gaussian response, one grouping factor, any number of varying coefficients,
// correlated or not. The group effects are integrated out exactly: with
// Lambda = diag(sd) L, M_j = sigma^2 I + Lambda' Z_j'Z_j Lambda and
// e = y - X b, only Z_j'Z_j, Z_j'X_j, Z_j'e, X'X and e'e enter, so that a
// gradient costs the same for a thousand rows and for a million.
functions {
#include parts/functions.stan
#include parts/group_functions.stan
}
data {
#include parts/coordinates_data.stan
#include parts/gaussian_data.stan
#include parts/statistics_data.stan
}
transformed data {
  int A = 1; // sigma
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
  matrix[E, E] Lambda = diag_pre_multiply(sd, L);
  array[E, E] vector[J] F = group_factors(ZtZ, Lambda, square(sigma));
  array[E] vector[J] h = group_solve(F, ZtR, Lambda, d);
  vector[J] det = rep_vector(1, J);
  real quad = rss + quad_form(XtX, d);
  for (a in 1:E) {
    det = a == 1 ? F[a, a] : det .* F[a, a];
    quad -= dot_product(h[a], h[a] ./ F[a, a]);
  }
  target += -0.5 * (N * log(2 * pi()) + (N - sum(groups) * E) * 2 * log(sigma)
                    + dot_product(groups, log(det)) + quad / square(sigma));
  // Below zero by rounding only, where sds are many orders of magnitude above
  // sigma: rejected.
  if (!(quad >= 0 && min(det) > 0)) target += negative_infinity();
  target += coded_lpdf(sigma | sigma_prior, sigma_par) + log(sigma);
#include parts/priors.stan
}
