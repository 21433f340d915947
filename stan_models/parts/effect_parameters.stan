  vector[D] raw;
  vector[K] z;
