  // The log density of rows whose residuals have log determinant log_det_R
  // and a precision that mixes patterns by `mix`.
  {
    vector[1 + P_mu] one_d = append_row(1, head(b, P_mu) - b_hat);
    vector[2] of_effects = rep_vector(0, 2);
    if (J) {
      matrix[E, E] Lambda = diag_pre_multiply(sd, L);
      vector[cells] weight = mix[pattern_of_cell];
      matrix[J, cols(ZtKZ)] G
        = folded_columns(weight, ZtKZ, turn_width, first_cell);
      of_effects = of_groups(group_factors(G, Lambda, last, 1), G, weight, ZtKA,
                             C, groups, turn_width, first_cell, Lambda, last,
                             one_d);
    }
    target += log_constant
      - 0.5 * (log_det_R + sum(of_effects)
               + dot_product(mix[pattern_of_square] .* sign_of_square,
                             square(K_root * one_d)));
  }
