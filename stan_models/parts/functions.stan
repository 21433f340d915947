  // Functions that every program shares.

  /**
   * Log density of a coded prior, constants included.
   *
   * @param code 1 normal, 2 student_t, 3 double_exponential, 4 logistic,
   *   5 exponential, 6 gamma, 7 inv_gamma, 8 lognormal, 9 weibull, 10 beta
   * @param par location or shape, scale or rate, degrees of freedom, and the
   *   log of the mass left above zero where the prior is cut off there
   */
  real coded_lpdf(real x, int code, row_vector par) {
    if (code == 1) return normal_lpdf(x | par[1], par[2]) - par[4];
    if (code == 2) return student_t_lpdf(x | par[3], par[1], par[2]) - par[4];
    if (code == 3) return double_exponential_lpdf(x | par[1], par[2]) - par[4];
    if (code == 4) return logistic_lpdf(x | par[1], par[2]) - par[4];
    if (code == 5) return exponential_lpdf(x | par[2]);
    if (code == 6) return gamma_lpdf(x | par[1], par[2]);
    if (code == 7) return inv_gamma_lpdf(x | par[1], par[2]);
    if (code == 8) return lognormal_lpdf(x | par[1], par[2]);
    if (code == 9) return weibull_lpdf(x | par[1], par[2]);
    return beta_lpdf(x | par[1], par[2]);
  }

  /**
   * Sum of coded log densities, one prior (row of par) an element of x. The
   * usual ones, all normal or all Student t, at once.
   */
  real coded_prior(vector x, array[] int code, matrix par) {
    real lp = 0;
    int same = size(x) ? code[1] : 0;
    for (c in code) if (c != same) same = 0;
    if (same == 1) {
      lp = normal_lpdf(x | par[, 1], par[, 2]) - sum(par[, 4]);
    } else if (same == 2) {
      lp = student_t_lpdf(x | par[, 3], par[, 1], par[, 2]) - sum(par[, 4]);
    } else {
      for (i in 1:size(x)) lp += coded_lpdf(x[i] | code[i], par[i]);
    }
    return lp;
  }

  /**
   * Cholesky factor of the correlations of the group effects: diagonal blocks
   * of the given sizes, one for each bar of the formula.
   */
  matrix block_cholesky_jacobian(vector raw, array[] int size) {
    matrix[sum(size), sum(size)] L = identity_matrix(sum(size));
    int q = 0;
    int k = 0;
    for (n in size) {
      if (n > 1) {
        int pairs = (n * (n - 1)) %/% 2;
        L[(q + 1):(q + n), (q + 1):(q + n)]
          = cholesky_factor_corr_jacobian(segment(raw, k + 1, pairs), n);
        k += pairs;
      }
      q += n;
    }
    return L;
  }

  /** Log LKJ density of every block of L. */
  real block_lkj(matrix L, array[] int size, vector eta) {
    real lp = 0;
    int q = 0;
    for (i in 1:size(size)) {
      int n = size[i];
      if (n > 1) {
        matrix[n, n] block = L[(q + 1):(q + n), (q + 1):(q + n)];
        // Rounded to a correlation of one: rejected without a message.
        if (min(diagonal(block)) > 0) {
          lp += lkj_corr_cholesky_lpdf(block | eta[i]);
        } else {
          lp = negative_infinity();
        }
      }
      q += n;
    }
    return lp;
  }
