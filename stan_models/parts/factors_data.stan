  // Grouping factors.
  int<lower=0> M;
  array[M] int<lower=1> Q; // varying coefficients of each, E in all
  array[M] int<lower=1> J; // levels of each

  // The data-tuned parameterisation: statistics of a penalised fit with
  // weights w, around b_hat. One row a level, factor below factor; factors
  // with fewer effects leave the last columns empty.
  int<lower=0> K; // group effects, sum of J times Q
  vector[P] b_hat;
  int<lower=0> cells;
  matrix[sum(J), cells] ZtWZ;
  int<lower=0> columns;
  matrix[sum(J), columns] ZtWR;

  // Nested factors: pairs of an inner and an outer one, which comes before
  // it. One row a level of the inner factor, pair below pair.
  int<lower=0> pairs;
  array[pairs] int<lower=1, upper=M> inner;
  array[pairs] int<lower=1, upper=M> outer;
  int<lower=0> members; // levels of the inner factors
  array[members] int<lower=1> above; // level of the outer factor
  int<lower=0> crosses;
  matrix[members, crosses] ZtWZ_outer; // Z_inner'w Z_outer, row by row
