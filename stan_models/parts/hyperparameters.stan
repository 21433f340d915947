  // Natural parameters from the coordinates; A is the number of parameters
  // that only this family has.
  vector[D] theta = center + scale * raw;
  vector[P] b = theta[1:P];
  vector[E] below = log1p_exp((center - theta)[(P + A + 1):(P + A + E)]
                              ./ sd_spread);
  vector<lower=0>[E] sd = exp(theta[(P + A + 1):(P + A + E)]
                              - 0.5 * sd_bend .* square(below));
  matrix[E, E] L = block_cholesky_jacobian(theta[(P + A + E + 1):D], block);
