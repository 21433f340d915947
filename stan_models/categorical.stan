// Unordered categories 1 to C: a softmax of C - 1 linear predictors, and of
// zero for the first category, the reference. Population coefficients, and the
// effects of each factor, are those of category 2, then of 3, and so on.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
  int<lower=2> C;
  // Rows; their linear predictors share the columns of X and Z.
  int<lower=0> N;
  matrix[N, P %/% (C - 1)] X;
#include parts/factors_data.stan
  array[M, N] int<lower=1> level;
  matrix[N, E %/% (C - 1)] Z;
  array[E %/% (C - 1)] int<lower=0, upper=1> constant;
  matrix<lower=0>[N, C - 1] chosen; // weight of the responses in a category
  vector<lower=0>[N] weight; // of all responses of a row
}
transformed data {
  int A = 0;
}
parameters {
#include parts/effect_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
#include parts/effects.stan
}
model {
  vector[N] total = rep_vector(1, N);
  for (c in 1:(C - 1)) {
    int columns_c = P %/% (C - 1);
    vector[N] eta = X * b[((c - 1) * columns_c + 1):(c * columns_c)];
    int done = 0;
    int e = 0;
    for (m in 1:M) {
      int effects_c = Q[m] %/% (C - 1);
      for (k in 1:effects_c) {
        int before = done + ((c - 1) * effects_c + k - 1) * J[m];
        vector[J[m]] u = segment(r, before + 1, J[m]);
        e += 1;
        if (constant[e]) eta += u[level[m]];
        else eta += u[level[m]] .* Z[, e];
      }
      done += Q[m] * J[m];
    }
    target += dot_product(chosen[, c], eta);
    total += exp(eta);
  }
  target += -dot_product(weight, log(total));
#include parts/priors.stan
  target += log_prior_r;
}
