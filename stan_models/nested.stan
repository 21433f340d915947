// Gaussian response, grouping factors nested in each other, any number of
// varying coefficients in each, correlated or not, and small factors crossed
// with them. All group effects are integrated out exactly, those of nested
// factors from the innermost one outwards: what is left of the rows for the
// levels of the next factor are small matrices, sums over the levels inside
// them, so that a gradient costs the same for a thousand rows and for a
// million. Effects of crossed factors come last, in one block. Lambda =
// diag(sd) L / sigma; everything is in units of sigma.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/integrated_functions.stanfunctions
#include parts/tree_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/tree_data.stan
  int<lower=0, upper=1> A; // sigma; none where variances are weights alone
}
transformed data {
  int pairs = (C[T] * (C[T] + 1)) %/% 2;
  int outer = sum(J) - J[T]; // levels of all factors but the innermost
  int two = Q[T] == 2 && NW == 0; // the innermost has two, and none cross
  vector[two ? J[T] : 0] R_33;
  // Of columns U that are carried: squares, and U_1 b_21 - U_2 b_11 of each.
  array[two ? 2 * C[T] : 0] vector[J[T]] squares_U;
  array[two ? C[T] : 0] matrix[J[T], 2] across_U;
  if (two) {
    R_33 = square(R[, 3]);
    for (k in 1:(2 * C[T])) squares_U[k] = square(QtA[, k]);
    for (k in 1:C[T]) {
      across_U[k, , 1] = QtA[, k] .* R[, 2] - QtA[, C[T] + k] .* R[, 1];
      across_U[k, , 2] = QtA[, k] .* R[, 3];
    }
  }
  // Columns of crossed factors among those of QtR.
  array[Q[T], NW] int further;
  for (a in 1:Q[T]) {
    for (i in 1:NW) further[a, i] = (a - 1) * (1 + P + NW) + 1 + P + i;
  }
  // Of those columns what they are for each effect, and products in pairs for
  // each pair of effects, lower triangles row by row: data, so that a gradient
  // has no matrices of levels by columns.
  int two_effects = (Q[T] * (Q[T] + 1)) %/% 2;
  int two_columns = (NW * (NW + 1)) %/% 2;
  array[Q[T]] matrix[J[T], NW] in_levels;
  array[two_effects] matrix[J[T], two_columns] products;
  for (a in 1:Q[T]) {
    in_levels[a] = QtR[, further[a]];
    for (c in 1:a) {
      for (i in 1:NW) {
        for (l in 1:i) {
          vector[J[T]] m = in_levels[a][, i] .* in_levels[c][, l];
          if (c < a) m += in_levels[c][, i] .* in_levels[a][, l];
          products[(a * (a - 1)) %/% 2 + c][, (i * (i - 1)) %/% 2 + l] = m;
        }
      }
    }
  }
}
parameters {
#include parts/raw_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[A] sigma = exp(theta[(P + 1):(P + A)]);
}
model {
  real s = A ? sigma[1] : 1;
  // Effects of crossed factors are counted from those that make up best for b.
  vector[P] from_hat = b - head(b_hat, P);
  vector[P + NW] d = append_row(from_hat, -along * from_hat);
  vector[P + NW] within = root_XtX * d;
  real log_det = 0;
  real quad = rss + dot_self(within);
  // Of crossed factors: -W'V^-1 e and W'V^-1 W.
  vector[NW] u = root_XtX[, (P + 1):(P + NW)]' * within;
  matrix[NW, NW] U = crossprod(root_XtX[, (P + 1):(P + NW)]);
  {
    // Of all factors but the innermost: what is left of A'A, then of A'e, then
    // of -A'W, column after column.
    int width = pairs + C[T] * (1 + NW);
    int done = outer;
    matrix[outer, width] left = rep_matrix(0, outer, width);
    for (k in 1:loose) {
      int c = loose_column[k];
      int before = outer - parents;
      int columns = (k - 1) * (1 + P + NW);
      for (l in 1:k) {
        left[(before + 1):outer, (c * (c - 1)) %/% 2 + loose_column[l]]
          = AtA[, (k * (k - 1)) %/% 2 + l];
      }
      left[(before + 1):outer, pairs + c]
        = AtR[, (columns + 1):(columns + 1 + P + NW)] * append_row(1, d);
      if (NW) {
        left[(before + 1):outer,
             (pairs + C[T] + (c - 1) * NW + 1):(pairs + C[T] + c * NW)]
          = AtR[, (columns + 2 + P):(columns + 1 + P + NW)];
      }
    }
    if (two) {
      // The innermost factor as in of_two_effects, and what it leaves of the
      // columns U that are carried: vectors, and no arrays of them, cost least.
      int e = at[T];
      int c = C[T];
      int wide = 1 + P;
      matrix[2, 2] root
        = two_root(diag_pre_multiply(sd[(e + 1):(e + 2)] / s,
                                     L[(e + 1):(e + 2), (e + 1):(e + 2)]),
                   order);
      vector[wide] one_d = append_row(1, d);
      vector[J[T]] b_11 = R[, 1] * root[1, 1];
      vector[J[T]] b_21 = R[, 2:3] * root[, 1];
      vector[J[T]] w = 1 + R_33 * square(root[2, 2]);
      vector[J[T]] det = w .* (1 + square(b_11)) + square(b_21);
      vector[J[T]] weight = inv(det);
      vector[J[T]] u_1 = QtR[, 1:wide] * one_d;
      vector[J[T]] u_2 = QtR[, (wide + 1):(2 * wide)] * one_d;
      vector[J[T]] u_3 = u_1 .* b_21 - u_2 .* b_11;
      vector[J[T]] w_u = w .* u_1;
      log_det += sum_of_logs(groups, det);
      quad += dot_product(w_u .* u_1 + square(u_2) + square(u_3), weight);
      if (T > 1) {
        int before = done - J[T - 1];
        array[J[T - 1] + 1] int inside
          = start_inside[(before + T - 1):(done + T - 1)];
        for (k in 1:c) {
          vector[J[T]] U_3 = across_U[k] * root[, 1];
          // Sums are of a name: an expression would be worked out level by
          // level.
          vector[J[T]] m = (QtA[, k] .* w_u + QtA[, c + k] .* u_2
                            + U_3 .* u_3) .* weight;
          left[(before + 1):done, pairs + k] += sums_over(m, inside);
          m = (squares_U[k] .* w + squares_U[c + k] + square(U_3)) .* weight;
          left[(before + 1):done, (k * (k + 1)) %/% 2] += sums_over(m, inside);
          for (l in 1:(k - 1)) {
            m = (QtA[, k] .* (QtA[, l] .* w)
                 + QtA[, c + k] .* QtA[, c + l]
                 + U_3 .* (across_U[l] * root[, 1])) .* weight;
            left[(before + 1):done, (k * (k - 1)) %/% 2 + l]
              += sums_over(m, inside);
          }
        }
        done = before;
      }
    }
    for (i in (1 + two):T) {
      int t = T + 1 - i;
      int n = Q[t];
      int carried = C[t];
      int e = at[t];
      matrix[n, n] Lambda
        = diag_pre_multiply(sd[(e + 1):(e + n)] / s,
                            L[(e + 1):(e + n), (e + 1):(e + n)]);
      array[n] int col = column_of[(e + 1):(e + n)];
      array[n, n] vector[J[t]] F;
      array[n] vector[J[t]] h;
      array[n, carried] vector[J[t]] K;
      array[n] matrix[J[t], NW] H;
      vector[J[t]] det;
      if (t == T) {
        F = covariance_factors(R, Lambda, order, entry_first, entry_last);
        h = whitened(F, QtR, d);
        if (carried) K = whitened_columns(F, QtA, carried);
        if (NW && carried) {
          for (a in 1:n) {
            matrix[J[t], NW] m = in_levels[a];
            for (k in 1:(a - 1)) m -= diag_pre_multiply(F[a, k], H[k]);
            H[a] = m;
          }
        }
        if (NW) {
          array[n, n] vector[J[t]] back = inverse_factors(F);
          vector[two_columns] cells = rep_vector(0, two_columns);
          for (a in 1:n) {
            u += in_levels[a]' * back_solved(F, back, h, a);
            for (c in 1:a) {
              cells += products[(a * (a - 1)) %/% 2 + c]'
                       * back_products(F, back, a, c);
            }
          }
          for (k in 1:NW) {
            for (l in 1:k) {
              U[k, l] += cells[(k * (k - 1)) %/% 2 + l];
              if (l < k) U[l, k] += cells[(k * (k - 1)) %/% 2 + l];
            }
          }
        }
      } else {
        matrix[J[t], width] mine = left[(done + 1):(done + J[t])];
        matrix[J[t], (n * (n + 1)) %/% 2] G;
        matrix[J[t], n] g;
        for (k in 1:n) {
          for (l in 1:k) {
            int c = max(col[k], col[l]);
            G[, (k * (k - 1)) %/% 2 + l]
              = mine[, (c * (c - 1)) %/% 2 + min(col[k], col[l])];
          }
          g[, k] = mine[, pairs + col[k]];
        }
        F = group_factors(G, Lambda, last[(e + 1):(e + n)], 1);
        h = whitened(F, g * Lambda, rep_vector(0, 0));
        if (carried) {
          K = whitened_columns(F, rotated_columns(mine, Lambda, col, carried),
                               carried);
        }
        if (NW) {
          for (a in 1:n) {
            matrix[J[t], NW] m = rep_matrix(0, J[t], NW);
            for (k in a:n) {
              int before = pairs + C[T] + (col[k] - 1) * NW;
              m += Lambda[k, a] * mine[, (before + 1):(before + NW)];
            }
            for (k in 1:(a - 1)) m -= diag_pre_multiply(F[a, k], H[k]);
            H[a] = m;
          }
        }
      }
      for (a in 1:n) {
        // The logarithm of four at a time: none is below one.
        det = a % 4 == 1 ? F[a, a] : det .* F[a, a];
        if (a % 4 == 0 || a == n) {
          log_det += t == T ? sum_of_logs(groups, det) : sum(log(det));
        }
        quad += (t == T ? 1 : -1) * dot_product(h[a], h[a] ./ F[a, a]);
        if (NW && t < T) {
          u -= H[a]' * (h[a] ./ F[a, a]);
          U -= H[a]' * diag_pre_multiply(inv(F[a, a]), H[a]);
        }
      }
      if (t > 1) {
        int before = done - J[t - 1];
        int cells = (carried * (carried + 1)) %/% 2;
        array[J[t - 1] + 1] int inside
          = start_inside[(before + t - 1):(done + t - 1)];
        matrix[J[t - 1], cells + carried] taken
          = sums_of_products(F, K, h, carried, inside);
        for (k in 1:(cells + carried)) {
          int place = k > cells ? pairs + k - cells : k;
          if (t == T) {
            left[(before + 1):done, place] += taken[, k];
          } else {
            left[(before + 1):done, place]
              = sums_over(left[(done + 1):(done + J[t]), place], inside)
                - taken[, k];
          }
        }
        if (NW) {
          for (c in 1:carried) {
            int place = pairs + C[T] + (c - 1) * NW;
            matrix[J[t], NW] m = rep_matrix(0, J[t], NW);
            for (a in 1:n) m += diag_pre_multiply(K[a, c] ./ F[a, a], H[a]);
            if (t < T) {
              m = left[(done + 1):(done + J[t]), (place + 1):(place + NW)] - m;
            }
            left[(before + 1):done, (place + 1):(place + NW)]
              += column_sums_over(m, inside);
          }
        }
        done = before;
      }
    }
  }
  if (NW) {
    // With v their effects in units of their sds and w = Lambda v, what is
    // least in v of the sums of squares of e - W (w - start) and of v: not a
    // difference of large numbers, however large the effects are.
    int done = 0;
    vector[NW] start = tail(b_hat + d, NW);
    matrix[NW, NW] M = U;
    row_vector[NW] h = (U * start - u)';
    for (m in 1:crossed) {
      int e = at_crossed[m];
      int n = Q_crossed[m];
      matrix[n, n] Lambda
        = diag_pre_multiply(sd[(e + 1):(e + n)] / s,
                            L[(e + 1):(e + n), (e + 1):(e + n)]);
      M = times_block(times_block(M, Lambda, J_crossed[m], done)',
                      Lambda, J_crossed[m], done);
      h = times_block(to_matrix(h), Lambda, J_crossed[m], done)[1];
      done += n * J_crossed[m];
    }
    // Rounding must not make it asymmetric.
    matrix[NW, NW] root = cholesky_decompose(add_diag(0.5 * (M + M'), 1));
    row_vector[NW] v = mdivide_right_tri_low(mdivide_left_tri_low(root, h')',
                                            root);
    row_vector[NW] w = v;
    done = 0;
    for (m in 1:crossed) {
      int e = at_crossed[m];
      int n = Q_crossed[m];
      matrix[n, n] Lambda
        = diag_pre_multiply(sd[(e + 1):(e + n)] / s,
                            L[(e + 1):(e + n), (e + 1):(e + n)]);
      w = times_block(to_matrix(w), Lambda', J_crossed[m], done)[1];
      done += n * J_crossed[m];
    }
    vector[NW] delta = w' - start;
    log_det += 2 * sum(log(diagonal(root)));
    quad += 2 * dot_product(u, delta) + quad_form(U, delta) + dot_self(v);
  }
  target += -0.5 * (N * (log(2 * pi()) + 2 * log(s)) + log_det
                    + quad / square(s));
  target += prior_of_log(sigma, own_prior[1], own_par[1]);
#include parts/priors.stan
}
