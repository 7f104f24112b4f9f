"""Models of time series with irregular times and gaps: latent ODEs, recurrent nets, equations with unknowns."""
