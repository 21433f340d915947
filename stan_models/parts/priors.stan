  // Priors of every program.
  target += coded_prior(b, b_prior, b_par);
#include parts/effects_priors.stan
