  vector[D] raw;
