"""Later times of each group, and how good their forecasts were."""
