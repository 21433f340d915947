  // Strata of rows that have one residual variance.
  int<lower=0> strata_count;
  vector[strata_count] rows_of; // rows of each, or the sum of their weights
  vector<lower=0>[strata_count] known_variance; // squares of standard errors
  matrix[strata_count, P - P_mu] X_sigma; // its equation, where it has one
  vector[strata_count] known_sigma; // offsets of that
