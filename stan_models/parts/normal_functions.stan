  /** Log of the standard normal distribution function, quiet for any x. */
  real log_Phi(real x) {
    if (x > 0) return log1m(0.5 * erfc(x / sqrt2()));
    if (x > -5) return log(0.5 * erfc(-x / sqrt2()));
    // The continued fraction of Mills' ratio, exact to rounding down here.
    real k = -x;
    for (i in 1:20) k = -x + (21 - i) / k;
    return -0.5 * (square(x) + log(2 * pi())) - log(k);
  }
