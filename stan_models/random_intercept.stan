// Gaussian response, one grouping factor, the intercept varies. The group
// effects are integrated out exactly: a group of n rows has the variance
// sigma^2 + n sd^2 in the direction of its mean and sigma^2 in all others, and
// groups of equal size are rotated together, so that a gradient costs the
// same for a thousand rows and for a million.
functions {
#include parts/functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/statistics_data.stan
}
transformed data {
  int A = 1; // sigma
  vector[J] n = square(R[, 1]); // rows of a group
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
  vector[J] m = 1 + square(sd[1] / sigma) * n;
  vector[J] s = QtR * append_row(1, d);
  target += -0.5 * (N * (log(2 * pi()) + 2 * log(sigma))
                    + dot_product(groups, log(m))
                    + (rss + quad_form(XtX, d) + sum(square(s) ./ m))
                      / square(sigma));
  target += coded_lpdf(sigma | own_prior[1], own_par[1]) + log(sigma);
#include parts/priors.stan
}
