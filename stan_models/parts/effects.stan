  // Group effects: factor after factor, effect after effect, level by level;
  // and their log prior density, in the coordinates that are sampled. Factors
  // come after those that they are nested in.
  vector[K] r;
  real log_prior_r = 0;
  {
    vector[P] d = b - b_hat;
    int done = 0;
    int e = 0;
    int j = 0;
    for (m in 1:M) {
      int n = Q[m] * J[m];
      vector[n + 1] effects = tuned_effects(
        segment(z, done + 1, n),
        ZtWZ[(j + 1):(j + J[m]), 1:((Q[m] * (Q[m] + 1)) %/% 2)],
        ZtWR[(j + 1):(j + J[m]), 1:(Q[m] * (1 + P))],
        diag_pre_multiply(sd[(e + 1):(e + Q[m])],
                          L[(e + 1):(e + Q[m]), (e + 1):(e + Q[m])]),
        d,
        outer_effects(r, m, Q, J, inner, outer, above, ZtWZ_outer));
      r[(done + 1):(done + n)] = head(effects, n);
      log_prior_r += effects[n + 1];
      done += n;
      e += Q[m];
      j += J[m];
    }
  }
