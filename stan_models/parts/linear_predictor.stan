  vector[N] eta = known + X * b;
  {
    int done = 0;
    int e = 0;
    for (m in 1:M) {
      for (k in 1:Q[m]) {
        e += 1;
        vector[J[m]] u = segment(r, done + 1, J[m]);
        if (constant[e]) eta += u[level[m]];
        else eta += u[level[m]] .* Z[, e];
        done += J[m];
      }
    }
  }
