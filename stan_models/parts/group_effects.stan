  // Group effects: factor after factor, effect after effect, level by level;
  // and their log prior density, in the coordinates that are sampled. Factors
  // come after those that they are nested in. Until here, b has in it what
  // the levels of factors that are apart have in common.
  vector[K] r;
  real log_prior_r = 0;
  {
    vector[P] d = b - b_hat;
    vector[own_moving] away = theta[(P + 1):(P + own_moving)]
                              - center[(P + 1):(P + own_moving)];
    vector[own_weighing] weighing = theta[(P + 1):(P + own_weighing)]
                                    - center[(P + 1):(P + own_weighing)];
    vector[K] relative; // effects less what is in b
    int done = 0;
    int e = 0;
    int j = 0;
    int i = 0;
    int t = 0;
    for (m in 1:M) {
      int n = Q[m] * J[m];
      // Within what squares and products of it hold.
      real grown = 1;
      if (own_weighing) {
        grown = exp(fmin(fmax(weight_by_own[m] * weighing, -50), 50));
      }
      vector[n + 1 + Q[m]] effects = rep_vector(0, n + 1 + Q[m]);
      if (J[m] == 1) {
        effects[1:(n + 1)] = tuned_whole(
          segment(z, done + 1, n),
          ZtWZ[j + 1, 1:((Q[m] * (Q[m] + 1)) %/% 2)],
          ZtWR[j + 1, 1:(Q[m] * (1 + P))], sd[(e + 1):(e + Q[m])], d,
          along_own[j + 1, 1:(Q[m] * own_moving)], away, grown);
      } else {
        effects = tuned_effects(
          segment(z, done + 1, n),
          ZtWZ[(j + 1):(j + J[m]), 1:((Q[m] * (Q[m] + 1)) %/% 2)],
          ZtWR[(j + 1):(j + J[m]), 1:(Q[m] * (1 + P))],
          diag_pre_multiply(sd[(e + 1):(e + Q[m])],
                            L[(e + 1):(e + Q[m]), (e + 1):(e + Q[m])]),
          last[(e + 1):(e + Q[m])], d,
          less_along(
            outer_effects(relative, m, Q, J, inner, outer, above, ZtWZ_outer),
            along_own[(j + 1):(j + J[m]), 1:(Q[m] * own_moving)], away),
          grown, share[(j + 1):(j + apart[m] * J[m])], extent[m],
          heavy[m], df[(t + 1):(t + heavy[m])]);
      }
      t += heavy[m];
      if (related[m]) {
        r[(done + 1):(done + n)]
          = to_vector(related_root[(i + 1):(i + J[m]), 1:J[m]]
                      * to_matrix(head(effects, n), J[m], Q[m]));
        i += J[m];
      } else {
        r[(done + 1):(done + n)] = head(effects, n);
      }
      if (pairs) relative[(done + 1):(done + n)] = head(effects, n);
      if (apart[m]) {
        vector[Q[m]] mean = tail(effects, Q[m]);
        b -= column[, (e + 1):(e + Q[m])] * mean;
        if (pairs) {
          relative[(done + 1):(done + n)]
            -= to_vector(rep_matrix(mean', J[m]));
        }
      }
      log_prior_r += effects[n + 1];
      done += n;
      e += Q[m];
      j += J[m];
    }
  }
