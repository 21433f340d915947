#include parts/zero_rows.stan
  real base = -dot_product(weight_count, lgamma(y_count + 1));
