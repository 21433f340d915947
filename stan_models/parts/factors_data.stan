  // Grouping factors.
  int<lower=0> M;
  array[M] int<lower=1> Q; // varying coefficients of each, E in all
  array[M] int<lower=1> J; // levels of each
  array[E] int<lower=1> last; // effect of its bar, counted in its factor
  array[M] int<lower=0, upper=1> heavy; // effects that are t-distributed

  // Levels that are related: their effects are root times those of as many
  // independent ones, which are sampled. One row a level, factor below factor.
  array[M] int<lower=0, upper=1> related;
  int<lower=0> related_levels;
  int<lower=0> relatives;
  matrix[related_levels, relatives] related_root;

  // The data-tuned parameterisation: statistics of a penalised fit with
  // weights w, around b_hat. One row a level, factor below factor; factors
  // with fewer effects leave the last columns empty.
  int<lower=0> K; // group effects, sum of J times Q
  vector[P] b_hat;
  int<lower=0> cells;
  matrix[sum(J), cells] ZtWZ;
  int<lower=0> columns;
  matrix[sum(J), columns] ZtWR;
  // How Z'w e_hat of each effect moves with the parameters that only this
  // family has, from their center; or no columns.
  int<lower=0> own_moving;
  int<lower=0> own_columns;
  matrix[sum(J), own_columns] along_own;
  // How the logarithm of the weights of each factor moves with these; or no
  // columns.
  int<lower=0> own_weighing;
  matrix[M, own_weighing] weight_by_own;

  // What the levels of a factor have in common can't be told from the
  // population. Where apart, it has a coordinate of its own, and the
  // population coefficients are sampled as they are with it.
  array[M] int<lower=0, upper=1> apart;
  vector[sum(J)] share; // of each level in common, a unit vector a factor
  vector[M] extent; // what is in common of the rows, for one unit of it
  matrix[P, E] column; // X column = Z

  // Nested factors: pairs of an inner and an outer one, which comes before
  // it. One row a level of the inner factor, pair below pair.
  int<lower=0> pairs;
  array[pairs] int<lower=1, upper=M> inner;
  array[pairs] int<lower=1, upper=M> outer;
  int<lower=0> members; // levels of the inner factors
  array[members] int<lower=1> above; // level of the outer factor
  int<lower=0> crosses;
  matrix[members, crosses] ZtWZ_outer; // Z_inner'w Z_outer, row by row
