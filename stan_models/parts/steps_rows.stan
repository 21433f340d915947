  // Weight of the rows that stop at each threshold, that go on beyond it.
  matrix[N, C - 1] stopping = rep_matrix(0, N, C - 1);
  matrix[N, C - 1] going = rep_matrix(0, N, C - 1);
  for (n in 1:N) {
    for (c in 1:(C - 1)) {
      if (y[n] == c) stopping[n, c] = weight[n];
      if (y[n] > c) going[n, c] = weight[n];
    }
  }
