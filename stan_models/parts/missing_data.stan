  // Predictors with missing values, each behind those that its linear predictor
  // needs: their values, those that X has where one is missing, and which are.
  // Missing values are told apart: how far they are from those that X has.
  matrix[N, mi_N] mi_values;
  array[mi_N] int<lower=1, upper=predictors> mi_predictor;
  array[mi_N] int<lower=0> mi_gaps_of; // missing values of each
  int<lower=0> mi_gaps; // of all, predictor after predictor
  array[mi_gaps] int<lower=1, upper=N> mi_row;

  // Columns of X that they are in: of which predictor, the coefficient, the
  // linear predictor it enters, and one unit of the missing values in it.
  int<lower=0> mi_columns;
  array[mi_columns] int<lower=1, upper=mi_N> mi_of;
  array[mi_columns] int<lower=1, upper=P> mi_b;
  array[mi_columns] int<lower=1, upper=predictors> mi_into;
  matrix[mi_gaps, mi_columns] mi_unit;

  // What the rows say of their first linear predictor, by a quick fit: where it
  // is, and its precision.
  vector[mi_gaps] mi_working;
  vector<lower=0>[mi_gaps] mi_weight;
