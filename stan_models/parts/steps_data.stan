  // Ordered categories that come step by step, and the equation of what the
  // threshold above each but the last has beside, where it has one.
  int<lower=2> C;
  int<lower=1, upper=C - 1> anchor;
  array[N] int<lower=1, upper=C> y;
  vector<lower=0>[N] weight; // of each row's log density
  array[C - 1] int<lower=0, upper=predictors> specific;
