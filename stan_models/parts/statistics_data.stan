  // Rows, as sufficient statistics around the least-squares fit b_hat with
  // residuals e_hat. Groups of equal design Z_j'Z_j are rotated together, so
  // that a row below may stand for a part of several groups.
  real<lower=0> N; // rows, or the sum of their weights
  vector[P] b_hat;
  matrix[P, P] XtX;
  real<lower=0> rss; // e_hat'e_hat
  int<lower=0> J;
  vector<lower=0>[J] groups; // groups whose determinant a row carries
  matrix[J, (E * (E + 1)) %/% 2] ZtZ; // lower triangles, row by row
  matrix[J, E * (1 + P)] ZtR; // for each effect: Z_j'e_hat, then -Z_j'X_j
