"""What the time series lesson asks."""
