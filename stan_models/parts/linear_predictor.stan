  array[predictors] vector[N] eta;
  {
    int p = 0;
    for (l in 1:predictors) {
      eta[l] = known[, l] + X[, (X_at[l] + 1):(X_at[l] + P_of[l])]
                            * b[(p + 1):(p + P_of[l])];
      p += P_of[l];
    }
    int done = 0;
    int e = 0;
    for (m in 1:M) {
      for (k in 1:Q[m]) {
        e += 1;
        vector[J[m]] u = segment(r, done + 1, J[m]);
        if (constant[e]) eta[predictor_of[e]] += u[level[m]];
        else eta[predictor_of[e]] += u[level[m]] .* Z[, Z_at[e]];
        done += J[m];
      }
    }
  }
