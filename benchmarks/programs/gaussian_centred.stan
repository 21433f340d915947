// As an expert writes y ~ x + ... + (1 + x | g) by hand, centred: each group's
// intercept and slope vary around the population's (hierarchical centring), so
// that these mix too; row-wise and vectorised, gathered by level. The first
// population slope is the one that varies.
data {
  int<lower=1> N;
  vector[N] Y;
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
  real sigma_scale;
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
  real<lower=0> sigma;
  vector<lower=0>[M_1] sd_1;
  array[N_1] vector[M_1] beta; // intercept and slope of each group
  cholesky_factor_corr[M_1] L_1;
}
model {
  vector[M_1] population = [Intercept - dot_product(means_X, b), b[1]]';
  vector[N_1] beta_1 = to_vector(beta[, 1]);
  vector[N_1] beta_2 = to_vector(beta[, 2]);
  vector[N] mu = beta_1[J_1] + beta_2[J_1] .* Z_1_2;
  target += normal_id_glm_lpdf(Y | X[, 3:K], mu, b[2:Kc], sigma);
  target += normal_lpdf(b | 0, b_scale);
  target += normal_lpdf(Intercept | intercept_location, intercept_scale);
  target += exponential_lpdf(sigma | 1 / sigma_scale);
  target += student_t_lpdf(sd_1 | 3, 0, sd_scale) + M_1 * log(2);
  target += lkj_corr_cholesky_lpdf(L_1 | 1);
  target += multi_normal_cholesky_lpdf(beta | population,
                                       diag_pre_multiply(sd_1, L_1));
}
