  // The priors of the thresholds take the place of the intercept's.
  target += coded_prior(threshold, rep_array(own_prior[1], C - 1),
                        rep_matrix(own_par[1], C - 1));
  target += coded_prior(tail(b, P - 1), tail(b_prior, P - 1),
                        b_par[2:P]);
  target += coded_prior(mean_step, step_prior, step_par) + log_shares;
