"""Live training of models of time series."""
