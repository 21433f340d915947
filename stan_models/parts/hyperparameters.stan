  // Natural parameters from the coordinates; A is the number of parameters
  // that only this family has.
  vector[D] theta = center + scale * raw;
  vector[P] b = theta[1:P];
  vector<lower=0>[E] sd = exp(segment(theta, P + A + 1, E));
  matrix[E, E] L = block_cholesky_jacobian(tail(theta, D - P - A - E), block);
