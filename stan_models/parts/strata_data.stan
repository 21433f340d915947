  // Strata of rows that have one residual variance.
  vector[patterns] rows_of; // rows of each, or the sum of their weights
  vector<lower=0>[patterns] known_variance; // squares of standard errors
  matrix[patterns, P - P_mu] X_sigma; // its equation, where it has one
  vector[patterns] known_sigma; // offsets of that
