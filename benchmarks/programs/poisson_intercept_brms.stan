// The row-wise, non-centred program that brms writes for
// y ~ x + (1 | g), family poisson.
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
  array[M_1] vector[N_1] z_1;
}
transformed parameters {
  vector[N_1] r_1_1 = sd_1[1] * z_1[1];
}
model {
  vector[N] mu = rep_vector(0.0, N);
  mu += Intercept;
  for (n in 1:N) {
    mu[n] += r_1_1[J_1[n]] * Z_1_1[n];
  }
  target += poisson_log_glm_lpmf(Y | Xc, mu, b);
  target += normal_lpdf(b | 0, b_scale);
  target += normal_lpdf(Intercept | intercept_location, intercept_scale);
  target += student_t_lpdf(sd_1 | 3, 0, sd_scale) + M_1 * log(2);
  target += std_normal_lpdf(z_1[1]);
}
