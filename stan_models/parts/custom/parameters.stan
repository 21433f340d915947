  vector<lower=0>[own_at[2] - own_at[1]] sigma
    = exp(theta[(P + own_at[1] + 1):(P + own_at[2])]);
