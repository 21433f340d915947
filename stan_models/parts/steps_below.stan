  // How far each linear predictor, in which the intercept is, lies below each
  // threshold.
  matrix[N, C - 1] gap_to;
  for (c in 1:(C - 1)) {
    vector[N] at = threshold[c] + b[1] - eta[1];
    if (specific[c]) at += -eta[specific[c]];
    if (own_predictor[2]) at = at .* discrimination(eta[own_predictor[2]]);
    gap_to[, c] = at;
  }
