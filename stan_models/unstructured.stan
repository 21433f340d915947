// Gaussian response of units with a row at each of some positions, such as
// patients and visits, of which any may be missing: each position has a
// residual sd, or each stratum of rows has one by an equation of log sigma, and
// each pair of positions a correlation. Or several responses: then
// they are the positions, and rows of the data the units. One grouping factor
// or none, any number of varying coefficients, correlated or not; the group
// effects are integrated out exactly, from sums over pairs of rows of units
// that have the same positions.
functions {
#include parts/functions.stanfunctions
#include parts/group_functions.stanfunctions
#include parts/patterns_functions.stanfunctions
}
data {
#include parts/coordinates_data.stan
#include parts/patterns_data.stan
#include parts/strata_data.stan
#include parts/correlated_data.stan
  int<lower=2> position_count;
  int<lower=0> kinds; // of units, by the positions that they have
  array[kinds] int<lower=1, upper=position_count> kind_size;
  vector<lower=0>[kinds] units_of;
  // Kind by kind.
  array[sum(kind_size)] int<lower=1, upper=position_count> position_of;
  // What the rows of each position were divided by.
  vector<lower=0>[position_count] position_unit;
  int<lower=0, upper=position_count> sd_count; // none with an equation
  array[position_count] int position_prior; // of its sd
  matrix[position_count, 4] position_par;
  real<lower=0> lkj_residual;
}
transformed data {
  int T = position_count;
  int C_count = (T * (T - 1)) %/% 2;
  int A = sd_count + C_count;
}
parameters {
#include parts/raw_parameters.stan
}
transformed parameters {
#include parts/hyperparameters.stan
  vector<lower=0>[sd_count] sd_residual
    = exp(theta[(P + 1):(P + sd_count)]);
  matrix[T, T] L_residual
    = block_cholesky_jacobian(theta[(P + sd_count + 1):(P + A)], {T});
  vector[C_count] cor_residual;
  {
    int i = 0;
    for (t in 2:T) {
      for (u in 1:(t - 1)) {
        i += 1;
        cor_residual[i] = dot_product(L_residual[t], L_residual[u]);
      }
    }
  }
}
model {
  // The entries of the inverse of each kind's correlations, row by row.
  vector[inner_count] inner = rep_vector(0, inner_count);
  vector[patterns] mix;
  vector[strata_count] variance;
  real log_det_R;
  int singular = min(diagonal(L_residual)) < 1e-6;
  if (sd_count) { // positions are strata
    variance = square(sd_residual ./ position_unit);
  } else {
    variance = variance_at(known_sigma + X_sigma * tail(b, P - P_mu));
  }
  log_det_R = dot_product(rows_of, log(variance));
  if (singular) {
    target += negative_infinity();
  } else {
    int entry = 0;
    int at = 0;
    for (k in 1:kinds) {
      int n = kind_size[k];
      array[n] int here = position_of[(at + 1):(at + n)];
      matrix[n, n] root
        = cholesky_decompose(tcrossprod(L_residual[here]));
      matrix[n, n] inverse
        = crossprod(mdivide_left_tri_low(root, identity_matrix(n)));
      for (t in 1:n) {
        for (u in 1:t) {
          entry += 1;
          inner[entry] = inverse[t, u];
        }
      }
      log_det_R += 2 * units_of[k] * sum(log(diagonal(root)));
      at += n;
    }
  }
  mix = correlated_mix(inner[inner_pattern], variance, one_stratum,
                       other_stratum);
#include parts/patterns_model.stan
  for (t in 1:sd_count) {
    target += coded_lpdf(sd_residual[t] | position_prior[t], position_par[t]);
  }
  target += sum(log(sd_residual));
  target += block_lkj(L_residual, {T}, [lkj_residual]');
#include parts/priors.stan
}
