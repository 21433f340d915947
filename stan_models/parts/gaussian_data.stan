  int<lower=1, upper=10> sigma_prior;
  row_vector[4] sigma_par;
