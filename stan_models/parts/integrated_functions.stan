  // Small matrices of all groups at once, entry by entry: vectors over groups
  // instead of a loop over matrices.

  /**
   * Factors of I + R_j S R_j' = T_j diag(d_j) T_j', S = Lambda Lambda' in the
   * order of the columns of R_j, T_j unit lower triangular, for all groups j.
   *
   * @param R lower triangles of R_j, row by row: one row a group
   * @param Lambda lower triangular
   * @param entry_first, entry_last among the first a places in the order,
   *   those between which column k of Lambda isn't zero
   * @return vectors over groups: [a, a] holds d, [c, a] with c > a holds T,
   *   and [a, c] what T times d is
   */
  array[,] vector covariance_factors(matrix R, matrix Lambda,
                                     array[] int order,
                                     array[,] int entry_first,
                                     array[,] int entry_last) {
    int Q = rows(Lambda);
    matrix[Q, Q] root = Lambda[order];
    array[Q, Q] vector[rows(R)] B; // R Lambda
    array[Q, Q] vector[rows(R)] F;
    for (a in 1:Q) {
      int before = (a * (a - 1)) %/% 2;
      for (k in 1:max(order[1:a])) {
        B[a, k] = R[, (before + entry_first[a, k]):(before + entry_last[a, k])]
                  * root[entry_first[a, k]:entry_last[a, k], k];
      }
    }
    for (a in 1:Q) {
      int width = max(order[1:a]);
      for (c in a:Q) {
        vector[rows(R)] m = B[a, 1] .* B[c, 1];
        for (k in 2:width) m += B[a, k] .* B[c, k];
        if (c == a) m += 1;
        for (k in 1:(a - 1)) m -= F[a, k] .* F[k, c];
        F[a, c] = m;
        if (c > a) F[c, a] = m ./ F[a, a];
      }
    }
    return F;
  }

  /**
   * h_j = T_j^-1 Q_j'(e_hat - X d), for all groups j.
   *
   * @param QtR for each effect: its entry of Q_j'e_hat, then its row of
   *   -Q_j'X_j; one row a group
   * @return h[a], a vector over groups
   */
  array[] vector whitened(array[,] vector F, matrix QtR, vector d) {
    int Q = size(F);
    int columns = 1 + size(d);
    array[Q] vector[rows(QtR)] h;
    for (a in 1:Q) {
      vector[rows(QtR)] m
        = QtR[, ((a - 1) * columns + 1):(a * columns)] * append_row(1, d);
      for (k in 1:(a - 1)) m -= F[a, k] .* h[k];
      h[a] = m;
    }
    return h;
  }
