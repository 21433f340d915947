  // The log density of rows whose residuals have log determinant log_det_R
  // and a precision that mixes patterns by `mix`.
  {
    vector[1 + P_mu] one_d = append_row(1, head(b, P_mu) - b_hat);
    real log_det = log_det_R;
    real quad = dot_product(mix[pattern_of_square] .* sign_of_square,
                            square(K_root * one_d));
    if (J) {
      int entries = (E * (E + 1)) %/% 2;
      matrix[E, E] Lambda = diag_pre_multiply(sd, L);
      matrix[J, entries + E] mixed
        = mixed_groups(mix, ZtKZ, ZtKA, E, pattern_of_cell, turn_width,
                       first_cell, one_d);
      matrix[J, entries] G = mixed[, 1:entries];
      array[E, E] vector[J] F = group_factors(G, Lambda, last, 1);
      vector[J] det;
      for (a in 1:E) {
        // The logarithm of four at a time: none is below one.
        det = a % 4 == 1 ? F[a, a] : det .* F[a, a];
        if (a % 4 == 0 || a == E) log_det += dot_product(groups, log(det));
      }
      quad += squares_of_groups(F, G, mixed[, (entries + 1):(entries + E)], C,
                                Lambda, last, one_d);
    }
    target += log_constant - 0.5 * (log_det + quad);
  }
