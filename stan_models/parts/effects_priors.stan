  // b comes with the Jacobians of its scale and of its bounds.
  target += log_width;
  if (shrunk) {
    target += normal_lpdf(b[shrunk_b] | 0, b_sd);
    target += shrinkage_prior(local, shrunk_by, shrinkage_par, shrunk);
    // Beyond what numbers hold; zero elsewhere.
    target += -dot_self(theta[(D - locals + 1):D] - local);
  }
  // Spreads come with the Jacobians of their logarithms and of the bend.
  target += coded_prior(spread, sd_prior, sd_par) + sum(log(spread));
  target += sum(log1p(sd_bend ./ sd_spread .* below .* -expm1(-below)));
  target += coded_prior(mi_sd, mi_prior, mi_par) + sum(log(mi_sd));
  target += block_lkj(L, block, lkj);
  target += coded_prior(df, df_prior, df_par) + sum(log(df - 1));
