// y ~ x + (1 + x | g), family bernoulli, as an expert writes it by hand: centred on the
// intercept, vectorised over rows.
data {
  int<lower=1> N;
  array[N] int<lower=0> Y;
  int<lower=1> K;
  int<lower=1> Kc;
  matrix[N, K] X;
  int<lower=1> N_1;
  int<lower=1> M_1;
  array[N] int<lower=1> J_1;
  vector[N] Z_1_1;
  vector[N] Z_1_2;
  vector[Kc] b_scale;
  real intercept_location;
  real intercept_scale;
  vector[M_1] sd_scale;
}
transformed data {
  matrix[N, Kc] Xc;
  vector[Kc] means_X;
  for (i in 2:K) {
    means_X[i - 1] = mean(X[, i]);
    Xc[, i - 1] = X[, i] - means_X[i - 1];
  }
}
parameters {
  vector[Kc] b;
  real Intercept;
  vector<lower=0>[M_1] sd_1;
  array[N_1] vector[M_1] u; // coefficients of each level
  cholesky_factor_corr[M_1] L_1;
}
model {
  // Coefficients around their mean: the intercept, and the slope of x.
  matrix[N_1, M_1] r;
  vector[M_1] mean_u = append_row(Intercept, rep_vector(0, M_1 - 1));
  for (j in 1:N_1) r[j] = u[j]';
  vector[N] mu = r[J_1, 1] + r[J_1, 2] .* Z_1_2;
  target += bernoulli_logit_glm_lpmf(Y | Xc, mu, b);
  target += normal_lpdf(b | 0, b_scale);
  target += normal_lpdf(Intercept | intercept_location, intercept_scale);
  target += student_t_lpdf(sd_1 | 3, 0, sd_scale) + M_1 * log(2);
  target += lkj_corr_cholesky_lpdf(L_1 | 1);
  target += multi_normal_cholesky_lpdf(
    u | mean_u, diag_pre_multiply(sd_1, L_1));
}
