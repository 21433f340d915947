  // The sampler moves in standardised coordinates: theta = center + scale raw
  // holds the population coefficients, then the family's own parameters, log
  // residual sds of predictors with missing values, log spreads, and the
  // unconstrained correlations of the group effects.
  int<lower=1> D;
  vector[D] center;
  matrix[D, D] scale;
  int<lower=0> P; // population coefficients, the intercept first
  int<lower=0> E; // varying coefficients, of all grouping factors
  int<lower=0> B; // blocks of correlated coefficients
  array[B] int<lower=1> block; // sizes of the blocks, E in all
  // Factors whose effects have Student's t distribution: logarithms of their
  // degrees of freedom less one come after the correlations in theta.
  int<lower=0> tails;

  // Spreads: sds, which effects may share, and the lengthscales by which the
  // sd of an effect falls off with its frequency; 0: it doesn't.
  int<lower=0> S;
  array[E] int<lower=1, upper=S> sd_of;
  array[E] int<lower=0, upper=S> length_of;
  vector<lower=0>[E] frequency;

  // Log spreads whose posterior runs on towards zero are bent downwards: by
  // how much, and the sd of each in these coordinates.
  vector<lower=0>[S] sd_bend;
  vector<lower=0>[S] sd_spread;

  // The first coordinates of b have a scale that follows the sds: that of the
  // covariance (hold + (rest + reach Lambda Lambda' reach')^-1)^-1, Lambda =
  // diag(sd) L, which is the identity where sd = exp(center).
  int<lower=0, upper=P> followers;
  matrix[followers, followers] rest; // without group effects
  matrix[followers, E] reach; // by the group effects
  matrix[followers, followers] hold; // precision of the priors

  // Coefficients that their priors bound: below, above, both; lower and upper
  // bound, and the width over which they are pushed away from these.
  int<lower=0, upper=P> limited;
  array[limited] int<lower=1, upper=P> limited_b;
  array[limited] int<lower=1, upper=3> sides;
  matrix[limited, 3] bound_par;

  // Slopes whose prior sds are parameters, by a prior of a kind: 0 none. Its
  // parameters come last in theta; sds are counted in units, and in the own
  // parameter of the family at a place where that is not 0. What the rows say
  // of all coefficients tunes them: a precision, and that times where they are.
  int<lower=0, upper=2> shrunk_by;
  int<lower=0, upper=P> shrunk;
  int<lower=0> locals;
  array[shrunk] int<lower=1, upper=P> shrunk_b;
  vector<lower=0>[shrunk] shrunk_unit;
  int<lower=0> unit_own;
  vector[5] shrinkage_par;
  int<lower=0, upper=P> told_P;
  matrix[told_P, told_P] told;
  vector[told_P] told_at; // from the locations of the priors
  vector[told_P] b_origin;
  vector<lower=0>[told_P] b_width; // scales of the priors of other coefficients

  // Monotonic effects: coefficients of consecutive columns, the steps, are
  // a mean step b times their number times shares that add up to one. In the
  // place of the first stands b, in those of the others the logarithms of the
  // other shares over the first; nothing, standard normals, where the shares
  // are those of another effect.
  int<lower=0> monotonic;
  array[monotonic] int<lower=1, upper=P> steps_at;
  array[monotonic] int<lower=1, upper=P> steps;
  array[monotonic] int<lower=1, upper=10> step_prior;
  matrix[monotonic, 4] step_par;
  array[monotonic] int<lower=1, upper=monotonic> shares_of; // own, or before
  vector<lower=0>[sum(steps)] share_shape; // of the Dirichlet priors of shares

  // Priors, coded as in coded_lpdf.
  array[P] int<lower=0, upper=10> b_prior; // 0: shrunk
  matrix[P, 4] b_par;
  array[S] int<lower=1, upper=10> sd_prior;
  matrix[S, 4] sd_par;
  vector<lower=0>[B] lkj; // LKJ shape of each block
  array[tails] int<lower=1, upper=10> df_prior;
  matrix[tails, 4] df_par;
  int<lower=0> mi_N; // predictors with missing values: residual sds
  array[mi_N] int<lower=1, upper=10> mi_prior;
  matrix[mi_N, 4] mi_par;
  int<lower=0> own_count; // parameters that only this family has
  array[own_count] int<lower=1, upper=10> own_prior;
  matrix[own_count, 4] own_par;
