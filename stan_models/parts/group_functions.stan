  // Small matrices of all groups at once, entry by entry: vectors over groups
  // instead of a loop over matrices.

  /**
   * Factors of s I + Lambda' G_j Lambda = T_j diag(d_j) T_j', T_j unit lower
   * triangular, for all groups j.
   *
   * @param G lower triangles of G_j, row by row: one row a group
   * @return vectors over groups: [a, a] holds d, [c, a] with c > a holds T,
   *   and [a, c] what T times d is
   */
  array[,] vector group_factors(matrix G, matrix Lambda, real s) {
    int Q = rows(Lambda);
    array[Q, Q] vector[rows(G)] F;
    for (a in 1:Q) {
      for (c in a:Q) {
        vector[cols(G)] weight;
        int i = 0;
        for (k in 1:Q) {
          for (l in 1:k) {
            i += 1;
            weight[i] = Lambda[k, a] * Lambda[l, c];
            if (l < k) weight[i] += Lambda[l, a] * Lambda[k, c];
          }
        }
        vector[rows(G)] m = G * weight;
        if (c == a) m += s;
        for (k in 1:(a - 1)) m -= F[a, k] .* F[k, c];
        F[a, c] = m;
        if (c > a) F[c, a] = m ./ F[a, a];
      }
    }
    return F;
  }

  /**
   * h_j = T_j^-1 Lambda' (u_j - V_j b), for all groups j.
   *
   * @param UV for each effect: its entry of u_j, then its row of -V_j; one
   *   row a group
   * @return h[a], a vector over groups
   */
  array[] vector group_solve(array[,] vector F, matrix UV, matrix Lambda,
                             vector b) {
    int Q = rows(Lambda);
    vector[1 + size(b)] one_b = append_row(1, b);
    array[Q] vector[rows(UV)] h;
    for (a in 1:Q) {
      vector[rows(UV)] m = UV * to_vector(one_b * Lambda[, a]');
      for (k in 1:(a - 1)) m -= F[a, k] .* h[k];
      h[a] = m;
    }
    return h;
  }

  /**
   * What the effects of outer factors take away from Z_m'w e of the levels of
   * factor m: one row a level, one column an effect.
   *
   * @param r effects so far, of all factors before m
   * @return no columns where m is nested in no other factor
   */
  matrix outer_effects(vector r, int m, array[] int Q, array[] int J,
                       array[] int inner, array[] int outer,
                       array[] int above, matrix ZtWZ_outer) {
    int nested = 0;
    for (c in inner) if (c == m) nested = 1;
    matrix[J[m], nested * Q[m]] taken = rep_matrix(0, J[m], nested * Q[m]);
    int row = 0;
    for (c in 1:size(inner)) {
      int n = J[inner[c]];
      if (inner[c] == m) {
        int o = outer[c];
        array[n] int level = segment(above, row + 1, n);
        int start = 0;
        for (k in 1:(o - 1)) start += Q[k] * J[k];
        for (l in 1:Q[o]) {
          vector[n] u = segment(r, start + (l - 1) * J[o] + 1, J[o])[level];
          for (k in 1:Q[m]) {
            taken[, k] += ZtWZ_outer[(row + 1):(row + n), (k - 1) * Q[o] + l]
                          .* u;
          }
        }
      }
      row += n;
    }
    return taken;
  }

  /**
   * Group effects of one factor from standard coordinates, and the log prior
   * density of the effects in those coordinates.
   *
   * v_j = A_j^-1 Lambda' s_j + chol(A_j)'^-1 z_j, A_j = I + Lambda' W_j Lambda,
   * and r_j = Lambda v_j, where W_j = Z_j' w Z_j and s_j = Z_j' w (working
   * response - X b) come from a penalised fit. Exact whatever the weights:
   * W = 0 is the non-centred form, W -> infinity the centred one.
   *
   * @param z coordinates, effect after effect, level by level
   * @param ZtWZ lower triangles of W_j, row by row: one row a level
   * @param ZtWR for each effect: Z_j'w e_hat, then -Z_j'w X_j: one row a level
   * Where `share` u has levels, the direction of v that they have in common,
   * v_j = u_j t, has the law of its prior, t ~ normal(0, I), and tuned are
   * the deviations from it, for which sum_j u_j v_j = 0:
   * v_j - u_j A_j^-1 B^-1 sum_k u_k v_k, B = sum_k u_k^2 A_k^-1.
   *
   * @param taken part of Z_j'w e_hat that outer effects take, one row a level
   * @param share unit vector over levels, or empty
   * @param extent what rows have in common of one unit of t
   * @return r in the order of z; the log density; extent Lambda t
   */
  vector tuned_effects(vector z, matrix ZtWZ, matrix ZtWR, matrix Lambda,
                       vector d, matrix taken, vector share, real extent) {
    int Q = rows(Lambda);
    int J = rows(ZtWZ);
    array[Q, Q] vector[J] F = group_factors(ZtWZ, Lambda, 1);
    array[Q] vector[J] h = group_solve(F, ZtWR, Lambda, d);
    array[Q] vector[J] v;
    if (cols(taken)) {
      array[Q] vector[J] g;
      for (a in 1:Q) {
        g[a] = taken * Lambda[, a];
        for (k in 1:(a - 1)) g[a] -= F[a, k] .* g[k];
        h[a] -= g[a];
      }
    }
    vector[Q] t = rep_vector(0, Q);
    real lp = -0.5 * Q * J * log(2 * pi());
    for (i in 1:Q) {
      int a = Q + 1 - i;
      vector[J] root = sqrt(F[a, a]);
      v[a] = (h[a] ./ root + segment(z, (a - 1) * J + 1, J)) ./ root;
      for (k in (a + 1):Q) v[a] -= F[k, a] .* v[k];
      lp -= sum(log(root));
    }
    if (size(share)) {
      array[Q] vector[J] n; // the part of v by z
      for (i in 1:Q) {
        int a = Q + 1 - i;
        n[a] = segment(z, (a - 1) * J + 1, J) ./ sqrt(F[a, a]);
        for (k in (a + 1):Q) n[a] -= F[k, a] .* n[k];
      }
      array[Q, Q] vector[J] inverse; // of A_j, entry by entry
      for (c in 1:Q) {
        for (a in 1:Q) {
          vector[J] m = rep_vector(a == c, J);
          for (k in 1:(a - 1)) m -= F[a, k] .* inverse[k, c];
          inverse[a, c] = m;
        }
        for (i in 1:Q) {
          int a = Q + 1 - i;
          vector[J] m = inverse[a, c] ./ F[a, a];
          for (k in (a + 1):Q) m -= F[k, a] .* inverse[k, c];
          inverse[a, c] = m;
        }
      }
      matrix[Q, Q] B;
      vector[Q] all;
      vector[Q] noise;
      for (a in 1:Q) {
        all[a] = dot_product(share, v[a]);
        noise[a] = dot_product(share, n[a]);
        for (c in 1:Q) B[a, c] = dot_product(square(share), inverse[a, c]);
      }
      matrix[Q, Q] C = cholesky_decompose(B);
      vector[Q] s = mdivide_left_tri_low(C, all);
      vector[Q] back = mdivide_right_tri_low(s', C)';
      t = mdivide_left_tri_low(C, noise);
      for (a in 1:Q) {
        vector[J] common = rep_vector(t[a], J);
        for (c in 1:Q) common -= back[c] * inverse[a, c];
        v[a] += share .* common;
      }
      lp -= sum(log(diagonal(C)));
    }
    vector[Q * J + 1 + Q] r;
    for (a in 1:Q) {
      vector[J] m = Lambda[a, 1] * v[1];
      for (k in 2:a) m += Lambda[a, k] * v[k];
      r[((a - 1) * J + 1):(a * J)] = m;
      lp -= 0.5 * dot_self(v[a]);
    }
    r[Q * J + 1] = lp;
    r[(Q * J + 2):(Q * J + 1 + Q)] = extent * (Lambda * t);
    return r;
  }
