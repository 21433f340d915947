// Gaussian response, grouping factors nested in each other, any number of
// varying coefficients in each, correlated or not. All group effects are
// integrated out exactly, the innermost first: what is left of the rows for
// the levels of the next factor are small matrices, sums over the levels
// inside them, so that a gradient costs the same for a thousand rows and for a
// million. Lambda = diag(sd) L / sigma; everything is in units of sigma.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/integrated_functions.stanfunctions
#include parts/tree_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/tree_data.stan
}
transformed data {
  int A = 1; // sigma
  int pairs = (C[T - 1] * (C[T - 1] + 1)) %/% 2;
}
parameters {
#include parts/raw_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  real<lower=0> sigma = exp(theta[P + 1]);
}
model {
  vector[P] d = b - b_hat;
  real log_det = 0;
  real quad = rss + quad_form(XtX, d);
  {
    // Of all factors but the innermost: what is left of A'A, then of A'e.
    int done = sum(J[1:(T - 1)]);
    int e = E;
    matrix[done, pairs + C[T - 1]] left
      = rep_matrix(0, done, pairs + C[T - 1]);
    for (k in 1:loose) {
      int c = loose_column[k];
      int before = done - J[T - 1];
      for (l in 1:k) {
        left[(before + 1):done, (c * (c - 1)) %/% 2 + loose_column[l]]
          = AtA[, (k * (k - 1)) %/% 2 + l];
      }
      left[(before + 1):done, pairs + c]
        = AtR[, ((k - 1) * (1 + P) + 1):(k * (1 + P))] * append_row(1, d);
    }
    for (i in 1:T) {
      int t = T + 1 - i;
      int n = Q[t];
      int carried = t > 1 ? C[t - 1] : 0;
      matrix[n, n] Lambda
        = diag_pre_multiply(sd[(e - n + 1):e] / sigma,
                            L[(e - n + 1):e, (e - n + 1):e]);
      array[n] int col = column_of[(e - n + 1):e];
      array[n, n] vector[J[t]] F;
      array[n] vector[J[t]] h;
      array[n, carried] vector[J[t]] K;
      vector[J[t]] det;
      if (t == T) {
        F = covariance_factors(R, Lambda, order, entry_first, entry_last);
        h = whitened(F, QtR, d);
        K = whitened_columns(F, QtA, carried);
      } else {
        matrix[J[t], pairs] U = left[(done + 1):(done + J[t]), 1:pairs];
        matrix[J[t], (n * (n + 1)) %/% 2] G;
        matrix[J[t], n] g;
        for (k in 1:n) {
          for (l in 1:k) {
            int c = max(col[k], col[l]);
            G[, (k * (k - 1)) %/% 2 + l]
              = U[, (c * (c - 1)) %/% 2 + min(col[k], col[l])];
          }
          g[, k] = left[(done + 1):(done + J[t]), pairs + col[k]];
        }
        F = group_factors(G, Lambda, last[(e - n + 1):e], 1);
        h = whitened(F, g * Lambda, rep_vector(0, 0));
        if (carried) {
          K = whitened_columns(F, rotated_columns(U, Lambda, col, carried),
                               carried);
        }
      }
      for (a in 1:n) {
        // The logarithm of four at a time: none is below one.
        det = a % 4 == 1 ? F[a, a] : det .* F[a, a];
        if (a % 4 == 0 || a == n) {
          log_det += t == T ? dot_product(groups, log(det)) : sum(log(det));
        }
        quad += (t == T ? 1 : -1) * dot_product(h[a], h[a] ./ F[a, a]);
      }
      if (carried) {
        int before = done - J[t - 1];
        int cells = (carried * (carried + 1)) %/% 2;
        array[J[t - 1] + 1] int inside
          = start_inside[(before + t - 1):(done + t - 1)];
        matrix[J[t - 1], cells + carried] taken
          = sums_of_products(F, K, h, carried, inside);
        if (t == T) {
          left[(before + 1):done] += taken;
        } else {
          for (k in 1:(cells + carried)) {
            int place = k > cells ? pairs + k - cells : k;
            vector[J[t]] mine = left[(done + 1):(done + J[t]), place];
            left[(before + 1):done, place]
              = sums_over(mine, inside) - taken[, k];
          }
        }
        done = before;
      }
      e -= n;
    }
  }
  target += -0.5 * (N * (log(2 * pi()) + 2 * log(sigma)) + log_det
                    + quad / square(sigma));
  target += coded_lpdf(sigma | own_prior[1], own_par[1]) + log(sigma);
#include parts/priors.stan
}
