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
    int l = 0;
    int parts = 0;
    int bases = 0;
    for (m in 1:M) {
      if (J[m] == 1) { // of all rows, on columns that follow each other
        eta[predictor_of[e + 1]]
          += Z[, Z_at[e + 1]:Z_at[e + Q[m]]] * segment(r, done + 1, Q[m]);
        done += Q[m];
        e += Q[m];
      } else for (k in 1:Q[m]) {
        e += 1;
        vector[J[m]] u = segment(r, done + 1, J[m]);
        if (levels_of[m] == 1) {
          if (constant[e]) eta[predictor_of[e]] += u[level[l + 1]];
          else if (moved_by[e]) {
            eta[predictor_of[e]] += u[level[l + 1]] .* moved_column(
              X, predictor_of[e], X_at, P_of, steps_at[moved_by[e]],
              steps[moved_by[e]], unit_step, moved_mean, moved_origin[e]);
          } else eta[predictor_of[e]] += u[level[l + 1]] .* Z[, Z_at[e]];
        } else {
          vector[N] added = rep_vector(0, N);
          for (i in 1:levels_of[m]) {
            added += u[level[l + i]] .* part_Z[, parts + i];
          }
          if (levels_of[m] > 1) parts += levels_of[m];
          if (levels_of[m] == 0) {
            added = basis_Z[, (bases + 1):(bases + J[m])] * u;
          }
          if (moved_by[e]) {
            added = added .* moved_column(
              X, predictor_of[e], X_at, P_of, steps_at[moved_by[e]],
              steps[moved_by[e]], unit_step, moved_mean, moved_origin[e]);
          } else if (!constant[e]) added = added .* Z[, Z_at[e]];
          eta[predictor_of[e]] += added;
        }
        done += J[m];
      }
      l += levels_of[m];
      if (levels_of[m] == 0) bases += J[m];
    }
  }
