// A plain program for the inhaler data: cumulative logit, non-centred.
data {
  int<lower=1> N;
  int<lower=1> P;
  int<lower=1> J;
  array[N] int<lower=1, upper=4> y;
  matrix[N, P] X; // centred columns
  array[N] int<lower=1, upper=J> level;
}
parameters {
  vector[P] b;
  ordered[3] threshold;
  real<lower=0> sd_subject;
  vector[J] z;
}
model {
  y ~ ordered_logistic(X * b + sd_subject * z[level], threshold);
  b ~ normal(0, 2);
  threshold ~ student_t(3, 0, 2.5);
  sd_subject ~ student_t(3, 0, 2.5);
  z ~ std_normal();
}
