"""Quick fits in numpy: the coordinates in which programs sample."""
