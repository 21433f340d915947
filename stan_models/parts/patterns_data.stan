  // Rows, as sums around mu_hat, a least-squares fit to what lies within
  // groups: the precision of the residuals is a mix of fixed matrices K_r, and
  // sums over rows are mixes of sums under each of them. Effects are counted
  // from C (1, d), those that fit each group best, where groups are far apart,
  // or from zero, without C. With A what these leave of (e_hat, -X): roots of
  // A'K_r A, and for each group Z_j'K_r Z_j and Z_j'K_r A_j. Groups of equal
  // design are rotated together, so that one below may stand for a part of
  // several.
  int<lower=0, upper=P> P_mu; // coefficients of the response's location
  vector[P_mu] mu_hat;
  int<lower=0> patterns;
  int<lower=0> square_count;
  matrix[square_count, 1 + P_mu] K_root; // A'K_r A = sum of signed k'k, k rows
  vector[square_count] sign_of_square;
  array[square_count] int<lower=1, upper=patterns> pattern_of_square;

  // Cells are pairs of a group and a pattern: the first of all groups, then
  // the second of those that have two, and so on, groups with many first; or
  // group after group, where that makes fewer sums, with no turns. There are
  // none where all groups have nearly all patterns: then a group has these
  // next to each other, for each entry of its matrices.
  int<lower=0> J_in;
  int<lower=0, upper=E> E_in; // effects of the factor
  int<lower=0, upper=E> E_before; // effects of other factors before them
  vector<lower=0>[J_in] groups; // groups whose determinant each carries
  int<lower=0> turns;
  array[turns] int<lower=1, upper=J_in> turn_width; // groups that have so many
  array[J_in + 1] int<lower=1> first_cell;
  int<lower=0> cell_count;
  array[cell_count] int<lower=1, upper=patterns> pattern_of_cell;
  int<lower=0> abreast; // patterns next to each other
  matrix[cell_count ? cell_count : J_in,
         abreast * ((E_in * (E_in + 1)) %/% 2)] ZtKZ;
  // Effect by effect.
  matrix[cell_count ? cell_count : J_in, abreast * E_in * (1 + P_mu)] ZtKA;
  int<lower=0> far_columns;
  matrix[J_in, far_columns] C;
  array[E_in] int<lower=1> last_in; // effect of the bar of each

  // A block of further columns W, whose coefficients are normal around zero
  // with the sd of an effect each, and integrated out as well. A has -W behind
  // its other columns; here are W'K_r A and, for each effect of groups,
  // -Z_j'K_r W.
  int<lower=0> NW;
  array[NW] int<lower=1, upper=E> effect_of;
  vector[NW] w_hat;
  matrix[patterns, NW * (1 + P_mu)] WtKA;
  matrix[patterns, NW * NW] WtKW;
  matrix[NW ? rows(ZtKZ) : 0, abreast * E_in * NW] ZtKW;
  real log_constant; // of the log density: N log(2 pi) / 2, turned
