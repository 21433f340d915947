  // The log density of rows whose residuals have log determinant log_det_R
  // and a precision that mixes patterns by `mix`.
  {
    vector[1 + P_mu] one_d = append_row(1, head(b, P_mu) - mu_hat);
    real log_det = log_det_R;
    real quad = dot_product(mix[pattern_of_square] .* sign_of_square,
                            square(K_root * one_d));
    vector[NW] u = to_matrix(WtKA' * mix, 1 + P_mu, NW)' * one_d;
    matrix[NW, NW] U = to_matrix(WtKW' * mix, NW, NW);
    if (J_in) {
      int entries = (E_in * (E_in + 1)) %/% 2;
      int E_end = E_before + E_in;
      matrix[E_in, E_in] Lambda
        = diag_pre_multiply(sd[(E_before + 1):E_end],
                            L[(E_before + 1):E_end, (E_before + 1):E_end]);
      matrix[J_in, entries + E_in] mixed
        = mixed_groups(mix, ZtKZ, ZtKA, E_in, pattern_of_cell, turn_width,
                       first_cell, one_d);
      matrix[J_in, entries] G = mixed[, 1:entries];
      array[E_in, E_in] vector[J_in] F = group_factors(G, Lambda, last_in, 1);
      vector[J_in] det;
      for (a in 1:E_in) {
        // The logarithm of four at a time: none is below one.
        det = a % 4 == 1 ? F[a, a] : det .* F[a, a];
        if (a % 4 == 0 || a == E_in) {
          log_det += dot_product(groups, log(det));
        }
      }
      quad += squares_of_groups(F, G, mixed[, (entries + 1):(entries + E_in)],
                                C, Lambda, last_in, one_d);
      if (NW) {
        matrix[J_in, E_in * NW] away
          = mixed_entries(mix, ZtKW, E_in * NW, pattern_of_cell, turn_width,
                          first_cell);
        array[E_in] vector[J_in] delta
          = likely_less_start(F, G, mixed[, (entries + 1):(entries + E_in)], C,
                              Lambda, last_in, one_d);
        array[E_in] matrix[J_in, NW] H
          = columns_whitened(F, away, NW, Lambda, last_in);
        for (a in 1:E_in) {
          u -= away[, ((a - 1) * NW + 1):(a * NW)]' * delta[a];
          U -= H[a]' * diag_pre_multiply(inv(F[a, a]), H[a]);
        }
      }
    }
    if (NW) quad += block_added(u, U, w_hat, sd[effect_of]);
    // A sum of squares, below zero by rounding alone: where some variance is
    // next to nothing beside what effects take of the rows.
    target += quad < 0 ? negative_infinity()
                        : log_constant - 0.5 * (log_det + quad);
  }
