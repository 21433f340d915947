  // The factor whose effects are integrated out; its sds come last.
  int<lower=1> Q_in;
  int<lower=0> J_in;

  // Rows, as sums around a pilot, which leaves residuals e_hat: b_hat, the
  // effects sampled_hat, and effects_hat, those that aren't sampled. X are the
  // columns of the population, W those of all sampled effects, in the order of
  // z, Z_j those of a level of the last factor.
  real N; // rows, or the sum of their weights
  real<lower=0> rss; // e_hat'e_hat
  vector[K] sampled_hat;
  matrix[J_in, Q_in] effects_hat;
  vector[P] Xte; // X'e_hat
  vector[K] Wte;
  matrix[P, P] XtX;
  matrix[K, P] WtX;
  // W'W: its diagonal, and the entries below it that aren't zero.
  vector[K] WtW_diagonal;
  int<lower=0> W_entries;
  vector[W_entries] WtW;
  array[W_entries] int<lower=1, upper=K> WtW_row;
  array[W_entries] int<lower=1, upper=K> WtW_column;
  // Of each level of the last factor Z_j'Z_j, lower triangles row by row; for
  // each effect Z_j'e_hat, then -Z_j'X_j; and entries of Z_j'W that aren't
  // zero, see `integrated`.
  matrix[J_in, (Q_in * (Q_in + 1)) %/% 2] ZtZ;
  matrix[J_in, Q_in * (1 + P)] ZtR;
  int<lower=0> W_products;
  matrix[W_products, Q_in] ZtW;
  array[W_products] int<lower=1, upper=K> W_column;
  int<lower=0> W_listed;
  array[W_listed] int<lower=1, upper=W_products> W_entry;
  int<lower=0> W_ranks;
  array[W_ranks] int<lower=1> W_of_rank;
