#include parts/linear_predictors.stan
  // Missing values enter, and predictors have their laws.
  {
    int done = 0;
    for (i in 1:mi_N) {
      int n = mi_gaps_of[i];
      int p = mi_predictor[i];
      vector[N] x = mi_values[, i];
      if (n) {
        array[n] int lacks = mi_row[(done + 1):(done + n)];
        vector[n] far = mi_away[(done + 1):(done + n)];
        x[lacks] += far;
        for (l in 1:predictors) {
          eta[l][lacks] += far .* slope_into(l, i, done + 1, done + n, b,
                                             mi_of, mi_b, mi_into, mi_unit);
        }
      }
      target += predictor_rows(x, eta[p], mi_sd[i]);
      done += n;
    }
  }
