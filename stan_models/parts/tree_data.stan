  // Factors nested in each other, the outermost first, and the columns that
  // vary over any of them, those of the outermost first.
  int<lower=1> T;
  array[T] int<lower=0> Q; // varying coefficients of each
  array[T] int<lower=0> J; // levels of each
  array[T] int<lower=0> at; // effects before its own
  array[E] int<lower=1> last; // effect of its bar, counted in its factor
  array[T] int<lower=0> C; // columns that vary over a factor around it
  array[E] int<lower=0> column_of; // column of each effect

  // Factors beside them, whose effects are coefficients of further columns:
  // effect after effect, level by level.
  int<lower=0> crossed;
  array[crossed] int<lower=1> Q_crossed;
  array[crossed] int<lower=1> J_crossed;
  array[crossed] int<lower=0> at_crossed;
  int<lower=0> NW; // columns of all

  // Rows, as sufficient statistics around b_hat, the least-squares fit to what
  // lies within the levels of the innermost factor: with Z_j = Q_j R_j what
  // Z_j leaves of residuals e_hat and X, those columns behind its own, and
  // what it doesn't, in the coordinates Q_j.
  real N; // rows, or the sum of their weights; with what is known of variances
  vector[P + NW] b_hat;
  matrix[P + NW, P + NW] root_XtX; // root'root = X'X, within levels
  matrix[NW, P] along; // how effects of crossed factors make up for b
  real<lower=0> rss; // e_hat'e_hat within levels
  vector<lower=0>[J[T]] groups; // levels whose determinant a row carries
  array[Q[T]] int<lower=1, upper=Q[T]> order; // of the columns of Z_j
  array[Q[T], Q[T]] int<lower=1> entry_first; // see covariance_factors
  array[Q[T], Q[T]] int<lower=1> entry_last;
  matrix[J[T], (Q[T] * (Q[T] + 1)) %/% 2] R; // lower triangles, row by row
  matrix[J[T], Q[T] * (1 + P + NW)] QtR; // for each effect: Q_j'e_hat, -Q_j'X_j
  matrix[J[T], Q[T] * C[T]] QtA; // for each effect: Q_j'A_j, A the columns

  // What the innermost factor leaves of columns that don't vary over it, for
  // the levels of the factor around it: A'A, then A'e_hat and -A'X.
  int<lower=0> loose;
  array[loose] int<lower=1> loose_column;
  int<lower=0> parents;
  matrix[parents, (loose * (loose + 1)) %/% 2] AtA;
  matrix[parents, loose * (1 + P + NW)] AtR;

  // Of each factor but the innermost, level after level: the first of the
  // levels inside it, and one behind the last.
  array[sum(J) - J[T] + T - 1] int<lower=1> start_inside;
