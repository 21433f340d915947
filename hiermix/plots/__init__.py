"""Plots: one file a plot; each returns its figure and the numbers it drew."""
