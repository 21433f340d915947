  // Priors of every program.
  target += coded_prior(b, b_prior, b_par);
  target += coded_prior(mean_step, step_prior, step_par) + log_shares;
#include parts/effects_priors.stan
