// Log density of each row under a custom family, as the gradient of the target:
// what its numpy functions are checked against. See custom.stan.
functions {
#include parts/custom/likelihood.stanfunctions
}
data {
  int<lower=0> N;
#include parts/custom/response.stan
  int<lower=1> own_count;
  matrix[N, own_count] own_values; // parameters of each row
}
parameters {
  vector[N] raw;
}
model {
#include parts/custom/densities.stan
}
