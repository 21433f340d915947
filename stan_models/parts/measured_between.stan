  // Log probability that a measurement lies between ends from zero up.
  real measured_between(real low, real high, real eta, array[] real own) {
    real lp = measured_below(high, eta, own);
    if (low > 0) {
      real from = measured_below(low, eta, own);
      if (from > -0.7) {
        lp = measured_above(low, eta, own);
        from = measured_above(high, eta, own);
      }
      lp += log1m_exp(from - lp);
    }
    return lp;
  }
