  /** Log probability of an interval, by the tail that keeps its digits. */
  real log_between(real low, real high, real eta, array[] real own) {
    real from = log_below(low, eta, own);
    real to = 0;
    if (from < -0.7) {
      to = log_below(high, eta, own);
    } else {
      to = log_above(low, eta, own);
      from = log_above(high, eta, own);
    }
    return to + log1m_exp(from - to);
  }
