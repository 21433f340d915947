// As an expert writes y ~ x + (1 | a) + (1 | b) + (1 | c) by hand, centred, the
// first factor around the intercept: vectorised, effects gathered by level.
data {
  int<lower=1> N;
  vector[N] Y;
  int<lower=1> K;
  int<lower=1> Kc;
  matrix[N, K] X;
  int<lower=1> N_1;
  int<lower=1> N_2;
  int<lower=1> N_3;
  array[N] int<lower=1> J_1;
  array[N] int<lower=1> J_2;
  array[N] int<lower=1> J_3;
  vector[Kc] b_scale;
  real intercept_location;
  real intercept_scale;
  real sigma_scale;
  vector[3] sd_scale;
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
  vector<lower=0>[3] sd;
  vector[N_1] r_1;
  vector[N_2] r_2;
  vector[N_3] r_3;
}
model {
  vector[N] mu = r_1[J_1] + r_2[J_2] + r_3[J_3];
  target += normal_id_glm_lpdf(Y | Xc, mu, b, sigma);
  target += normal_lpdf(b | 0, b_scale);
  target += normal_lpdf(Intercept | intercept_location, intercept_scale);
  target += exponential_lpdf(sigma | 1 / sigma_scale);
  target += student_t_lpdf(sd | 3, 0, sd_scale) + 3 * log(2);
  target += normal_lpdf(r_1 | Intercept, sd[1]);
  target += normal_lpdf(r_2 | 0, sd[2]);
  target += normal_lpdf(r_3 | 0, sd[3]);
}
