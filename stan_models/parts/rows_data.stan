  // Rows, their linear predictors, and the levels of the grouping factors that
  // they belong to.
  int<lower=0> N;
  int<lower=1> predictors;
  array[predictors] int<lower=0> P_of; // coefficients of each, P in all
  int<lower=0> columns_X;
  array[predictors] int<lower=0> X_at; // columns of X before those of each
  matrix[N, columns_X] X; // population designs
  matrix[N, predictors] known; // offsets
#include parts/factors_data.stan
  // Levels that a row has of each factor: one, or several, each with a part;
  // none where it has all of them, a column of a basis each.
  array[M] int<lower=0> levels_of;
  array[sum(levels_of), N] int<lower=1> level;
  int<lower=0> columns_part;
  matrix[N, columns_part] part_Z;
  int<lower=0> columns_basis;
  matrix[N, columns_basis] basis_Z;
  int<lower=0> columns_Z;
  matrix[N, columns_Z] Z; // varying designs, factor after factor
  array[E] int<lower=1, upper=columns_Z> Z_at; // column of each effect
  array[E] int<lower=0, upper=1> constant; // is it all ones?
  array[E] int<lower=1, upper=predictors> predictor_of; // which each enters
  // Columns that are not Z's, but a monotonic effect's of a mean step of one,
  // less an origin: 0: none. Columns of X have their means subtracted.
  array[E] int<lower=0, upper=monotonic> moved_by;
  vector[E] moved_origin;
  int<lower=0, upper=P> moved_b;
  vector[moved_b] moved_mean;
  // That of each parameter that only this family has; 0: it is one number.
  array[own_count] int<lower=0, upper=predictors> own_predictor;
#include parts/missing_data.stan
