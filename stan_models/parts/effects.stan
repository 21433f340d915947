#include parts/group_effects.stan

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
