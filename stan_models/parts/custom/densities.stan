  target += dot_product(raw, custom_rows(y, own_values[, 1],
                                          own_values[, 2]));
