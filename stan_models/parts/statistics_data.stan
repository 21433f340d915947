  // Rows, as sufficient statistics around b_hat, the least-squares fit to what
  // lies within groups: with Z_j = Q_j R_j what Z_j leaves of residuals e_hat
  // and X, and what it doesn't, in the coordinates Q_j. Groups of equal design
  // are rotated together, so that a row below may stand for a part of several.
  real<lower=0> N; // rows, or the sum of their weights
  vector[P] b_hat;
  matrix[P, P] XtX; // within groups
  real<lower=0> rss; // e_hat'e_hat within groups
  int<lower=0> J;
  vector<lower=0>[J] groups; // groups whose determinant a row carries
  array[E] int<lower=1, upper=E> order; // of the columns of Z_j
  array[E, E] int<lower=1, upper=E> entry_first; // see covariance_factors
  array[E, E] int<lower=1, upper=E> entry_last;
  matrix[J, (E * (E + 1)) %/% 2] R; // lower triangles, row by row
  matrix[J, E * (1 + P)] QtR; // for each effect: Q_j'e_hat, then -Q_j'X_j
