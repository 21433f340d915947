    // Of each row: linear predictor and own parameters.
    for (i in 1:N_below) {
      target += weight_below[i]
                * log_below(end_below[i], eta[1][row_below[i]],
                            own[, row_below[i]]);
    }
    for (i in 1:N_above) {
      target += weight_above[i]
                * log_above(end_above[i], eta[1][row_above[i]],
                            own[, row_above[i]]);
    }
    for (i in 1:N_between) {
      target += weight_between[i]
                * log_between(low_between[i], high_between[i],
                              eta[1][row_between[i]],
                              own[, row_between[i]]);
    }
