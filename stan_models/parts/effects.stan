  // Group effects: factor after factor, effect after effect, level by level.
  vector[K] r;
  {
    vector[P] d = b - b_hat;
    int done = 0;
    int e = 0;
    int j = 0;
    for (m in 1:M) {
      int n = Q[m] * J[m];
      r[(done + 1):(done + n)] = tuned_effects_jacobian(
        segment(z, done + 1, n),
        ZtWZ[(j + 1):(j + J[m]), 1:((Q[m] * (Q[m] + 1)) %/% 2)],
        ZtWR[(j + 1):(j + J[m]), 1:(Q[m] * (1 + P))],
        diag_pre_multiply(sd[(e + 1):(e + Q[m])],
                          L[(e + 1):(e + Q[m]), (e + 1):(e + Q[m])]),
        d);
      done += n;
      e += Q[m];
      j += J[m];
    }
  }
