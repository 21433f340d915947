  // Responses that are known to lie below, above or between ends: censored
  // ones, and, with minus their weight, bounds of truncation.
  int<lower=0> N_below;
  array[N_below] int<lower=1, upper=N> row_below;
  vector[N_below] end_below;
  vector[N_below] weight_below;
  int<lower=0> N_above;
  array[N_above] int<lower=1, upper=N> row_above;
  vector[N_above] end_above;
  vector[N_above] weight_above;
  int<lower=0> N_between;
  array[N_between] int<lower=1, upper=N> row_between;
  vector[N_between] low_between;
  vector[N_between] high_between;
  vector[N_between] weight_between;
