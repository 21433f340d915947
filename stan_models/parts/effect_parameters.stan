  vector[D] raw;
  vector[K + mi_gaps] z; // of effects, then of missing values
