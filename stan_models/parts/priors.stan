  // Priors of every program; sd comes with the Jacobian of its logarithm.
  target += coded_prior(b, b_prior, b_par);
  target += coded_prior(sd, sd_prior, sd_par) + sum(log(sd));
  target += block_lkj(L, block, lkj);
