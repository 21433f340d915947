  // Rows of correlated residuals: each pattern of their precision is a part of
  // one of the inverse of the correlations, of rows of two strata.
  int<lower=0> inner_count;
  array[patterns] int<lower=1, upper=inner_count> inner_pattern;
  array[patterns] int<lower=1, upper=strata_count> one_stratum;
  array[patterns] int<lower=1, upper=strata_count> other_stratum;
