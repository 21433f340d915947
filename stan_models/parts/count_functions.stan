  /**
   * Sum of w (lgamma(y + shape) - lgamma(shape) - y log(shape)) over counts y.
   *
   * @param reached weight of the counts that reach 1, 2, ...: for whole counts
   *   the sum is that of reached_i log1p((i - 1) / shape), which is exact
   *   however large the shape; empty for counts too large to be worth it,
   *   where a large shape has Stirling's series instead of lgamma, whose
   *   differences lose their digits
   */
  real log_rising(vector reached, vector y, vector w, real shape) {
    int top = size(reached);
    if (top > 0) {
      vector[top] below;
      for (i in 1:top) below[i] = i - 1;
      return dot_product(reached, log1p(below / shape));
    }
    if (shape < 100) {
      return dot_product(w, lgamma(y + shape) - lgamma(shape)
                            - y * log(shape));
    }
    return dot_product(w, (y + shape - 0.5) .* log1p(y / shape) - y
                          + (inv(y + shape) - inv(shape)) / 12
                          - (inv(y + shape) .^ 3 - inv(shape) ^ 3) / 360);
  }
