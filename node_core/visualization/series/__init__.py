"""Pictures of the time series lesson."""
