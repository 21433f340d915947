  // b comes with the Jacobians of its scale and of its bounds.
  target += log_width;
  // sd comes with the Jacobians of its logarithm and of the bend.
  target += coded_prior(sd, sd_prior, sd_par) + sum(log(sd));
  target += sum(log1p(sd_bend ./ sd_spread .* below .* -expm1(-below)));
  target += block_lkj(L, block, lkj);
