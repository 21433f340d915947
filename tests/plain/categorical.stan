// A plain program for three unordered categories: softmax, non-centred, row by row.
data {
  int<lower=1> N;
  int<lower=1> J;
  array[N] int<lower=1, upper=J> level;
  vector[N] x;
  array[N] int<lower=1, upper=3> y;
}
parameters {
  vector[2] a;
  vector[2] b;
  vector<lower=0>[2] sd_g;
  matrix[2, J] z;
}
model {
  for (n in 1:N) {
    y[n] ~ categorical_logit(append_row(0, a + b * x[n] + sd_g .* z[, level[n]]));
  }
  a ~ normal(0, 2);
  b ~ normal(0, 2);
  sd_g ~ exponential(1);
  to_vector(z) ~ std_normal();
}
