  // Rows, and the levels of the grouping factors they belong to.
  int<lower=0> N;
  matrix[N, P] X; // population design
  vector[N] known; // offset
#include parts/factors_data.stan
  array[M, N] int<lower=1> level;
  matrix[N, E] Z; // varying designs, factor after factor
  array[E] int<lower=0, upper=1> constant; // is the column of Z all ones?
