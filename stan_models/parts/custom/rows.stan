  {
    vector[N] mu = eta[1];
    vector[N] sigma_n = log_linked(sigma, eta, own_predictor[1]);
    target += dot_product(weight, custom_rows(y, mu, sigma_n));
  }
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
