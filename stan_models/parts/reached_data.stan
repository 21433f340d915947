  // Weight of the counts that reach 1, 2, ...; none where the counts are so
  // large that log_rising had better take differences of lgamma.
  int<lower=0> top;
  vector<lower=0>[top] reached;
  // Where counts were made over times of different lengths: these.
  int<lower=0, upper=1> rated;
  vector<lower=0>[rated ? N : 0] counted_over;
