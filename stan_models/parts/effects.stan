  // Group effects: factor after factor, effect after effect, level by level;
  // and their log prior density, in the coordinates that are sampled. Factors
  // come after those that they are nested in. Until here, b has in it what
  // the levels of factors that are apart have in common.
  vector[K] r;
  real log_prior_r = 0;
  {
    vector[P] d = b - b_hat;
    vector[K] relative; // effects less what is in b
    int done = 0;
    int e = 0;
    int j = 0;
    int i = 0;
    int t = 0;
    for (m in 1:M) {
      int n = Q[m] * J[m];
      vector[n + 1 + Q[m]] effects = rep_vector(0, n + 1 + Q[m]);
      if (J[m] == 1) {
        effects[1:(n + 1)] = tuned_whole(
          segment(z, done + 1, n),
          ZtWZ[j + 1, 1:((Q[m] * (Q[m] + 1)) %/% 2)],
          ZtWR[j + 1, 1:(Q[m] * (1 + P))], sd[(e + 1):(e + Q[m])], d);
      } else {
        effects = tuned_effects(
          segment(z, done + 1, n),
          ZtWZ[(j + 1):(j + J[m]), 1:((Q[m] * (Q[m] + 1)) %/% 2)],
          ZtWR[(j + 1):(j + J[m]), 1:(Q[m] * (1 + P))],
          diag_pre_multiply(sd[(e + 1):(e + Q[m])],
                            L[(e + 1):(e + Q[m]), (e + 1):(e + Q[m])]),
          last[(e + 1):(e + Q[m])], d,
          outer_effects(relative, m, Q, J, inner, outer, above, ZtWZ_outer),
          share[(j + 1):(j + apart[m] * J[m])], extent[m],
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

  // Missing values less those that X has, in coordinates in which they are
  // standard normal given everything else, as far as the quick fit knows it.
  vector[mi_gaps] mi_away;
  if (mi_gaps) {
#include parts/linear_predictors.stan
    int done = 0;
    for (i in 1:mi_N) {
      int n = mi_gaps_of[i];
      if (n) {
        array[n] int lacks = mi_row[(done + 1):(done + n)];
        real own_weight = inv_square(mi_sd[i]);
        vector[n] slope = slope_into(1, i, done + 1, done + n, b, mi_of, mi_b,
                                     mi_into, mi_unit);
        vector[n] pulled = slope .* mi_weight[(done + 1):(done + n)];
        vector[n] root = sqrt(own_weight + pulled .* slope);
        vector[n] far
          = ((own_weight * (eta[mi_predictor[i]][lacks] - mi_values[lacks, i])
              + pulled .* (mi_working[(done + 1):(done + n)] - eta[1][lacks]))
             ./ root + z[(K + done + 1):(K + done + n)]) ./ root;
        mi_away[(done + 1):(done + n)] = far;
        log_prior_r -= sum(log(root));
        for (l in 1:predictors) {
          eta[l][lacks] += far .* slope_into(l, i, done + 1, done + n, b,
                                             mi_of, mi_b, mi_into, mi_unit);
        }
      }
      done += n;
    }
  }
