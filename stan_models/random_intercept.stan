// Gaussian response, one grouping factor, the intercept varies. The group
// effects are integrated out exactly: a group of n rows with summed residual
// s has the variance sigma^2 + n sd^2 in the direction of its mean, and
// groups of equal size are rotated together, so that a gradient costs the
// same for a thousand rows and for a million.
functions {
#include parts/functions.stan
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
  vector[J] m = square(sigma) + square(sd[1]) * ZtZ[, 1];
  vector[J] s = ZtR * append_row(1, d);
  real quad = rss + quad_form(XtX, d)
              - square(sd[1]) * sum(square(s) ./ m);
  target += -0.5 * (N * log(2 * pi()) + (N - sum(groups)) * 2 * log(sigma)
                    + dot_product(groups, log(m)) + quad / square(sigma));
  target += coded_lpdf(sigma | sigma_prior, sigma_par) + log(sigma);
#include parts/priors.stan
}
