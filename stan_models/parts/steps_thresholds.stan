  vector[C - 1] threshold
    = append_row(append_row(theta[(P + 1):(P + anchor - 1)], 0),
                 theta[(P + anchor):(P + A)]) - b[1];
