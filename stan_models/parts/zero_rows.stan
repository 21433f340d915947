  // Rows with a zero and others.
  array[N] int row;
  int zeros = 0;
  int counts = 0;
  for (n in 1:N) {
    if (y[n] == 0) {
      zeros += 1;
      row[zeros] = n;
    } else {
      row[N - counts] = n;
      counts += 1;
    }
  }
  array[zeros] int zero = head(row, zeros);
  array[counts] int count = tail(row, counts);
  vector[counts] y_count = y[count];
  vector[counts] weight_count = weight[count];
  real weights = sum(weight_count);
