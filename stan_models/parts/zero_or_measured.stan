  // Log probabilities that a response is at most y, or above it, where it is a
  // zero of the logit own[2], or else measured: for y from zero up.
  real log_below(real y, real eta, array[] real own) {
    real lp = log_inv_logit(own[2]);
    if (y > 0) {
      lp = log_sum_exp(lp, log1m_inv_logit(own[2])
                           + measured_below(y, eta, own));
    }
    return lp;
  }
  real log_above(real y, real eta, array[] real own) {
    real lp = log1m_inv_logit(own[2]);
    if (y > 0) lp += measured_above(y, eta, own);
    return lp;
  }
  real log_between(real low, real high, real eta, array[] real own) {
    return log1m_inv_logit(own[2]) + measured_between(low, high, eta, own);
  }
