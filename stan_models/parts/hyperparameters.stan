  // Natural parameters from the coordinates; A is the number of parameters
  // that only this family has.
  vector[D] theta = center + scale * raw;
  vector<lower=0>[mi_N] mi_sd = exp(theta[(P + A + 1):(P + A + mi_N)]);
  vector[S] log_spread = theta[(P + A + mi_N + 1):(P + A + mi_N + S)];
  vector[S] below
    = log1p_exp((center[(P + A + mi_N + 1):(P + A + mi_N + S)] - log_spread)
                ./ sd_spread);
  log_spread -= 0.5 * sd_bend .* square(below);
  vector<lower=0>[S] spread = exp(log_spread);
  vector<lower=0>[E] sd
    = effect_sds(log_spread, sd_of, length_of, frequency);
  matrix[E, E] L
    = block_cholesky_jacobian(theta[(P + A + mi_N + S + 1):D], block);
  // At 1 effects have no mean, and no sampler comes back from their tails.
  vector<lower=1>[tails] df
    = 1 + exp(theta[(D - locals - tails + 1):(D - locals)]);
  vector[P] b = theta[1:P];
  real log_width = 0;
  if (followers) {
    // Sds of more than e^12 times their center aren't followed any further:
    // the matrices would be lost to rounding.
    vector[S] beyond
      = log_spread - center[(P + A + mi_N + 1):(P + A + mi_N + S)] - 12;
    vector[E] near = effect_sds(log_spread - log1p_exp(beyond), sd_of,
                                length_of, frequency);
    vector[followers] first = raw[1:followers];
    matrix[followers, followers] free
      = cholesky_decompose(rest
                           + tcrossprod(reach * diag_pre_multiply(near, L)));
    matrix[followers, followers] held
      = cholesky_decompose(add_diag(quad_form_sym(hold, free), 1));
    b += scale[1:P, 1:followers]
         * (free * mdivide_right_tri_low(first', held)' - first);
    log_width = sum(log(diagonal(free))) - sum(log(diagonal(held)));
  }
  vector[locals] local = fmin(fmax(theta[(D - locals + 1):D], -100), 100);
  vector<lower=0>[shrunk] b_sd;
  if (shrunk) {
    // Names that no program has: locals of one name and different sizes in two
    // blocks crash the embedded engine.
    vector[P] b_size = b_width;
    matrix[P, P] b_precision;
    matrix[P, P] b_root;
    b_sd = shrunk_sds(local, shrunk_by, shrunk_unit);
    if (unit_own) b_sd *= exp(theta[P + unit_own]);
    b_size[shrunk_b] = b_sd;
    b_precision = quad_form_diag(told, b_size);
    // Rounding must not make it asymmetric.
    b_precision = 0.5 * (b_precision + b_precision');
    b_root = cholesky_decompose(add_diag(b_precision, 1));
    b = b_origin + b_size .* mdivide_right_tri_low(
      (raw[1:P] + mdivide_left_tri_low(b_root, b_size .* told_at))', b_root)';
    log_width = sum(log(b_size)) - sum(log(diagonal(b_root)));
  }
  for (i in 1:limited) {
    int k = limited_b[i];
    log_width += log_slope_within(b[k], sides[i], bound_par[i]);
    b[k] = within_bounds(b[k], sides[i], bound_par[i]);
  }
  vector[monotonic] mean_step;
  // Coefficients of steps whose mean is one.
  vector[monotonic ? P : 0] unit_step = rep_vector(0, monotonic ? P : 0);
  real log_shares = 0; // Dirichlet densities of the shares
  for (i in 1:monotonic) {
    int first_step = steps_at[i];
    int last_step = first_step + steps[i] - 1;
    vector[steps[i]] log_share
      = log_softmax(append_row(0, b[(first_step + 1):last_step]));
    mean_step[i] = b[first_step];
    if (shares_of[i] == i) {
      int before_share = sum(steps[1:(i - 1)]);
      vector[steps[i]] alpha
        = share_shape[(before_share + 1):(before_share + steps[i])];
      log_shares += lgamma(sum(alpha)) - sum(lgamma(alpha))
                    + dot_product(alpha, log_share);
      unit_step[first_step:last_step] = steps[i] * exp(log_share);
    } else {
      int shared_step = steps_at[shares_of[i]];
      log_shares += std_normal_lpdf(b[(first_step + 1):last_step]);
      unit_step[first_step:last_step]
        = unit_step[shared_step:(shared_step + steps[i] - 1)];
    }
    b[first_step:last_step] = mean_step[i] * unit_step[first_step:last_step];
  }
